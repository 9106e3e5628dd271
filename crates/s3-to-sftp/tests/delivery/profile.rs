//! What a receipt tells of a server: what it has shown, and nothing before that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::record::of_receipt;
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::sftp::{
    Action, Builder, Extensions, Operation, Request, SftpServer, every, flags, nth, once, status,
};

use super::bad_input::{with, world};
use super::promises::links::delivered;
use super::world::World;

/// Delivers `f` by settings with `extra`, and gives the names in the receipt, held to the schema.
async fn quirks(world: &World, extra: &[(&str, &str)]) -> Option<String> {
    if !world.has_source("f") {
        world.put("f", "content");
    }
    let outcome = world.deliver_by(&world.deliverer(extra), "f").await;
    let receipt = delivered(outcome);
    // Which knows each name.
    testkit::receipt::check(&of_receipt(&receipt, None).into());
    receipt.server.server_quirks
}

#[tokio::test]
async fn a_server_like_openssh_has_no_quirks() {
    let (world, _server) = world().await;
    world.write_file("f", "an old one, which is longer");
    for extra in [("SSH_FILE_MODE", "600"), ("SSH_UPLOAD", "direct")] {
        assert_eq!(quirks(&world, &[extra]).await, None, "{extra:?}");
    }
}

#[tokio::test]
async fn what_is_not_offered_is_named() {
    let (world, _server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
    let found = quirks(&world, &[]).await;
    assert_eq!(found.as_deref(), Some("no-posix-rename, no-fsync"));
}

/// Once is enough, in this process; another one has not seen it.
#[tokio::test]
async fn what_was_seen_once_is_remembered() {
    let (world, server) = world().await;
    server.hook(once(Operation::Fsetstat, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let deliverer = world.deliverer(&[("SSH_FILE_MODE", "600")]);
    for _ in 0..2 {
        world.put("f", "content");
        let receipt = delivered(world.deliver_by(&deliverer, "f").await);
        assert_eq!(receipt.server.server_quirks.as_deref(), Some("no-mode"));
    }
    assert_eq!(quirks(&world, &[("SSH_FILE_MODE", "600")]).await, None);
}

#[tokio::test]
async fn a_mode_without_effect_is_named() {
    for upload in ["temporary", "direct"] {
        let (world, server) = world().await;
        server.hook(every(Operation::Fsetstat, || {
            Action::refuse(status::OP_UNSUPPORTED)
        }));
        let found = quirks(&world, &[("SSH_FILE_MODE", "600"), ("SSH_UPLOAD", upload)]).await;
        assert_eq!(found.as_deref(), Some("no-mode"), "{upload}");
    }
    let (world, server) = world().await;
    // And the umask takes others' bits out of OPEN's.
    server.hook(every(Operation::Fsetstat, || Action::AcknowledgeOnly));
    let found = quirks(&world, &[("SSH_FILE_MODE", "666")]).await;
    assert_eq!(found.as_deref(), Some("no-mode"));
}

/// Of the file that could not be delivered there is no receipt; of the next one there is.
#[tokio::test]
async fn a_directory_that_is_not_made_is_named() {
    let (world, server) = world().await;
    server.hook(every(Operation::Mkdir, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let deliverer = world.deliverer(&[]);
    world.put("a/f", "content");
    let outcome = world.deliver_by(&deliverer, "a/f").await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    world.put("f", "content");
    let receipt = delivered(world.deliver_by(&deliverer, "f").await);
    assert_eq!(receipt.server.server_quirks.as_deref(), Some("no-mkdir"));
}

#[tokio::test]
async fn a_length_that_is_not_told_is_named() {
    for upload in ["temporary", "direct"] {
        let (world, server) = world().await;
        server.hook(|request| match request.operation {
            Operation::Stat | Operation::Fstat => Action::refuse(status::OP_UNSUPPORTED),
            _ => Action::Pass,
        });
        let found = quirks(&world, &[("SSH_UPLOAD", upload)]).await;
        assert_eq!(found.as_deref(), Some("no-size"), "{upload}");
    }
}

#[tokio::test]
async fn a_length_that_is_told_late_is_named() {
    let (world, server) = world().await;
    let is_closed = AtomicBool::new(false);
    server.hook(move |request| match request.operation {
        Operation::Close => {
            is_closed.store(true, Ordering::Relaxed);
            Action::Pass
        }
        // The first behind the CLOSE.
        Operation::Stat if is_closed.swap(false, Ordering::Relaxed) => Action::Size(0),
        _ => Action::Pass,
    });
    assert_eq!(quirks(&world, &[]).await.as_deref(), Some("late-size"));
    assert_eq!(world.s3.count("GetObject"), 1, "not begun anew");
}

#[tokio::test]
async fn large_writes_that_are_cut_are_named() {
    const KEPT: usize = 32 * 1024;
    let (world, server) = world().await;
    server.hook(|request| match request.operation {
        Operation::Write if request.len > KEPT => Action::Keep(KEPT),
        _ => Action::Pass,
    });
    world.put("f", payload::ramp(300_000));
    assert_eq!(quirks(&world, &[]).await.as_deref(), Some("small-writes"));
    assert!(world.file("f") == payload::ramp(300_000), "byte by byte");
}

/// Far enough away for one channel's window to hold it back.
async fn over_channels(builder: Builder) -> Option<String> {
    let (world, server) = with(builder).await;
    let proxy = Proxy::start(server.port()).await;
    proxy.delay(Duration::from_millis(20));
    world.put("f", payload::ramp(24 * 1024 * 1024));
    let port = proxy.port().to_string();
    quirks(&world, &[("SSH_CHANNELS", "4"), ("SSH_PORT", &port)]).await
}

#[tokio::test]
async fn channels_that_are_refused_are_named() {
    for (most, name) in [
        (1, Some("one-channel")),
        (2, Some("few-channels")),
        (9, None),
    ] {
        let found = over_channels(SftpServer::builder().max_channels(most)).await;
        assert_eq!(found.as_deref(), name);
    }
}

/// ProFTPD's default.
#[tokio::test]
async fn a_name_that_is_not_opened_twice_is_named() {
    let (world, server) = world().await;
    let refused = AtomicBool::new(false);
    server.hook(move |request| match request.operation {
        Operation::Open if !refused.swap(true, Ordering::Relaxed) => {
            Action::refuse(status::PERMISSION_DENIED)
        }
        Operation::Remove => Action::AcknowledgeOnly,
        _ => Action::Pass,
    });
    assert_eq!(quirks(&world, &[]).await.as_deref(), Some("no-reopen"));
}

type Hook = Box<dyn Fn(&Request) -> Action + Send + Sync>;

/// The connection breaks, and the server is odd about the file that is there.
async fn begun_anew(odd: Hook) {
    let (world, server) = world().await;
    // It is stored, and nobody is told: an append shows where there is more than was acknowledged.
    server.hook(nth(Operation::Write, 20, || Action::DisconnectAfter));
    server.hook(odd);
    world.put("f", payload::ramp(8 * 1024 * 1024));
    assert_eq!(quirks(&world, &[]).await.as_deref(), Some("no-resume"));
    assert!(
        world.file("f") == payload::ramp(8 * 1024 * 1024),
        "byte by byte"
    );
}

/// An OPEN of what is there: no other is without CREAT.
fn opens_again(request: &Request) -> bool {
    request.operation == Operation::Open
        && request.flags & (flags::WRITE | flags::CREAT) == flags::WRITE
}

/// As rclone's.
#[tokio::test]
async fn a_file_that_is_cut_when_it_is_opened_again_is_named() {
    begun_anew(Box::new(|request| match opens_again(request) {
        true => Action::OpenWith(request.flags | flags::TRUNC),
        false => Action::Pass,
    }))
    .await;
}

#[tokio::test]
async fn a_file_that_is_not_opened_again_is_named() {
    begun_anew(Box::new(|request| match opens_again(request) {
        true => Action::refuse(status::FAILURE),
        false => Action::Pass,
    }))
    .await;
}

#[tokio::test]
async fn a_file_that_is_appended_to_is_named() {
    begun_anew(Box::new(|request| match opens_again(request) {
        true => Action::OpenWith(request.flags | flags::APPEND),
        false => Action::Pass,
    }))
    .await;
}

#[tokio::test]
async fn a_file_that_is_written_from_its_beginning_only_is_named() {
    let has_begun = AtomicBool::new(false);
    begun_anew(Box::new(move |request| {
        if request.operation != Operation::Write || request.connection == 1 {
            return Action::Pass;
        }
        match has_begun.fetch_or(request.offset == 0, Ordering::SeqCst) || request.offset == 0 {
            true => Action::Pass,
            false => Action::Status(status::FAILURE, "Illegal seek".into()),
        }
    }))
    .await;
}

#[tokio::test]
async fn an_old_file_that_is_moved_aside_is_named() {
    let (world, _server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
    world.write_file("f", "an old one");
    let found = quirks(&world, &[]).await;
    let names = "no-posix-rename, no-fsync, no-replace";
    assert_eq!(found.as_deref(), Some(names));
}

#[tokio::test]
async fn a_longer_file_that_is_not_cut_is_named() {
    let (world, server) = world().await;
    world.write_file("f", "an old one, which is longer");
    server.hook(every(Operation::Fsetstat, || Action::AcknowledgeOnly));
    let found = quirks(&world, &[("SSH_UPLOAD", "direct")]).await;
    assert_eq!(found.as_deref(), Some("no-cut"));
}
