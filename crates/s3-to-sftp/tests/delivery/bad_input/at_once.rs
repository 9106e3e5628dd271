//! Several records of one event on their way at once, over one connection.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::side_by_side::side_by_side;
use testkit::payload;
use testkit::s3;
use testkit::secrets::WRONG;
use testkit::sftp::{Action, Operation, Request, nth, status};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{with, world};
use crate::promises::links::Mailbox;
use crate::world::{World, job};

/// One invocation for all of them, as the function does it.
async fn deliver_all(world: &World, deliverer: &Deliverer, keys: &[&str]) -> Vec<Outcome> {
    let invocation = deliverer.invocation(world.soon());
    let deliveries = keys
        .iter()
        .map(|key| invocation.deliver(job(World::BUCKET, key), "owner"));
    let mut outcomes = Vec::new();
    side_by_side(deliverer.width(), deliveries, |outcome| {
        outcomes.push(outcome);
    })
    .await;
    invocation.finish().await;
    outcomes
}

/// Whether a request's path has this in it.
fn is_of(request: &Request, part: &str) -> bool {
    let path = request.path.as_deref();
    path.is_some_and(|path| path.contains(part))
}

fn assert_all_delivered(outcomes: &[Outcome]) {
    for outcome in outcomes {
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    }
}

/// The next `operation` on `key` waits until the sender is used or dropped.
fn hold(world: &World, operation: &'static str, key: &'static str) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel();
    let mut released = Some(released);
    world.s3.hook(move |request| {
        let is_it = request.operation == operation && request.key == key;
        match released.take_if(|_| is_it) {
            Some(released) => s3::Action::hold(released),
            None => s3::Action::Pass,
        }
    });
    release
}

/// `then` runs at the next `operation` on `key`.
fn at(
    world: &World,
    operation: &'static str,
    key: &'static str,
    then: impl FnOnce() + Send + 'static,
) {
    let mut then = Some(then);
    world.s3.hook(move |request| {
        let is_it = request.operation == operation && request.key == key;
        match then.take_if(|_| is_it) {
            Some(then) => s3::Action::run(then),
            None => s3::Action::Pass,
        }
    });
}

/// So slow that it takes two seconds.
fn at_a_pace(world: &World, key: &'static str) {
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.key == key) {
            ("GetObject", true) => s3::Action::Slow {
                bytes_per_second: 1_500_000,
            },
            _ => s3::Action::Pass,
        },
    );
}

/// The first one waits for the last one to be delivered.
#[tokio::test]
async fn files_are_delivered_at_once_over_one_connection() {
    let (world, server) = world().await;
    let keys = ["0", "1", "2", "3", "4", "5", "6", "7"];
    for key in keys {
        world.put(key, payload::seeded(key.len() as u64, 100_000));
    }
    let release = hold(&world, "GetObject", "0");
    at(&world, "DeleteObject", "7", move || {
        _ = release.send(());
    });
    let outcomes = deliver_all(&world, &world.deliverer(&[]), &keys).await;
    assert_all_delivered(&outcomes);
    for (key, outcome) in keys.iter().zip(&outcomes) {
        let Outcome::Delivered(receipt, _) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(receipt.name.key, *key, "in the order of the records");
        assert!(world.file(key) == payload::seeded(key.len() as u64, 100_000));
    }
    assert_eq!(server.connections(), 1);
    assert_eq!(server.open_handles(), [""; 0]);
    world.assert_only(&keys);
}

/// They have the same temporary: the second one may only look when the first one is done.
#[tokio::test]
async fn two_records_of_one_object_go_one_after_the_other() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(500_000));
    let outcomes = deliver_all(&world, &world.deliverer(&[]), &["f", "f"]).await;
    assert!(
        matches!(outcomes[..], [Outcome::Delivered(..), Outcome::Gone(_)]),
        "{outcomes:?}"
    );
    let opened = server.requests_of(Operation::Open);
    let written = opened.iter().filter(|it| is_of(it, ".part"));
    assert_eq!(written.count(), 1, "{opened:?}");
}

/// S3 takes its time for the first one: the second one is the one that stays all the same.
#[tokio::test]
async fn two_objects_with_one_path_arrive_in_the_order_of_the_event() {
    for template in ["{name}", "{current_date}-{name}"] {
        let (world, _server) = world().await;
        world.put("a/f", "first");
        world.put("b/f", "second");
        world.s3.hook(
            |request| match (request.operation.as_str(), request.key.as_str()) {
                ("GetObject", "a/f") => s3::Action::Delay(Duration::from_millis(500)),
                _ => s3::Action::Pass,
            },
        );
        let deliverer = world.deliverer(&[("SSH_FILENAME", template)]);
        let outcomes = deliver_all(&world, &deliverer, &["a/f", "b/f"]).await;
        assert_all_delivered(&outcomes);
        let files = world.files.names();
        assert_eq!(files.len(), 1, "{files:?}");
        for file in files {
            assert_eq!(world.file(&file), b"second", "{template}");
        }
    }
}

#[tokio::test]
async fn directories_are_made_once_for_all_files() {
    let (world, server) = world().await;
    let keys: Vec<String> = (0..12).map(|number| format!("a/b/{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for key in &keys {
        world.put(key, "content");
    }
    assert_all_delivered(&deliver_all(&world, &world.deliverer(&[]), &keys).await);
    let made = server.requests_of(Operation::Mkdir);
    assert_eq!(made.len(), 2, "{made:?}");
    world.assert_only(&keys);
}

#[tokio::test]
async fn directories_that_were_removed_meanwhile_are_made_again() {
    let (world, server) = world().await;
    let deliverer = world.deliverer(&[]);
    let invocation = deliverer.invocation(world.soon());
    for key in ["a/b/1", "a/b/2"] {
        world.put(key, "content");
        let outcome = invocation.deliver(job(World::BUCKET, key), "owner").await;
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
        fs::remove_dir_all(world.home().join("a")).expect("it is there");
    }
    invocation.finish().await;
    assert_eq!(server.requests_of(Operation::Mkdir).len(), 4);
}

#[tokio::test]
async fn a_refused_file_costs_no_other() {
    let (world, server) = world().await;
    server.hook(|request| {
        if request.operation == Operation::Open && is_of(request, "bad") {
            Action::refuse(status::PERMISSION_DENIED)
        } else {
            Action::Pass
        }
    });
    for key in ["one", "bad", "two"] {
        world.put(key, payload::ramp(300_000));
    }
    let outcomes = deliver_all(&world, &world.deliverer(&[]), &["one", "bad", "two"]).await;
    assert!(
        matches!(
            outcomes[..],
            [
                Outcome::Delivered(..),
                Outcome::Failed(_),
                Outcome::Delivered(..)
            ]
        ),
        "{outcomes:?}"
    );
    world.assert_only(&["one", "two"]);
    assert_eq!(server.connections(), 1);
    assert_eq!(server.open_handles(), [""; 0]);
}

/// All wait for the one connection, and for its failure.
#[tokio::test]
async fn a_refused_login_is_offered_once_for_all_records_at_once() {
    let (world, server) = world().await;
    let keys = ["one", "two", "three", "four"];
    for key in keys {
        world.put(key, "content");
    }
    let deliverer = world.deliverer(&[("SSH_PASSWORD", WRONG)]);
    for outcome in deliver_all(&world, &deliverer, &keys).await {
        let Outcome::Failed(error) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.name(), "LoginRefused");
    }
    assert_eq!(server.credentials_sent(), 1);
    assert_eq!(server.connections(), 1);
}

/// The link breaks while one file is renamed and another is in its middle: one further connection serves both.
#[tokio::test]
async fn a_connection_that_breaks_is_made_again_once_for_all() {
    const SIZE: usize = 3 * 1024 * 1024;
    let (world, server) = world().await;
    world.put("big", payload::ramp(SIZE));
    world.put("small", "small");
    // The small one begins when two writes of the big one are acknowledged, of which the rest takes its time.
    at_a_pace(&world, "big");
    let release = Mutex::new(Some(hold(&world, "GetObject", "small")));
    server.hook(move |request| {
        let is_third = request.operation == Operation::Write && request.number == 3;
        if let Some(release) = release.lock().expect("nobody panics").take_if(|_| is_third) {
            _ = release.send(());
        }
        if request.operation == Operation::PosixRename && request.number == 1 {
            Action::Disconnect
        } else {
            Action::Pass
        }
    });
    let outcomes = deliver_all(&world, &world.deliverer(&[]), &["big", "small"]).await;
    assert_all_delivered(&outcomes);
    assert_eq!(server.connections(), 2);
    assert!(world.file("big") == payload::ramp(SIZE), "byte by byte");
    world.assert_only(&["big", "small"]);
}

/// One file at a time: a direct upload that fails cuts the connection.
#[tokio::test]
async fn direct_uploads_go_one_after_the_other() {
    let (world, server) = with(testkit::sftp::SftpServer::builder()).await;
    let is_open = AtomicBool::new(false);
    let twice = std::sync::Arc::new(AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&twice);
    server.hook(move |request| {
        match request.operation {
            Operation::Open if is_open.swap(true, Ordering::SeqCst) => {
                seen.store(true, Ordering::SeqCst);
            }
            Operation::Close => is_open.store(false, Ordering::SeqCst),
            _ => {}
        }
        Action::Pass
    });
    let keys = ["one", "two", "three"];
    for key in keys {
        world.put(key, payload::ramp(300_000));
    }
    let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
    let invocation = deliverer.invocation(world.soon());
    let deliveries = keys.map(|key| invocation.deliver(job(World::BUCKET, key), "owner"));
    side_by_side(3, deliveries, |outcome| {
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    })
    .await;
    invocation.finish().await;
    assert!(!twice.load(Ordering::SeqCst));
}

/// The others have waited meanwhile, and get a connection of their own.
#[tokio::test]
async fn a_direct_upload_that_fails_costs_no_other() {
    let (world, server) = world().await;
    server.hook(nth(Operation::Write, 1, Action::no_space));
    for key in ["one", "two"] {
        world.put(key, payload::ramp(100_000));
    }
    let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
    let invocation = deliverer.invocation(world.soon());
    let deliveries = ["one", "two"].map(|key| invocation.deliver(job(World::BUCKET, key), "owner"));
    let mut outcomes = Vec::new();
    side_by_side(2, deliveries, |outcome| outcomes.push(outcome)).await;
    invocation.finish().await;
    assert!(
        matches!(outcomes[..], [Outcome::Failed(_), Outcome::Delivered(..)]),
        "{outcomes:?}"
    );
    assert_eq!(server.connections(), 2);
}

/// It waits for the path of one that is handed over itself.
#[tokio::test]
async fn a_record_that_waits_for_another_is_handed_on_as_it_came() {
    let (world, _server) = world().await;
    world.put("a/f", payload::ramp(3 * 1024 * 1024));
    world.put("b/f", "second");
    at_a_pace(&world, "a/f");
    let deliverer = world.deliverer(&[("SSH_FILENAME", "{name}")]);
    let mailbox = Mailbox::default();
    let time = Duration::from_millis(1500);
    let invocation = deliverer
        .invocation(Instant::now() + time)
        .handing_over_to(&mailbox);
    let deliveries = ["a/f", "b/f"].map(|key| invocation.deliver(job(World::BUCKET, key), "owner"));
    let mut outcomes = Vec::new();
    side_by_side(2, deliveries, |outcome| outcomes.push(outcome)).await;
    invocation.finish().await;
    assert!(
        matches!(
            outcomes[..],
            [Outcome::Continued(_, Some(_)), Outcome::Continued(_, None)]
        ),
        "{outcomes:?}"
    );
}
