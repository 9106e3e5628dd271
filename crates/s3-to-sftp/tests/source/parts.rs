//! Objects that were uploaded in parts, with a checksum of each.

use testkit::payload::{ramp, seeded};

use super::*;

const SHA256: Kind = KINDS[11];

async fn world() -> (World, Bytes) {
    let world = World::new().await;
    let bytes = seeded(9, 500_000);
    world.put("k", SHA256, &bytes, &[100_000, 400_000]).await;
    (world, bytes)
}

#[tokio::test]
async fn an_object_of_one_part_is_compared_without_a_question() {
    for kind in KINDS {
        let world = World::new().await;
        world.put("k", kind, &ramp(1000), &[]).await;
        let (_, mut body) = world.open("k").await;
        assert_eq!(drain(&mut body).await.1.unwrap(), kind.equal(1));
        assert_eq!(world.s3.count("HeadObject"), 0);
        world.at_get(2, || Action::Corrupt { offset: 999 });
        let (_, mut body) = world.open("k").await;
        assert_mismatch(&drain(&mut body).await.1, kind);
    }
}

#[tokio::test]
async fn a_store_that_does_not_know_parts_is_not_compared() {
    let (world, bytes) = world().await;
    world.s3.ignore_part_numbers();
    let (_, mut body) = world.open("k").await;
    let (got, check) = drain(&mut body).await;
    assert_eq!(check.unwrap(), ChecksumCheck::NotTold);
    assert!(got == bytes);
}

#[tokio::test]
async fn a_store_that_refuses_parts_is_not_compared() {
    for status in [400, 405, 416, 501] {
        for number in [1, 2, 3] {
            let (world, bytes) = world().await;
            world.s3.hook(move |request| {
                if request.part_number == Some(number) {
                    return Action::Fail {
                        status,
                        code: "NotImplemented",
                        message: "no parts here",
                    };
                }
                Action::Pass
            });
            let (version, mut body) = world.open("k").await;
            let mut file = read_to(&mut body, 400_001).await;
            // It is given up for good: a checkpoint and a rewind do not bring it back half.
            file.truncate(body.rewind(300_000) as usize);
            file.extend(read_to(&mut body, 300_001).await);
            let from = body.checkpoint();
            let (_, mut body) = found(world.source.reopen(&version, &from).await.unwrap());
            let (rest, check) = drain(&mut body).await;
            file.extend_from_slice(&rest);
            assert_eq!(check.unwrap(), ChecksumCheck::NotTold, "{status} {number}");
            assert!(file == bytes);
        }
    }
}

#[tokio::test]
async fn an_outage_is_no_store_without_parts() {
    let (world, _) = world().await;
    let config = world.s3.config();
    let config = config.retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled());
    let source = S3::with_client(aws_sdk_s3::Client::from_conf(config.build()));
    world.s3.hook(|request| match request.part_number {
        Some(2) => Action::slow_down(),
        _ => Action::Pass,
    });
    let (_, mut body) = found(source.open(&name("k")).await.unwrap());
    let (got, result) = drain(&mut body).await;
    assert!(matches!(result, Err(SourceError::Other(_))), "{result:?}");
    assert_eq!(got.len(), 100_000);
    // When it is over, the body goes on.
    world.s3.clear_hooks();
    assert_eq!(drain(&mut body).await.1.unwrap(), SHA256.equal(3));
}

#[tokio::test]
async fn an_object_replaced_or_deleted_before_its_parts_are_told() {
    for delete in [false, true] {
        let (world, _) = world().await;
        let store = world.s3.store();
        world.s3.hook(move |request| {
            if request.part_number != Some(2) {
                return Action::Pass;
            }
            let store = store.clone();
            Action::run(move || {
                if delete {
                    store.delete(BUCKET, "k");
                } else {
                    store.put(BUCKET, "k", "new");
                }
            })
        });
        let (_, mut body) = world.open("k").await;
        let error = drain(&mut body).await.1.unwrap_err();
        let expected = if delete {
            matches!(error, SourceError::Vanished)
        } else {
            matches!(error, SourceError::Replaced)
        };
        assert!(expected, "{error:?}");
    }
}

/// In a versioned bucket, the version is asked after and not what is current.
#[tokio::test]
async fn the_parts_are_those_of_the_version() {
    let world = World::new().await;
    world.s3.create_versioned_bucket(BUCKET);
    let bytes = seeded(10, 1000);
    world.put("k", SHA256, &bytes, &[300]).await;
    let (version, mut body) = world.open("k").await;
    drain(&mut body).await.1.unwrap();
    assert!(version.version_id.is_some());
    for request in world.s3.requests() {
        if request.operation == "HeadObject" {
            assert_eq!(request.version_id, version.version_id);
        }
    }
}

/// One ahead, and not all at once.
#[tokio::test]
async fn the_next_part_is_asked_after_while_this_one_is_read() {
    let (world, _) = world().await;
    let (_, mut body) = world.open("k").await;
    read_to(&mut body, 1).await;
    let asked = |world: &World| -> Vec<_> {
        let requests = world.s3.requests();
        requests.iter().filter_map(|it| it.part_number).collect()
    };
    assert!(asked(&world).len() <= 2, "{:?}", asked(&world));
    drain(&mut body).await.1.unwrap();
    assert_eq!(asked(&world), [1, 2, 3]);
}
