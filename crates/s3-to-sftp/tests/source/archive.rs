//! The move into the archive: a copy that is the object, and never over another one.

use s3_to_sftp::settings::{AfterDelivery, S3Prefix, Settings};
use s3_to_sftp::source::Disposal;
use testkit::payload::{ramp, seeded};
use time::OffsetDateTime;

use super::*;

const ARCHIVE: &str = "archive";

fn archive(target: &str) -> S3Prefix {
    let lookup = |name: &str| match name {
        "SSH_HOST" | "SSH_USERNAME" | "SSH_PASSWORD" => Some("x".to_owned()),
        "S3_AFTER_DELIVERY" => Some(format!("move:{target}")),
        _ => None,
    };
    match Settings::from_lookup(lookup)
        .unwrap()
        .settings
        .after_delivery
    {
        AfterDelivery::Move(archive) => archive,
        other => panic!("{other:?}"),
    }
}

struct Delivered {
    world: World,
    version: ObjectVersion,
    digest: Digest,
}

impl Delivered {
    /// An object that has been read to its end.
    async fn new(key: &str, kind: Kind, bytes: &Bytes) -> Self {
        let world = World::new().await;
        world.s3.create_bucket(ARCHIVE);
        let cuts = [bytes.len() / 2];
        world.put(key, kind, bytes, &cuts).await;
        Self::read(world, key).await
    }

    async fn read(world: World, key: &str) -> Self {
        let (version, mut body) = world.open(key).await;
        drain(&mut body).await.1.unwrap();
        let digest = body.own_digest().clone();
        Self {
            world,
            version,
            digest,
        }
    }

    async fn archive(&self) -> Result<Disposal, SourceError> {
        let to = archive("s3://archive/done");
        self.world
            .source
            .archive(&self.version, &self.digest, &to)
            .await
    }

    fn archived(&self, key: &str) -> Option<Bytes> {
        self.world.s3.get(ARCHIVE, key)
    }

    fn has_source(&self) -> bool {
        self.world.s3.exists(BUCKET, &self.version.name.key)
    }

    /// The second name of `key`.
    fn second(&self, key: &str) -> String {
        format!("done/{key}.{}", &self.version.etag[1..9])
    }
}

#[tokio::test]
async fn an_object_of_every_kind_is_moved() {
    for kind in KINDS {
        for key in [
            "report.csv",
            "in/ä b+c%20?&=#.csv",
            "versionId=1?versionId=2",
        ] {
            let bytes = seeded(11, 1000);
            let delivered = Delivered::new(key, kind, &bytes).await;
            assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
            assert!(!delivered.has_source(), "{kind:?} {key}");
            let place = format!("done/{key}");
            assert_eq!(delivered.world.s3.keys(ARCHIVE), [place.as_str()]);
            assert!(delivered.archived(&place).unwrap() == bytes);
            // Pinned to what was delivered, and on condition.
            let requests = delivered.world.s3.requests();
            let copy = requests
                .iter()
                .find(|it| it.operation == "CopyObject")
                .unwrap();
            assert_eq!(copy.if_none_match.as_deref(), Some("*"));
        }
    }
}

#[tokio::test]
async fn yesterdays_copy_stays() {
    for ignored in [false, true] {
        let delivered = Delivered::new("report.csv", KINDS[8], &ramp(1000)).await;
        if ignored {
            delivered.world.s3.ignore_if_none_match_on_copy();
        }
        delivered
            .world
            .s3
            .put(ARCHIVE, "done/report.csv", seeded(1, 1000));
        assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
        assert!(delivered.archived("done/report.csv").unwrap() == seeded(1, 1000));
        let second = delivered.second("report.csv");
        assert!(
            delivered.archived(&second).unwrap() == ramp(1000),
            "{second}"
        );
        assert!(!delivered.has_source());
    }
}

/// Between the look and the copy, another one appears.
#[tokio::test]
async fn a_copy_that_appears_at_that_moment_stays() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    let store = delivered.world.s3.store();
    delivered.world.s3.hook(move |request| {
        if request.operation != "CopyObject" || request.key != "done/f" {
            return Action::Pass;
        }
        let store = store.clone();
        Action::run(move || _ = store.put(ARCHIVE, "done/f", "other"))
    });
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
    assert!(delivered.archived("done/f").unwrap() == "other");
    assert!(delivered.archived(&delivered.second("f")).unwrap() == ramp(1000));
}

#[tokio::test]
async fn with_both_names_taken_the_source_stays() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    for key in ["done/f".to_owned(), delivered.second("f")] {
        delivered.world.s3.put(ARCHIVE, &key, "other");
    }
    let error = delivered.archive().await.unwrap_err();
    assert!(matches!(error, SourceError::ArchiveTaken(_)), "{error:?}");
    assert!(delivered.has_source());
    assert_eq!(delivered.world.s3.keys(ARCHIVE).len(), 2);
    assert!(delivered.archived("done/f").unwrap() == "other");
}

/// The copy was made, and the delete was denied: the next attempt finds its own copy, whatever ETag it got.
#[tokio::test]
async fn a_move_that_ended_half_way_ends_well_the_next_time() {
    for kind in KINDS {
        let delivered = Delivered::new("f", kind, &ramp(1000)).await;
        delivered
            .world
            .s3
            .hook(|request| match request.operation.as_str() {
                "DeleteObject" => Action::access_denied(),
                _ => Action::Pass,
            });
        let error = delivered.archive().await.unwrap_err();
        assert!(matches!(error, SourceError::DeleteDenied(_)), "{error:?}");
        assert!(delivered.has_source());
        delivered.world.s3.clear_hooks();
        assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
        assert_eq!(delivered.world.s3.keys(ARCHIVE), ["done/f"], "{kind:?}");
        assert!(!delivered.has_source());
    }
}

/// The SDK asks again, and meets its own copy.
#[tokio::test]
async fn a_lost_answer_to_the_copy() {
    let delivered = Delivered::new("f", KINDS[11], &ramp(1000)).await;
    delivered.world.s3.hook(|request| {
        if request.operation == "CopyObject" && request.number == 1 {
            return Action::LoseAnswer;
        }
        Action::Pass
    });
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
    assert_eq!(delivered.world.s3.count("CopyObject"), 2);
    assert_eq!(delivered.world.s3.keys(ARCHIVE), ["done/f"]);
}

#[tokio::test]
async fn a_newer_object_is_neither_moved_nor_deleted() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    delivered.world.s3.put(BUCKET, "f", "newer");
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Replaced);
    assert!(delivered.world.s3.keys(ARCHIVE).is_empty());
    assert!(delivered.has_source());
}

#[tokio::test]
async fn a_newer_object_behind_the_copy_is_not_deleted() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    let store = delivered.world.s3.store();
    delivered.world.s3.hook(move |request| {
        if request.operation != "HeadObject" || request.key != "f" {
            return Action::Pass;
        }
        let store = store.clone();
        Action::run(move || _ = store.put(BUCKET, "f", "newer"))
    });
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Replaced);
    assert!(delivered.archived("done/f").unwrap() == ramp(1000));
    assert!(delivered.has_source());
}

#[tokio::test]
async fn a_source_that_is_gone() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    delivered.world.s3.delete(BUCKET, "f");
    assert_eq!(delivered.archive().await.unwrap(), Disposal::AlreadyGone);
    assert!(delivered.world.s3.keys(ARCHIVE).is_empty());
}

#[tokio::test]
async fn the_version_that_was_delivered_is_moved() {
    let world = World::new().await;
    world.s3.create_versioned_bucket(BUCKET);
    world.s3.create_bucket(ARCHIVE);
    world.s3.put(BUCKET, "f", ramp(1000));
    let delivered = Delivered::read(world, "f").await;
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
    assert!(delivered.archived("done/f").unwrap() == ramp(1000));
    assert!(!delivered.has_source());
    // A version that is no longer current is still copied, and not deleted.
    delivered.world.s3.delete(ARCHIVE, "done/f");
    delivered.world.s3.put(BUCKET, "f", ramp(1000));
    let Delivered { world, .. } = delivered;
    let delivered = Delivered::read(world, "f").await;
    delivered.world.s3.put(BUCKET, "f", "newer");
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Replaced);
    assert!(delivered.archived("done/f").unwrap() == ramp(1000));
    assert!(delivered.has_source());
}

/// What is in the archive is compared with what was sent, before the source goes.
#[tokio::test]
async fn a_copy_of_other_bytes_does_not_cost_the_source() {
    let mut delivered = Delivered::new("f", KINDS[8], &ramp(1000)).await;
    delivered.digest.update(b"!");
    assert_mismatch(
        &delivered.archive().await.map(|_| ChecksumCheck::NotTold),
        "the copy",
    );
    assert!(delivered.has_source());
}

#[tokio::test]
async fn an_archive_that_may_not_be_written_to() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    delivered
        .world
        .s3
        .hook(|request| match request.operation.as_str() {
            "CopyObject" => Action::access_denied(),
            _ => Action::Pass,
        });
    let error = delivered.archive().await.unwrap_err();
    assert!(matches!(error, SourceError::ArchiveDenied(_)), "{error:?}");
    assert!(delivered.has_source());
}

/// Somebody writes to the same name at that moment, and takes it back.
#[tokio::test]
async fn a_copy_that_meets_another_write_is_tried_again() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    delivered.world.s3.hook(|request| {
        if request.operation == "CopyObject" && request.number < 3 {
            return Action::Fail {
                status: 409,
                code: "ConditionalRequestConflict",
                message: "The conditional request cannot succeed due to a conflicting operation",
            };
        }
        Action::Pass
    });
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
    assert!(delivered.archived("done/f").unwrap() == ramp(1000));
}

/// Such a store takes a copy without conditions; what is there was looked at before.
#[tokio::test]
async fn a_store_that_refuses_conditions_on_a_copy() {
    let delivered = Delivered::new("f", KINDS[0], &ramp(1000)).await;
    delivered.world.s3.put(ARCHIVE, "done/f", "other");
    delivered.world.s3.hook(|request| {
        if request.operation == "CopyObject" && request.if_none_match.is_some() {
            return Action::Fail {
                status: 501,
                code: "NotImplemented",
                message: "A header you provided implies functionality that is not implemented",
            };
        }
        Action::Pass
    });
    assert_eq!(delivered.archive().await.unwrap(), Disposal::Archived);
    assert!(delivered.archived("done/f").unwrap() == "other");
    assert!(delivered.archived(&delivered.second("f")).unwrap() == ramp(1000));
}

#[tokio::test]
async fn what_cannot_be_copied_is_known_before_anything_is_sent() {
    let world = World::new().await;
    let to = archive("s3://archive/done");
    let version = |size: u64, key_length: usize| ObjectVersion {
        name: name(&"k".repeat(key_length)),
        etag: "\"0123456789abcdef\"".to_owned(),
        version_id: None,
        size,
        last_modified: OffsetDateTime::UNIX_EPOCH,
    };
    let largest = 5 * 1024 * 1024 * 1024;
    let longest = 1024 - "done/".len() - ".01234567".len();
    assert!(
        world
            .source
            .archivable(&version(largest, longest), &to)
            .is_ok()
    );
    for (size, key_length, hint) in [(largest + 1, 1, "5 GiB"), (1, longest + 1, "1024 bytes")] {
        let error = world
            .source
            .archivable(&version(size, key_length), &to)
            .unwrap_err();
        assert!(error.to_string().contains(hint), "{error}");
        let error = world
            .source
            .archive(&version(size, key_length), &Digest::crc64nvme(), &to)
            .await
            .unwrap_err();
        assert!(matches!(error, SourceError::NotArchivable(_)), "{error:?}");
    }
    assert!(world.s3.requests().is_empty());
}
