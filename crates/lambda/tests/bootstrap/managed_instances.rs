//! Several invocations at once in one process, as on Lambda Managed Instances.

use std::sync::Arc;
use std::time::Duration;

use testkit::payload;
use testkit::proxy::Proxy;
use testkit::runtime_api::{Invocation, Outcome};
use testkit::s3;
use testkit::sftp::{self, Operation};
use tokio::sync::{Barrier, Semaphore};

use crate::world::{World, eventually, is_about};

const CONCURRENCY: (&str, &str) = ("AWS_LAMBDA_MAX_CONCURRENCY", "4");

/// Little, for a test, and above the second that is the least to be set aside for the end.
const SHORT: Duration = Duration::from_secs(3);

fn is_of_stalled(request: &sftp::Request) -> bool {
    is_about(request, "stalled")
}

/// Holds the HEAD before the rename of one object, when all of it is written, until a permit is there; the first semaphore
/// has one when it is reached.
fn hold_before_rename(world: &World, key: &'static str) -> (Arc<Semaphore>, Arc<Semaphore>) {
    let (reached, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (reaches, held) = (Arc::clone(&reached), Arc::clone(&gate));
    world.s3.hook(move |request| {
        if request.operation != "HeadObject" || request.key != key {
            return s3::Action::Pass;
        }
        reaches.add_permits(1);
        let held = Arc::clone(&held);
        s3::Action::hold(async move { held.acquire().await.map(drop) })
    });
    (reached, gate)
}

fn assert_delivered(outcome: &Outcome) {
    assert_eq!(outcome.response()["delivered"], 1);
}

/// None of the four is answered before all four have asked.
async fn four_at_once(world: &World) {
    let barrier = Arc::new(Barrier::new(4));
    world.s3.hook(move |request| {
        if request.operation != "GetObject" {
            return s3::Action::Pass;
        }
        let barrier = Arc::clone(&barrier);
        s3::Action::hold(async move { barrier.wait().await })
    });
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|key| world.uploaded(key, key));
    let outcomes = tokio::join!(
        world.api.invoke(a),
        world.api.invoke(b),
        world.api.invoke(c),
        world.api.invoke(d)
    );
    let outcomes: [Outcome; 4] = outcomes.into();
    outcomes.iter().for_each(assert_delivered);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(world.file(key), key.as_bytes());
        assert!(!world.has_source(key));
    }
}

#[tokio::test]
async fn invocations_at_once_share_one_connection() {
    let world = World::new().await;
    let _bootstrap = world.start(&[CONCURRENCY]);
    four_at_once(&world).await;
    assert_eq!(world.sftp.connections(), 1);
    assert_eq!(world.sftp.open_connections(), 1, "it is kept");
    assert_eq!(world.sftp.open_handles(), [""; 0]);
    // By the next invocation, too.
    world.s3.clear_hooks();
    assert_delivered(&world.api.invoke(world.uploaded("e", "e")).await);
    assert_eq!(world.sftp.connections(), 1);
}

#[tokio::test]
async fn the_last_one_closes_what_is_not_kept() {
    let world = World::new().await;
    let _bootstrap = world.start(&[CONCURRENCY, ("SSH_KEEP_CONNECTION", "no")]);
    four_at_once(&world).await;
    assert_eq!(world.sftp.connections(), 1);
    eventually("no connection is open", || {
        world.sftp.open_connections() == 0
    })
    .await;
}

/// The server never writes one file; the other one, begun before and ended after the first one's time, is not the worse
/// for it.
#[tokio::test]
async fn a_stalled_file_does_not_cut_the_others() {
    let world = World::new().await;
    let bootstrap = world.start(&[CONCURRENCY]);
    let stalled = world.uploaded("stalled", payload::ramp(100_000));
    let other = world.uploaded("other", payload::ramp(100_000));
    world.sftp.hook(|request| {
        if request.operation == Operation::Write && is_of_stalled(request) {
            sftp::Action::Drop
        } else {
            sftp::Action::Pass
        }
    });
    let (_, gate) = hold_before_rename(&world, "other");
    let short = Invocation::new(stalled).time(SHORT);
    let (_, ()) = tokio::join!(
        async {
            let outcome = world.api.invoke(other).await;
            assert_delivered(&outcome);
        },
        async {
            let outcome = world.api.run(&short).await;
            assert_eq!(outcome.error().0, "DeadlineReached");
            gate.add_permits(1);
        }
    );
    assert!(world.file("other") == payload::ramp(100_000));
    assert_eq!(world.sftp.connections(), 1, "{}", bootstrap.logs());
    // Writes of the stalled one are unanswered on it.
    eventually("the connection is not kept", || {
        world.sftp.open_connections() == 0
    })
    .await;
    world.sftp.clear_hooks();
    let outcome = world.api.run(&short.time(Duration::from_secs(20))).await;
    assert_delivered(&outcome);
    assert!(world.file("stalled") == payload::ramp(100_000));
    world.assert_tree(&["other", "stalled"]);
}

/// A rename that nobody waits for any more may be carried out when the next attempt has begun to write to the same
/// temporary: it must not outlive its invocation, whatever that costs the others.
#[tokio::test]
async fn a_rename_that_is_given_up_does_not_outlive_its_invocation() {
    let world = World::new().await;
    let bootstrap = world.start(&[CONCURRENCY]);
    let stalled = world.uploaded("stalled", "1");
    let other = world.uploaded("other", payload::ramp(100_000));
    world.sftp.hook(|request| {
        let is_rename = matches!(
            request.operation,
            Operation::Rename | Operation::PosixRename
        );
        if is_rename && is_of_stalled(request) {
            sftp::Action::Drop
        } else {
            sftp::Action::Pass
        }
    });
    let (_, gate) = hold_before_rename(&world, "other");
    let short = Invocation::new(stalled).time(SHORT);
    let (_, ()) = tokio::join!(
        async { assert_delivered(&world.api.invoke(other).await) },
        async {
            world.api.run(&short).await.error();
            eventually("the first connection is cut", || {
                world.sftp.open_connections() == 0
            })
            .await;
            gate.add_permits(1);
        }
    );
    assert!(world.file("other") == payload::ramp(100_000));
    assert_eq!(world.sftp.connections(), 2, "{}", bootstrap.logs());
}

/// Two invocations lose their connection, and the server takes none any more: what the first one has found out by three
/// attempts, the second one does not try to find out again.
#[tokio::test]
async fn a_server_that_is_gone_is_looked_for_once() {
    let world = World::new().await;
    let line = Proxy::start(world.sftp.port()).await;
    line.end_at_once(2..=u64::MAX);
    let port = line.port().to_string();
    let bootstrap = world.start(&[CONCURRENCY, ("SSH_PORT", &port)]);
    let written = Arc::new(Barrier::new(3));
    let (reached, released) = (Arc::clone(&written), Arc::new(Semaphore::new(0)));
    let gate = Arc::clone(&released);
    world.s3.hook(move |request| {
        // Before the rename.
        if request.operation != "HeadObject" {
            return s3::Action::Pass;
        }
        let (reached, gate) = (Arc::clone(&reached), Arc::clone(&gate));
        s3::Action::hold(async move {
            reached.wait().await;
            _ = gate.acquire().await;
        })
    });
    let [a, b] = ["a", "b"].map(|key| world.uploaded(key, payload::ramp(100_000)));
    let (a, b, ()) = tokio::join!(world.api.invoke(a), world.api.invoke(b), async {
        written.wait().await;
        line.cut();
        released.add_permits(2);
    });
    a.error();
    b.error();
    assert_eq!(line.connections(), 1 + 3, "{}", bootstrap.logs());
    assert!(world.has_source("a") && world.has_source("b"));
}

/// An invocation loses its connection, and another one makes one and leaves it to be kept: that is the one to go on with.
#[tokio::test]
async fn a_connection_that_another_invocation_has_left_is_gone_on_with() {
    let world = World::new().await;
    let line = Proxy::start(world.sftp.port()).await;
    let port = line.port().to_string();
    let bootstrap = world.start(&[CONCURRENCY, ("SSH_PORT", &port)]);
    let (reached, gate) = hold_before_rename(&world, "first");
    let first = world.uploaded("first", payload::ramp(100_000));
    let (first, ()) = tokio::join!(world.api.invoke(first), async {
        _ = reached.acquire().await;
        line.cut();
        assert_delivered(&world.api.invoke(world.uploaded("other", "1")).await);
        gate.add_permits(1);
    });
    assert_delivered(&first);
    assert_eq!(line.connections(), 2, "{}", bootstrap.logs());
    assert_eq!(world.sftp.open_connections(), 1);
}
