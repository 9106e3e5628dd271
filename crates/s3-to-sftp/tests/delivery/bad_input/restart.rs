//! A server that goes down in the middle and comes back without what it had not synced.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use s3_to_sftp::error::VerdictKind;
use s3_to_sftp::owner::Owner;
use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::sftp::{
    Action, Extensions, Operation, Request, SftpServer, every, flags, nth, once, status,
};

use super::{with, world};
use crate::promises::links::{Mailbox, delivered, invocation};
use crate::world::{World, job};

const SIZE: usize = 8 * 1024 * 1024;

fn files(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home).expect("the home is there");
    entries
        .map(|entry| entry.expect("it is readable").path())
        .collect()
}

/// The length stays, and a block in the middle is zeros.
fn lose(home: &Path) {
    for file in files(home) {
        let opened = OpenOptions::new().write(true).open(file);
        let opened = opened.expect("it can be written to");
        let length = opened.metadata().expect("it is there").len();
        let zeros = vec![0; usize::try_from(length / 4).expect("it is small")];
        opened
            .write_all_at(&zeros, length / 4)
            .expect("it is a file");
    }
}

fn reads(request: &Request) -> bool {
    request.operation == Operation::Open && request.flags == flags::READ
}

/// FSTAT shows all that was acknowledged, and it is not there.
#[tokio::test]
async fn a_server_that_comes_back_with_zeros_gets_everything_again() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    let home = world.home().to_owned();
    server.hook(nth(Operation::Write, 20, move || {
        lose(&home);
        Action::Disconnect
    }));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    assert_eq!(server.connections(), 2);
    world.assert_only(&["f"]);
}

/// An account that may only write: nobody can tell what the server still has.
#[tokio::test]
async fn what_may_not_be_read_back_is_sent_again() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(|request| match reads(request) {
        true => Action::refuse(status::PERMISSION_DENIED),
        false => Action::Pass,
    });
    server.hook(nth(Operation::Write, 20, || Action::Disconnect));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    let writes = server.requests_of(Operation::Write);
    let first = writes.iter().find(|write| write.connection == 2);
    assert_eq!(first.map(|write| write.offset), Some(0));
    world.assert_only(&["f"]);
}

/// Such an account, and a link that breaks in each attempt: the error tells which of the two it is.
#[tokio::test]
async fn an_account_that_may_not_read_and_a_link_that_breaks() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(|request| match reads(request) {
        true => Action::refuse(status::PERMISSION_DENIED),
        false => Action::Pass,
    });
    // Behind the middle of each beginning.
    server.hook(|request| {
        let is_it = request.operation == Operation::Write && request.offset > 5 * 1024 * 1024;
        if is_it {
            Action::Disconnect
        } else {
            Action::Pass
        }
    });
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "ConnectionBroken", "{}", error.report());
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(
        error.report().contains("3 times in a row"),
        "{}",
        error.report()
    );
    assert!(world.has_source("f"));
}

/// A second break does not read again what was synced when the first one was over.
#[tokio::test]
async fn what_was_read_back_once_is_not_read_again() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(|request| {
        let ends_at = match request.connection {
            1 => Some(4 * 1024 * 1024),
            2 => Some(6 * 1024 * 1024),
            _ => None,
        };
        let is_it =
            request.operation == Operation::Write && ends_at.is_some_and(|it| request.offset > it);
        if is_it {
            Action::Disconnect
        } else {
            Action::Pass
        }
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    assert_eq!(server.connections(), 3);
    let reads = server.requests_of(Operation::Read);
    let end = |connection| {
        let of = reads.iter().filter(|it| it.connection == connection);
        of.map(|read| read.offset + read.len as u64).max()
    };
    let first = end(2).expect("the second connection reads");
    let begun = reads.iter().filter(|it| it.connection == 3);
    assert_eq!(begun.map(|read| read.offset).min(), Some(first));
}

/// There is no time for all of it: the next invocation reads the rest.
#[tokio::test]
async fn reading_back_what_a_broken_connection_wrote_is_handed_over() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(nth(Operation::Write, 20, || Action::Disconnect));
    server.hook(every(Operation::Read, || {
        Action::Delay(Duration::from_millis(90))
    }));
    // So that a connection tells an invocation.
    let deliverer = world.deliverer(&[("SSH_KEEP_CONNECTION", "no")]);
    let mailbox = Mailbox::default();
    let time = Duration::from_millis(1500);
    let first = Owner::attempt("first", 1);
    let outcome = invocation(&deliverer, &mailbox, time, job(World::BUCKET, "f"), first).await;
    assert!(matches!(outcome, Outcome::Continued(..)), "{outcome:?}");
    let reads = server.requests_of(Operation::Read);
    let before: u64 = reads
        .iter()
        .map(|read| read.offset)
        .max()
        .expect("it reads");
    server.clear_hooks();
    let second = Owner::attempt("second", 1);
    let time = Duration::from_secs(30);
    let outcome = invocation(&deliverer, &mailbox, time, mailbox.take(), second).await;
    delivered(outcome);
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    let reads = server.requests_of(Operation::Read);
    let mut rest = reads.iter().filter(|read| read.connection == 3);
    let from = rest.next().expect("the rest is read").offset;
    assert!(
        0 < from && from <= before,
        "from {from}, {before} was asked for"
    );
    world.assert_only(&["f"]);
}

/// Nothing is synced there, and the connection breaks at the rename.
#[tokio::test]
async fn a_rename_that_is_lost_where_nothing_is_synced_is_not_sent_again_unread() {
    let (world, server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
    world.put("f", payload::ramp(SIZE));
    let home = world.home().to_owned();
    server.hook(once(Operation::Rename, move || {
        lose(&home);
        Action::Disconnect
    }));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    world.assert_only(&["f"]);
}

/// The same, where the rename was done before the server went down: names, lengths and times are as they should be.
#[tokio::test]
async fn a_rename_that_was_done_where_nothing_is_synced_is_not_believed_unread() {
    let (world, server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
    world.put("f", payload::ramp(SIZE));
    let home = world.home().to_owned();
    server.hook(once(Operation::Rename, || Action::DisconnectAfter));
    server.hook(move |request| {
        if request.connection == 2 && request.operation == Operation::Init {
            let [file] = &files(&home)[..] else {
                panic!("one file is there")
            };
            let time = fs::metadata(file)
                .and_then(|it| it.modified())
                .expect("it has one");
            lose(&home);
            let opened = OpenOptions::new().write(true).open(file);
            let opened = opened.expect("it can be written to");
            opened.set_modified(time).expect("it is ours");
        }
        Action::Pass
    });
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        error.verdict().kind,
        VerdictKind::Retry,
        "{}",
        error.report()
    );
    assert!(world.has_source("f"));
}
