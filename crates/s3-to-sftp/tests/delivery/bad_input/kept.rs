//! A connection that lives on between two invocations.

use std::time::Duration;

use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::secrets::WRONG;
use testkit::sftp::{Action, Method, Operation, SftpServer, disk_full_beyond, every};
use tokio::time::Instant;

use super::{with, world};
use crate::world::{World, job};

async fn all_are_closed(server: &SftpServer) {
    let gone = async {
        while server.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("the server sees the end");
}

fn assert_delivered(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
}

#[tokio::test]
async fn the_next_invocation_uses_the_same_connection() {
    let (world, server) = world().await;
    let deliverer = world.deliverer(&[]);
    for key in ["one", "two", "three"] {
        world.put(key, payload::ramp(300_000));
        assert_delivered(&world.deliver_by(&deliverer, key).await);
        assert_eq!(server.open_handles(), [""; 0]);
    }
    assert_eq!(server.connections(), 1);
    let probes = server.requests_of(Operation::Stat);
    assert_eq!(
        probes
            .iter()
            .filter(|it| it.path.as_deref() == Some("."))
            .count(),
        2
    );
    drop(deliverer);
    all_are_closed(&server).await;
}

/// Its answer is not waited for before S3 is asked: it comes beside S3's first.
#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_made_again() {
    let (world, server) = world().await;
    let deliverer = world.deliverer(&[]);
    for key in ["one", "two"] {
        world.put(key, "content");
        assert_delivered(&world.deliver_by(&deliverer, key).await);
        server.disconnect_all();
        all_are_closed(&server).await;
    }
    assert_eq!(server.connections(), 2);
}

/// A NAT has dropped the flow while the environment was frozen: writes go nowhere, and nothing says so.
#[tokio::test]
async fn a_connection_that_swallows_everything_is_replaced_without_a_failure() {
    let (world, server) = world().await;
    let proxy = Proxy::start(server.port()).await;
    let port = proxy.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", &port)]);
    world.put("one", "content");
    world.put("two", "content");
    assert_delivered(&world.deliver_by(&deliverer, "one").await);
    proxy.forget();
    let started = Instant::now();
    assert_delivered(&world.deliver_by(&deliverer, "two").await);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(proxy.connections(), 2);
}

/// A removal that the server never answers is given up, in a delivery that failed for another reason.
#[tokio::test]
async fn what_an_invocation_leaves_outstanding_is_not_kept() {
    let (world, server) = world().await;
    server.hook(disk_full_beyond(0));
    server.hook(every(Operation::Remove, || Action::Drop));
    world.put("f", "content");
    let deliverer = world.deliverer(&[]);
    let end = Instant::now() + Duration::from_secs(1);
    let invocation = deliverer.invocation(end).ending_by(end);
    let outcome = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    invocation.finish().await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        error.report().contains("No space left"),
        "{}",
        error.report()
    );
    all_are_closed(&server).await;
}

/// Nothing is outstanding in the end: S3 took too long, and its delivery stood in the middle of a file.
#[tokio::test]
async fn after_the_deadline_nothing_is_kept() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(3_000_000));
    world.s3.hook(|request| match request.operation.as_str() {
        "GetObject" => testkit::s3::Action::Slow {
            bytes_per_second: 500_000,
        },
        _ => testkit::s3::Action::Pass,
    });
    let deliverer = world.deliverer(&[]);
    let now = Instant::now();
    let invocation = deliverer.invocation(now + Duration::from_secs(1));
    let outcome = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    invocation.finish().await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    world.assert_only(&[]);
    all_are_closed(&server).await;
}

/// Another one on the same connection ends well, and nothing is outstanding: but a handle is left open.
#[tokio::test]
async fn a_delivery_that_is_dropped_keeps_nothing() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(3_000_000));
    let deliverer = world.deliverer(&[]);
    let invocation = deliverer.invocation(world.soon());
    let (reached, is_reached) = tokio::sync::oneshot::channel();
    let reached = std::sync::Mutex::new(Some(reached));
    server.hook(move |request| {
        if request.operation == Operation::Write
            && let Some(reached) = reached.lock().expect("nobody panics").take()
        {
            _ = reached.send(());
        }
        Action::Pass
    });
    tokio::select! {
        outcome = invocation.deliver(job(World::BUCKET, "f"), "owner") => panic!("{outcome:?}"),
        _ = is_reached => {}
    }
    world.put("g", "content");
    assert_delivered(&invocation.deliver(job(World::BUCKET, "g"), "owner").await);
    invocation.finish().await;
    assert_eq!(server.connections(), 1);
    all_are_closed(&server).await;
}

/// A failure that is not the connection's leaves it, and no handle on it.
#[tokio::test]
async fn a_full_disk_costs_no_connection_and_no_handle() {
    let (world, server) = world().await;
    server.hook(disk_full_beyond(100_000));
    world.put("large", payload::ramp(500_000));
    world.put("small", "content");
    let deliverer = world.deliverer(&[]);
    let outcome = world.deliver_by(&deliverer, "large").await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert_eq!(server.open_handles(), [""; 0]);
    assert_delivered(&world.deliver_by(&deliverer, "small").await);
    assert_eq!(server.connections(), 1);
    world.assert_only(&["small"]);
}

/// The key in S3 and at the server is another one since the last invocation.
#[tokio::test]
async fn a_key_that_was_changed_is_fetched_again() {
    let server = SftpServer::builder()
        .password(None)
        .host_key_seed(7)
        .start()
        .await;
    let port = server.port();
    let world = World::new(server.account(), ()).await;
    let deliverer = world.deliverer(&[]);
    world.put("one", "content");
    assert_delivered(&world.deliver_by(&deliverer, "one").await);
    drop(server);
    let server = SftpServer::builder()
        .password(None)
        .host_key_seed(7)
        .port(port)
        .start()
        .await;
    let key = server.account().private_key.expect("it takes keys");
    world.s3.store().put("secrets", "key", key);
    world.put("two", "content");
    assert_delivered(&world.deliver_by(&deliverer, "two").await);
    let accepted = |it: &testkit::sftp::LoginAttempt| it.method == Method::PublicKey && it.accepted;
    assert_eq!(server.logins().iter().filter(|it| accepted(it)).count(), 1);
}

/// It was changed at the server alone: what is in S3 is the same, and is offered once.
#[tokio::test]
async fn a_key_that_is_refused_now_is_offered_once() {
    let server = SftpServer::builder()
        .password(None)
        .host_key_seed(7)
        .start()
        .await;
    let port = server.port();
    let world = World::new(server.account(), ()).await;
    let deliverer = world.deliverer(&[]);
    world.put("one", "content");
    assert_delivered(&world.deliver_by(&deliverer, "one").await);
    drop(server);
    let server = SftpServer::builder()
        .password(None)
        .host_key_seed(7)
        .port(port)
        .start()
        .await;
    world.put("two", "content");
    let outcome = world.deliver_by(&deliverer, "two").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "LoginRefused");
    assert_eq!(server.connections(), 1, "{:?}", server.logins());
}

#[tokio::test]
async fn a_password_is_offered_once_after_an_invocation_that_it_was_good_for() {
    let (world, server) = with(SftpServer::builder().host_key_seed(7)).await;
    let port = server.port();
    let deliverer = world.deliverer(&[]);
    world.put("one", "content");
    assert_delivered(&world.deliver_by(&deliverer, "one").await);
    server.disconnect_all();
    drop(world);
    drop(server);
    let server = SftpServer::builder()
        .host_key_seed(7)
        .password(Some(WRONG))
        .port(port)
        .start()
        .await;
    let world = World::new(server.account(), ()).await;
    world.put("two", "content");
    _ = world.deliver_by(&deliverer, "two").await;
    assert_eq!(server.credentials_sent(), 1);
}
