//! What a setting changes: conflicts, reading back, permissions, direct uploads.

use std::os::unix::fs::PermissionsExt;

use s3_to_sftp::event::Skip;
use s3_to_sftp::receipt::{Outcome, Published};
use testkit::payload;

use super::links::delivered;
use crate::world::{Lack, World};

const SIZE: usize = 1024 * 1024 + 3;

/// `skip`: the partner's file and the source both stay.
pub(crate) async fn skip_replaces_nothing_and_keeps_the_source(world: World) {
    world.put("f", "content");
    world.write_file("f", "oldtent");
    let deliverer = world.deliverer(&[("SSH_ON_CONFLICT", "skip")]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    if world.lacks(Lack::Telling) {
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    } else {
        assert!(
            matches!(&outcome, Outcome::Skipped(Some(_), Skip::Exists(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(world.file("f"), b"oldtent");
    assert!(world.has_source("f"));
    world.assert_only(&["f"]);
}

/// `fail`: the same, and the delivery has failed.
pub(crate) async fn fail_replaces_nothing_and_fails(world: World) {
    world.put("f", "content");
    world.write_file("f", "oldtent");
    let deliverer = world.deliverer(&[("SSH_ON_CONFLICT", "fail")]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    if !world.lacks(Lack::Telling) {
        assert_eq!(error.name(), "FileExists", "{}", error.report());
    }
    assert_eq!(world.file("f"), b"oldtent");
    assert!(world.has_source("f"));
    world.assert_only(&["f"]);
}

/// Where nothing is there, both deliver.
pub(crate) async fn skip_and_fail_deliver_what_is_new(world: World) {
    for choice in ["skip", "fail"] {
        world.put(choice, payload::ramp(SIZE));
        let deliverer = world.deliverer(&[("SSH_ON_CONFLICT", choice)]);
        let outcome = world.deliver_by(&deliverer, choice).await;
        if world.lacks(Lack::Telling) {
            assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
            assert!(world.has_source(choice));
            world.assert_only(&[]);
            continue;
        }
        assert_eq!(delivered(outcome).published, Published::Rename);
        assert!(world.file(choice) == payload::ramp(SIZE), "{choice}");
        assert!(!world.has_source(choice));
        world.files.remove(choice);
    }
    world.assert_only(&[]);
}

/// An earlier attempt brought it there and could not say so: the file is read back, and is this object.
pub(crate) async fn a_conflict_with_oneself_is_a_delivery(world: World) {
    for choice in ["skip", "fail"] {
        world.put(choice, payload::ramp(SIZE));
        world.write_file(choice, payload::ramp(SIZE));
        let deliverer = world.deliverer(&[("SSH_ON_CONFLICT", choice)]);
        let outcome = world.deliver_by(&deliverer, choice).await;
        if world.lacks(Lack::Telling) {
            assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
            assert!(world.has_source(choice));
            continue;
        }
        assert_eq!(delivered(outcome).published, Published::Before);
        assert!(!world.has_source(choice));
    }
    world.assert_only(&["fail", "skip"]);
}

/// `readback`: the file is read once more before it has its name.
pub(crate) async fn a_file_is_read_back(world: World) {
    for size in [0, 1, 32 * 1024, 5 * 1024 * 1024 + 1] {
        world.put("f", payload::ramp(size));
        let deliverer = world.deliverer(&[("SSH_VERIFY", "readback")]);
        let receipt = delivered(world.deliver_by(&deliverer, "f").await);
        assert!(receipt.read_back);
        assert!(world.file("f") == payload::ramp(size), "{size}");
        assert!(!world.has_source("f"));
    }
    world.assert_only(&["f"]);
}

pub(crate) async fn a_file_has_the_mode_that_is_set(world: World) {
    for (mode, bits) in [("640", 0o640), ("0600", 0o600), ("666", 0o666)] {
        world.put("f", "content");
        let deliverer = world.deliverer(&[("SSH_FILE_MODE", mode)]);
        delivered(world.deliver_by(&deliverer, "f").await);
        if world.lacks(Lack::Modes) {
            assert_eq!(world.file("f"), b"content");
            continue;
        }
        let metadata = std::fs::metadata(world.home().join("f")).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o7777, bits, "{mode}");
    }
}

/// `direct`: over a shorter file, a longer one, one of the same length, and none.
pub(crate) async fn a_direct_upload_arrives_whatever_was_there(world: World) {
    for before in [None, Some(10), Some(SIZE), Some(2 * SIZE)] {
        world.put("f", payload::ramp(SIZE));
        if let Some(before) = before {
            world.write_file("f", payload::seeded(1, before));
        }
        let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
        let outcome = world.deliver_by(&deliverer, "f").await;
        if let Some(before) = before
            && world.lacks(Lack::Reopening)
        {
            assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
            assert!(world.file("f") == payload::seeded(1, before));
            assert!(world.has_source("f"));
            world.assert_only(&["f"]);
            world.files.remove("f");
            continue;
        }
        let receipt = delivered(outcome);
        let is_longer = before.is_some_and(|before| before > SIZE);
        let published = if is_longer && world.lacks(Lack::Cutting) {
            Published::DirectWithGap
        } else {
            Published::Direct
        };
        assert_eq!(receipt.published, published);
        assert!(world.file("f") == payload::ramp(SIZE), "over {before:?}");
        assert!(!world.has_source("f"));
        world.assert_only(&["f"]);
        world.files.remove("f");
    }
}

pub(crate) async fn a_direct_upload_makes_directories_and_obeys_conflicts(world: World) {
    world.put("a/b/f", payload::ramp(SIZE));
    let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct"), ("SSH_VERIFY", "readback")]);
    assert!(delivered(world.deliver_by(&deliverer, "a/b/f").await).read_back);
    assert!(world.file("a/b/f") == payload::ramp(SIZE));
    world.put("a/b/f", "other");
    let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct"), ("SSH_ON_CONFLICT", "skip")]);
    let outcome = world.deliver_by(&deliverer, "a/b/f").await;
    if world.lacks(Lack::Telling) {
        assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    } else {
        assert!(
            matches!(&outcome, Outcome::Skipped(Some(_), Skip::Exists(_))),
            "{outcome:?}"
        );
    }
    assert!(world.file("a/b/f") == payload::ramp(SIZE));
    assert!(world.has_source("a/b/f"));
}
