//! The object changes while it is delivered.

use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::source::Disposal;
use testkit::payload;
use testkit::s3::Action;

use crate::world::World;

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
    world.at("HeadObject", 1, |store| {
        _ = store.put(World::BUCKET, "f", "two")
    });
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
    let requests = world.s3.requests();
    let gets = requests
        .iter()
        .filter(|request| request.operation == "GetObject" && request.key == "f")
        .count();
    assert_eq!(gets, 2, "the second put was read");
}

pub(crate) async fn an_object_deleted_before_the_rename_is_not_published(world: World) {
    world.put("f", "withdrawn");
    world.at("HeadObject", 1, |store| store.delete(World::BUCKET, "f"));
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
    // The first is the last look, the second the one before the delete.
    world.at("HeadObject", 2, |store| {
        _ = store.put(World::BUCKET, "f", "two")
    });
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

/// A version of its own with the same bytes, put within the same second.
pub(crate) async fn the_same_content_as_another_version_is_another_object(world: World) {
    let store = world.s3.store();
    store.create_versioned_bucket("versions");
    let at = std::time::SystemTime::now();
    store.put("versions", "f", "same");
    store.set_last_modified("versions", "f", at);
    let again = world.s3.store();
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.number) {
            ("HeadObject", 1) => {
                let store = again.clone();
                Action::run(move || {
                    store.put("versions", "f", "same");
                    store.set_last_modified("versions", "f", at);
                })
            }
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver_from("versions", "f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    let requests = world.s3.requests();
    let gets = requests
        .iter()
        .filter(|request| request.operation == "GetObject" && request.key == "f")
        .count();
    assert_eq!(gets, 2, "the second version was read");
}

/// The rest of a version is asked for by its id.
pub(crate) async fn a_version_that_breaks_off_is_gone_on_with_by_its_id(world: World) {
    let store = world.s3.store();
    store.create_versioned_bucket("versions");
    store.put("versions", "f", payload::ramp(2_000_000));
    world.s3.hook(
        |request| match (request.operation.as_str(), request.number) {
            ("GetObject", 1) => Action::CutBody { after: 1_000_000 },
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver_from("versions", "f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    let requests = world.s3.requests();
    let resumed: Vec<_> = requests.iter().filter(|it| it.range.is_some()).collect();
    assert_eq!(resumed.len(), 1);
    assert!(resumed[0].version_id.is_some(), "{resumed:?}");
}

pub(crate) async fn a_source_that_somebody_else_deletes_is_gone_already(world: World) {
    world.put("f", "content");
    let store = world.s3.store();
    world
        .s3
        .hook(move |request| match request.operation.as_str() {
            "DeleteObject" => {
                let store = store.clone();
                Action::run(move || store.delete(World::BUCKET, "f"))
            }
            _ => Action::Pass,
        });
    let outcome = world.deliver("f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::AlreadyGone)),
        "{outcome:?}"
    );
}

pub(crate) async fn a_delete_that_meets_a_concurrent_write_is_tried_again(world: World) {
    world.put("f", "content");
    world.s3.hook(
        |request| match (request.operation.as_str(), request.number) {
            ("DeleteObject", 1 | 2) => Action::Fail {
                status: 409,
                code: "ConditionalRequestConflict",
                message: "A conflicting operation occurred.",
            },
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert!(!world.has_source("f"));
}
