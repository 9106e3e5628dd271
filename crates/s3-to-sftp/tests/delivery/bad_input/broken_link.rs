//! A connection that ends in the middle.

use std::time::Duration;

use s3_to_sftp::error::VerdictKind;
use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::sftp::{Action, Operation, every};

use super::world;
use crate::world::{World, job};

#[tokio::test]
async fn a_connection_that_breaks_during_the_transfer() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(4 * 1024 * 1024));
    server.hook(testkit::sftp::nth(Operation::Write, 7, || {
        Action::Disconnect
    }));
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "ConnectionBroken", "{}", error.report());
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(world.has_source("f"));
    assert!(
        !world.home().join("f").exists(),
        "nothing under the final name"
    );
}

/// The rename is done and its answer lost: the source stays, for nobody can tell.
#[tokio::test]
async fn a_lost_answer_to_the_rename_keeps_the_source() {
    let (world, server) = world().await;
    world.put("f", "content");
    server.hook(every(Operation::PosixRename, || Action::DisconnectAfter));
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
    assert_eq!(world.file("f"), b"content");
}

#[tokio::test]
async fn a_server_that_stops_answering_is_given_up() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(1024 * 1024));
    server.hook(every(Operation::Write, || Action::Drop));
    let extra = [("SSH_STALL_TIMEOUT", "1s")];
    let started = std::time::Instant::now();
    let outcome = world.deliver_by(&world.deliverer(&extra), "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "ServerSilent", "{}", error.report());
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "{:?}",
        started.elapsed()
    );
    assert!(world.has_source("f"));
}

/// A slow FSYNC is waited for without limit, but only as long as the server lives: keepalives tell.
#[tokio::test]
async fn a_link_that_dies_during_a_slow_fsync_is_given_up() {
    let (world, server) = world().await;
    world.put("f", "content");
    let proxy = std::sync::Arc::new(testkit::proxy::Proxy::start(server.port()).await);
    let stalled = std::sync::Arc::clone(&proxy);
    server.hook(every(Operation::Fsync, move || {
        stalled.stall();
        Action::Drop
    }));
    let port = proxy.port().to_string();
    let extra = [("SSH_STALL_TIMEOUT", "1s"), ("SSH_PORT", port.as_str())];
    let started = std::time::Instant::now();
    let outcome = world.deliver_by(&world.deliverer(&extra), "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "ConnectionBroken", "{}", error.report());
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "{:?}",
        started.elapsed()
    );
    assert!(world.has_source("f"));
}

/// After a broken connection the next record gets a new one.
#[tokio::test]
async fn a_broken_connection_is_replaced_for_the_next_record() {
    let (world, server) = world().await;
    world.put("one", payload::ramp(1024 * 1024));
    world.put("two", "two");
    server.hook(testkit::sftp::nth(Operation::Write, 2, || {
        Action::Disconnect
    }));
    let deliverer = world.deliverer(&[]);
    let mut invocation = deliverer.invocation(world.soon());
    let one = invocation.deliver(job(World::BUCKET, "one"), "owner").await;
    let two = invocation.deliver(job(World::BUCKET, "two"), "owner").await;
    invocation.finish().await;
    assert!(matches!(one, Outcome::Failed(_)), "{one:?}");
    assert!(matches!(two, Outcome::Delivered(..)), "{two:?}");
    assert_eq!(server.connections(), 2);
}

/// Nothing outlives an invocation.
#[tokio::test]
async fn no_connection_is_open_when_an_invocation_has_ended() {
    let (world, server) = world().await;
    world.put("f", "content");
    world.deliver("f").await;
    assert_eq!(server.connections(), 1);
    let identification = format!("SSH-2.0-s3-to-sftp_{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.identifications(), [identification]);
    let gone = async {
        while server.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("the server sees its end");
}
