//! The promises, as bodies that any server runs: see `promises!` at the end.
//!
//! Each body's name is the promise. They know a server only as an account and a directory.

mod world;

use std::sync::Arc;

use s3_to_sftp::delivery::AfterDelivery;
use s3_to_sftp::receipt::{Outcome, SizeCheck};
use s3_to_sftp::source::Disposal;
use testkit::payload;
use testkit::s3::Action;
use tokio::sync::Barrier;
use tokio::time::Instant;

pub(crate) use world::{World, job};

/// The sizes around every edge: nothing, one byte, a write with and without `limits@openssh.com`,
/// the window, and many windows.
const SIZES: [usize; 12] = [
    0,
    1,
    sftp::extensions::DEFAULT_WRITE_LENGTH as usize - 1,
    sftp::extensions::DEFAULT_WRITE_LENGTH as usize,
    sftp::extensions::DEFAULT_WRITE_LENGTH as usize + 1,
    sftp::extensions::MAX_WRITE_LENGTH as usize - 1,
    sftp::extensions::MAX_WRITE_LENGTH as usize,
    sftp::extensions::MAX_WRITE_LENGTH as usize + 1,
    sftp::upload::WINDOW - 1,
    sftp::upload::WINDOW,
    sftp::upload::WINDOW + 1,
    64 * 1024 * 1024,
];

pub(crate) async fn every_size_arrives_byte_by_byte(world: World) {
    for size in SIZES {
        let key = format!("ramp-{size}");
        world.put(&key, payload::ramp(size));
        let outcome = world.deliver(&key).await;
        let Outcome::Delivered(receipt, Disposal::Deleted) = outcome else {
            panic!("{size}: {outcome:?}")
        };
        assert_eq!(receipt.bytes, size as u64);
        assert_eq!(receipt.size, SizeCheck::Equal);
        let file = world.home().join(&key);
        let difference = payload::first_difference_in_file(file, size as u64);
        assert_eq!(difference.expect("the file is there"), None, "{size}");
        assert!(!world.has_source(&key), "{size}: the source is deleted");
    }
    world.assert_no_temporary();
}

pub(crate) async fn every_name_arrives_as_it_is(world: World) {
    let keys = [
        "a b.csv",
        "a+b.csv",
        "größe/straße ü.txt",
        "100%/50%25.txt",
        "quote\"s and 'these'.txt",
        "deep/er/and/deeper/file",
        "日本語.txt",
        "-leading-dash",
        "*.glob?[x]",
        "$(touch pwned);`x`",
        "tilde~/~file",
    ];
    for key in keys {
        world.put(key, format!("content of {key}"));
        let outcome = world.deliver(key).await;
        assert!(
            matches!(outcome, Outcome::Delivered(..)),
            "{key}: {outcome:?}"
        );
        assert_eq!(world.file(key), format!("content of {key}").as_bytes());
    }
    world.assert_no_temporary();
}

pub(crate) async fn an_old_file_is_replaced(world: World) {
    world.write_file("report.csv", "yesterday's, and longer than today's");
    world.put("report.csv", "today's");
    let outcome = world.deliver("report.csv").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("report.csv"), b"today's");
    world.assert_only(&["report.csv"]);
}

/// Half way through the object, the final name still shows the old file, and nothing else but a
/// temporary is there.
pub(crate) async fn nobody_sees_half_a_file(world: World) {
    const SIZE: usize = 8 * 1024 * 1024;
    world.write_file("data.bin", "old");
    world.put("data.bin", payload::ramp(SIZE));
    let home = world.home().to_owned();
    let (seen_sender, seen) = std::sync::mpsc::channel();
    let mut hook = Some(move || {
        let seen = std::fs::read(home.join("data.bin")).expect("the old file is there");
        seen_sender.send(seen).expect("the test waits");
    });
    world.s3.hook(
        move |request| match hook.take_if(|_| request.operation == "GetObject") {
            Some(look) => Action::run_at(SIZE as u64 / 2, look),
            None => Action::Pass,
        },
    );
    let outcome = world.deliver("data.bin").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(seen.try_recv().expect("half-way was reached"), b"old");
    assert_eq!(world.file("data.bin"), payload::ramp(SIZE));
    world.assert_only(&["data.bin"]);
}

pub(crate) async fn an_object_that_is_gone_writes_nothing(world: World) {
    let outcome = world.deliver("never-there.txt").await;
    assert!(matches!(outcome, Outcome::Gone(_)), "{outcome:?}");
    world.assert_only(&[]);
}

pub(crate) async fn a_kept_source_stays(world: World) {
    world.put("kept.txt", "here");
    let deliverer = world.deliverer_that(AfterDelivery::Keep, &[]);
    let outcome = world.deliver_by(&deliverer, "kept.txt").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Kept)),
        "{outcome:?}"
    );
    assert_eq!(world.file("kept.txt"), b"here");
    assert!(world.has_source("kept.txt"));
}

/// What every multipart upload of boto3 is: S3 gives a checksum of checksums, which the SDK must
/// not compare with the bytes.
pub(crate) async fn a_multipart_object_arrives(world: World) {
    let whole = payload::ramp(12 * 1024 * 1024 + 17);
    let parts = vec![
        whole.slice(..5 * 1024 * 1024),
        whole.slice(5 * 1024 * 1024..10 * 1024 * 1024),
        whole.slice(10 * 1024 * 1024..),
    ];
    world
        .s3
        .store()
        .put_multipart(World::BUCKET, "parts.bin", parts);
    let outcome = world.deliver("parts.bin").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("parts.bin"), whole);
}

/// The delete leaves a marker, so history stays; a duplicate of the event finds the marker.
pub(crate) async fn a_version_is_delivered_once_and_stays_in_the_history(world: World) {
    let store = world.s3.store();
    store.create_versioned_bucket("versions");
    store.put("versions", "f", "first");
    store.put("versions", "f", "second");
    let outcome = world.deliver_from("versions", "f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("f"), b"second");
    assert_eq!(
        store.versions("versions", "f").len(),
        3,
        "two versions and a marker"
    );
    std::fs::remove_file(world.home().join("f")).expect("the partner takes the file");
    let again = world.deliver_from("versions", "f").await;
    assert!(matches!(again, Outcome::Gone(_)), "{again:?}");
    world.assert_only(&[]);
}

pub(crate) async fn a_body_that_breaks_off_is_gone_on_with(world: World) {
    const SIZE: usize = 6 * 1024 * 1024;
    world.put("cut.bin", payload::ramp(SIZE));
    world.s3.hook(
        |request| match (request.operation.as_str(), request.number) {
            ("GetObject", 1) => Action::CutBody { after: 1_000_000 },
            ("GetObject", 2) => Action::CutBody { after: 2_500_001 },
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("cut.bin").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("cut.bin"), payload::ramp(SIZE));
    let requests = world.s3.requests();
    let resumed: Vec<_> = requests
        .iter()
        .filter(|request| request.range.is_some())
        .collect();
    assert_eq!(resumed.len(), 2, "{resumed:?}");
    assert!(
        resumed.iter().all(|request| request.if_match.is_some()),
        "each is pinned"
    );
}

/// The object is replaced while it is read, and the connection breaks: the rest of another version
/// must not be put behind the beginning of this one.
pub(crate) async fn a_resumed_body_is_of_the_same_version(world: World) {
    const SIZE: usize = 6 * 1024 * 1024;
    let newer = payload::seeded(1, SIZE);
    world.put("mixed.bin", payload::ramp(SIZE));
    let (store, replacement) = (world.s3.store(), newer.clone());
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.number) {
            ("GetObject", 1) => Action::CutBody { after: 1_000_000 },
            ("GetObject", 2) => {
                let (store, newer) = (store.clone(), replacement.clone());
                Action::run(move || _ = store.put(World::BUCKET, "mixed.bin", newer))
            }
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("mixed.bin").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("mixed.bin"), newer);
    world.assert_only(&["mixed.bin"]);
}

/// v2 arrives when v1 has been read and verified: v1 must not be published any more.
pub(crate) async fn an_object_replaced_before_the_rename_is_begun_anew(world: World) {
    world.put("f", "one");
    let store = world.s3.store();
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.number) {
            ("HeadObject", 1) => {
                let store = store.clone();
                Action::run(move || _ = store.put(World::BUCKET, "f", "two"))
            }
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("f"), b"two");
    world.assert_only(&["f"]);
}

/// The same bytes put again are another wish to have them delivered: same ETag, another time.
pub(crate) async fn the_same_content_put_again_is_another_object(world: World) {
    world.put("f", "same");
    let store = world.s3.store();
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.number) {
            ("HeadObject", 1) => {
                let store = store.clone();
                Action::run(move || {
                    store.put(World::BUCKET, "f", "same");
                    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
                    store.set_last_modified(World::BUCKET, "f", later);
                })
            }
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    let gets = world.s3.count("GetObject");
    assert_eq!(gets, 2, "the second put was read");
}

pub(crate) async fn an_object_deleted_before_the_rename_is_not_published(world: World) {
    world.put("f", "withdrawn");
    let store = world.s3.store();
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.number) {
            ("HeadObject", 1) => {
                let store = store.clone();
                Action::run(move || store.delete(World::BUCKET, "f"))
            }
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Gone(_)), "{outcome:?}");
    world.assert_only(&[]);
}

/// v2 arrives between the rename of v1 and the delete: the delete must not take v2 along.
pub(crate) async fn a_newer_object_is_not_deleted(world: World) {
    world.put("f", "one");
    let store = world.s3.store();
    world
        .s3
        .hook(move |request| match request.operation.as_str() {
            "DeleteObject" => {
                let store = store.clone();
                Action::run(move || _ = store.put(World::BUCKET, "f", "two"))
            }
            _ => Action::Pass,
        });
    let outcome = world.deliver("f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Replaced)),
        "{outcome:?}"
    );
    assert_eq!(world.file("f"), b"one");
    assert_eq!(
        world
            .s3
            .store()
            .get(World::BUCKET, "f")
            .expect("v2 is there"),
        "two"
    );
}

/// A store that does not know `If-Match` on a DELETE just deletes.
pub(crate) async fn a_newer_object_is_not_deleted_where_conditions_are_ignored(world: World) {
    world.put("f", "one");
    world.s3.store().ignore_if_match_on_delete();
    let store = world.s3.store();
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.number) {
            // The first is the last look, the second the one before the delete.
            ("HeadObject", 2) => {
                let store = store.clone();
                Action::run(move || _ = store.put(World::BUCKET, "f", "two"))
            }
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Replaced)),
        "{outcome:?}"
    );
    assert_eq!(
        world
            .s3
            .store()
            .get(World::BUCKET, "f")
            .expect("v2 is there"),
        "two"
    );
}

pub(crate) async fn a_denied_delete_does_not_fail_the_delivery(world: World) {
    world.put("f", "content");
    world.s3.hook(|request| match request.operation.as_str() {
        "DeleteObject" => Action::access_denied(),
        _ => Action::Pass,
    });
    let outcome = world.deliver("f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::NotDeleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("f"), b"content");
    assert!(world.has_source("f"));
}

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
    let mut invocation = deliverer.invocation(world.soon());
    let (reached_sender, reached) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let mut hold = Some((reached_sender, released));
    world.s3.hook(
        move |request| match hold.take_if(|_| request.operation == "GetObject") {
            Some((reached, released)) => Action::run_at(SIZE as u64 / 2, move || {
                _ = reached.send(());
                // Nothing more of the body comes until the attempt is dead.
                _ = released.recv();
            }),
            None => Action::Pass,
        },
    );
    tokio::select! {
        outcome = invocation.deliver(job(World::BUCKET, "f"), "owner") => panic!("{outcome:?}"),
        _ = reached => {}
    }
    drop(invocation);
    drop(release);

    let mut invocation = deliverer.invocation(world.soon());
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
    let mut invocation = deliverer.invocation(deadline);
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

/// Runs every body as a test of its own in a world that `$world` makes.
macro_rules! promises {
    ($world:path) => {
        $crate::bodies::promises! { $world =>
            every_size_arrives_byte_by_byte
            every_name_arrives_as_it_is
            an_old_file_is_replaced
            nobody_sees_half_a_file
            an_object_that_is_gone_writes_nothing
            a_kept_source_stays
            a_multipart_object_arrives
            a_version_is_delivered_once_and_stays_in_the_history
            a_body_that_breaks_off_is_gone_on_with
            a_resumed_body_is_of_the_same_version
            an_object_replaced_before_the_rename_is_begun_anew
            the_same_content_put_again_is_another_object
            an_object_deleted_before_the_rename_is_not_published
            a_newer_object_is_not_deleted
            a_newer_object_is_not_deleted_where_conditions_are_ignored
            a_denied_delete_does_not_fail_the_delivery
            twins_do_not_hurt_each_other
            a_retry_writes_over_what_its_first_attempt_left
            a_deadline_leaves_the_source_and_no_temporary
        }
    };
    ($world:path => $($body:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $body() {
                $crate::bodies::$body($world().await).await;
            }
        )*
    };
}
pub(crate) use promises;
