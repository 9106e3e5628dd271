//! Several attempts at one object, and attempts that end early.

use std::sync::Arc;

use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::source::Disposal;
use testkit::payload;
use testkit::s3::Action;
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::world::{World, job};

/// The same event at the same moment, in two environments.
pub(crate) async fn twins_do_not_hurt_each_other(world: World) {
    const SIZE: usize = 3 * 1024 * 1024;
    for round in 0..5 {
        let key = format!("twin-{round}");
        world.put(&key, payload::ramp(SIZE));
        let together = Arc::new(Barrier::new(2));
        let one = world.deliver_at(&together, &key, "one");
        let other = world.deliver_at(&together, &key, "other");
        for outcome in <[Outcome; 2]>::from(tokio::join!(one, other)) {
            assert!(
                matches!(outcome, Outcome::Delivered(..) | Outcome::Gone(_)),
                "round {round}: {outcome:?}"
            );
        }
        assert_eq!(world.file(&key), payload::ramp(SIZE), "round {round}");
        assert!(!world.has_source(&key));
    }
    world.assert_no_temporary();
}

/// An attempt that died left its temporary; the retry has the same owner and so the same name.
pub(crate) async fn a_retry_writes_over_what_its_first_attempt_left(world: World) {
    const SIZE: usize = 2 * 1024 * 1024;
    world.put("f", payload::ramp(SIZE));
    let deliverer = world.deliverer(&[]);
    let invocation = deliverer.invocation(world.soon());
    let (reached_sender, reached) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let mut hold = Some((reached_sender, released));
    world.s3.hook(move |request| {
        // Not the private key's, which is read at the same time.
        let is_it = request.operation == "GetObject" && request.key == "f";
        match hold.take_if(|_| is_it) {
            Some((reached, released)) => Action::hold_at(SIZE as u64 / 2, async {
                _ = reached.send(());
                // Nothing more of the body comes until the attempt is dead.
                released.await
            }),
            None => Action::Pass,
        }
    });
    tokio::select! {
        outcome = invocation.deliver(job(World::BUCKET, "f"), "owner") => panic!("{outcome:?}"),
        _ = reached => {}
    }
    drop(invocation);
    drop(release);

    let invocation = deliverer.invocation(world.soon());
    let outcome = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    invocation.finish().await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("f"), payload::ramp(SIZE));
    world.assert_only(&["f"]);
}

pub(crate) async fn a_deadline_leaves_the_source_and_no_temporary(world: World) {
    world.put("slow.bin", payload::ramp(4 * 1024 * 1024));
    world.s3.hook(|request| match request.operation.as_str() {
        "GetObject" => Action::Slow {
            bytes_per_second: 200_000,
        },
        _ => Action::Pass,
    });
    let deliverer = world.deliverer(&[]);
    let deadline = Instant::now() + std::time::Duration::from_secs(2);
    let invocation = deliverer.invocation(deadline);
    let outcome = invocation
        .deliver(job(World::BUCKET, "slow.bin"), "owner")
        .await;
    invocation.finish().await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "DeadlineReached", "{}", error.report());
    assert!(
        deadline.elapsed() < std::time::Duration::from_secs(1),
        "within the margin"
    );
    assert!(world.has_source("slow.bin"));
    world.assert_only(&[]);
}
