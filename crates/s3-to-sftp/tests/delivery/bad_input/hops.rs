//! Hops of a relay that go wrong, and what is left to the next one.

use std::sync::Mutex;
use std::time::Duration;

use s3_to_sftp::error::VerdictKind;
use s3_to_sftp::event::{Item, Skip};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::owner::Owner;
use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::s3::Action as S3Action;
use testkit::sftp::{Action, Extensions, Operation, SftpServer, status};
use tokio::time::Instant;

use super::{with, world};
use crate::promises::links::{Mailbox, invocation};
use crate::world::{World, job};

const SIZE: usize = 3 * 1024 * 1024;
const TIME: Duration = Duration::from_millis(1500);
const PLENTY: Duration = Duration::from_secs(30);

/// The first invocation, and what it hands over.
async fn first_hop(world: &World, deliverer: &Deliverer) -> (Item, u64) {
    world.put("f", payload::ramp(SIZE));
    slow(world);
    let mailbox = Mailbox::default();
    let first = Owner::attempt("first", 1);
    let outcome = invocation(deliverer, &mailbox, TIME, job(World::BUCKET, "f"), first).await;
    world.s3.clear_hooks();
    match outcome {
        Outcome::Continued(_, Some(offset)) => (mailbox.take(), offset),
        other => panic!("{other:?}"),
    }
}

fn slow(world: &World) {
    slow_to(world, 1_500_000);
}

fn slow_to(world: &World, bytes_per_second: u64) {
    world
        .s3
        .hook(move |request| match request.operation.as_str() {
            "GetObject" => S3Action::Slow { bytes_per_second },
            _ => S3Action::Pass,
        });
}

/// The old file is moved aside, and the new one never gets the name: the attempt's file is left for the next one,
/// and the partner's has its name back.
#[tokio::test]
async fn the_old_file_has_its_name_back_when_a_continuation_fails() {
    let (world, server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
    let deliverer = world.deliverer(&[]);
    let (item, _) = first_hop(&world, &deliverer).await;
    world.write_file("f", "old");
    let refusals = Mutex::new(0);
    server.hook(move |request| {
        let to = request.to.as_deref().unwrap_or_default();
        if request.operation != Operation::Rename || to.trim_start_matches('/') != "f" {
            return Action::Pass;
        }
        // The one over the old file, and the one when that is aside; not the one that brings it back.
        let mut refusals = refusals.lock().expect("nobody panics");
        *refusals += 1;
        if *refusals <= 2 {
            Action::refuse(status::FAILURE)
        } else {
            Action::Pass
        }
    });
    let second = Owner::attempt("second", 1);
    let outcome = invocation(&deliverer, &Mailbox::default(), PLENTY, item, second).await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        error.verdict().kind,
        VerdictKind::Retry,
        "{}",
        error.report()
    );
    assert_eq!(world.file("f"), b"old");
    assert!(
        !world
            .files
            .names()
            .iter()
            .any(|name| name.ends_with(".old.part")),
        "{:?}",
        world.files.names()
    );
}

/// Its take-over fails, it begins anew, and is killed: what it has left is not what was handed over.
#[tokio::test]
async fn a_file_that_a_dead_hop_began_anew_is_not_gone_on_with() {
    let (world, server) = world().await;
    let deliverer = world.deliverer(&[]);
    let (item, offset) = first_hop(&world, &deliverer).await;
    let (sender, reached) = tokio::sync::oneshot::channel();
    let state = Mutex::new((Some(sender), false));
    server.hook(move |request| {
        if request.operation == Operation::Rename {
            return Action::refuse(status::FAILURE);
        }
        if request.operation != Operation::Write {
            return Action::Pass;
        }
        // A server that carries out writes in another order: one before the offset is still missing when one
        // behind it is there.
        let mut state = state.lock().expect("nobody panics");
        let (sender, is_dropped) = &mut *state;
        if !*is_dropped && request.offset < offset && request.offset + 600_000 > offset {
            *is_dropped = true;
            return Action::Drop;
        }
        if *is_dropped
            && request.offset > offset
            && let Some(sender) = sender.take()
        {
            _ = sender.send(());
        }
        Action::Pass
    });
    {
        let mailbox = Mailbox::default();
        let dying = deliverer.invocation(world.soon()).handing_over_to(&mailbox);
        tokio::select! {
            outcome = dying.deliver(item.clone(), Owner::attempt("second", 1)) => panic!("{outcome:?}"),
            _ = reached => {}
        }
    }
    server.clear_hooks();
    let again = Owner::attempt("second", 2);
    let outcome = invocation(&deliverer, &Mailbox::default(), PLENTY, item, again).await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    world.assert_only(&["f"]);
}

/// A server that stores 32 KiB of each write: each hop is begun anew, and gets no further than the one before.
#[tokio::test]
async fn a_relay_that_begins_anew_in_every_hop_ends() {
    let (world, server) = world().await;
    server.hook(|request| {
        if request.operation == Operation::Write && request.len > 32 * 1024 {
            Action::Keep(32 * 1024)
        } else {
            Action::Pass
        }
    });
    world.put("f", payload::ramp(SIZE));
    slow(&world);
    let (hops, outcome) = crate::promises::links::relay(&world.deliverer(&[]), "f", TIME).await;
    // With small writes it may get through; what it may not is go on for ever.
    assert!(hops < 12, "{hops} hops: {outcome:?}");
}

/// What is there now is another object: how far the one before had come says nothing about it.
#[tokio::test]
async fn an_object_that_is_replaced_between_two_hops_may_take_as_many() {
    let (world, _server) = world().await;
    world.put("f", payload::ramp(2 * SIZE));
    let deliverer = world.deliverer(&[]);
    let mailbox = Mailbox::default();
    slow_to(&world, 4_000_000);
    let first = Owner::attempt("first", 1);
    let outcome = invocation(&deliverer, &mailbox, TIME, job(World::BUCKET, "f"), first).await;
    assert!(matches!(outcome, Outcome::Continued(..)), "{outcome:?}");
    world.s3.clear_hooks();
    world.put("f", payload::seeded(2, SIZE));
    slow(&world);
    for hop in 2..10 {
        let owner = Owner::attempt(format!("message-{hop}"), 1);
        let outcome = invocation(&deliverer, &mailbox, TIME, mailbox.take(), owner).await;
        if matches!(outcome, Outcome::Delivered(..)) {
            assert!(world.file("f") == payload::seeded(2, SIZE), "the newer one");
            world.assert_only(&["f"]);
            return;
        }
        assert!(matches!(outcome, Outcome::Continued(..)), "{outcome:?}");
    }
    panic!("a relay without an end");
}

/// A function whose time is over before it begins must not hand its event on for ever.
#[tokio::test]
async fn invocations_without_any_time_end() {
    let (world, _server) = world().await;
    world.put("f", "content");
    let deliverer = world.deliverer(&[]);
    let mailbox = Mailbox::default();
    let now = Instant::now();
    let invocation = deliverer
        .invocation(now)
        .ending_by(now + Duration::from_millis(500))
        .handing_over_to(&mailbox);
    let outcome = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    invocation.finish().await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!(mailbox.is_empty());
    assert!(world.has_source("f"));
}

/// The name was taken between two hops: what was handed over is of no use any more.
#[tokio::test]
async fn a_conflict_of_a_continuation_leaves_nothing() {
    let (world, _server) = world().await;
    let deliverer = world.deliverer(&[("SSH_ON_CONFLICT", "skip")]);
    let (item, _) = first_hop(&world, &deliverer).await;
    world.write_file("f", "theirs");
    let second = Owner::attempt("second", 1);
    let outcome = invocation(&deliverer, &Mailbox::default(), PLENTY, item, second).await;
    assert!(
        matches!(outcome, Outcome::Skipped(_, Skip::Exists(_))),
        "{outcome:?}"
    );
    assert_eq!(world.file("f"), b"theirs");
    world.assert_only(&["f"]);
    assert!(world.has_source("f"));
}

/// Every handle that was opened is closed, those of directories too: a server has few for each connection.
#[tokio::test]
async fn every_handle_is_closed_while_the_connection_goes_on() {
    let (world, server) = world().await;
    let deliverer = world.deliverer(&[]);
    let invocation = deliverer.invocation(world.soon());
    for key in ["a", "b", "c"] {
        world.put(key, "x");
        let outcome = invocation.deliver(job(World::BUCKET, key), "owner").await;
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    }
    assert_eq!(server.open_handles(), Vec::<String>::new());
    invocation.finish().await;
}
