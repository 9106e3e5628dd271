//! Going on in another process, from a record that anybody may have changed.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use s3_to_sftp::source::Checkpoint;
use serde_json::{Value, json};
use testkit::payload::{ramp, seeded};

use super::*;

/// What another process gets to read.
fn handed_over(checkpoint: &Checkpoint) -> Checkpoint {
    let record = serde_json::to_string(checkpoint).unwrap();
    assert!(record.len() < 500, "{record}");
    serde_json::from_str(&record).unwrap()
}

/// A world with an object of 900,000 bytes of this kind, in three parts.
async fn world_of(kind: Kind) -> (World, Bytes) {
    let world = World::new().await;
    let bytes = seeded(7, 900_000);
    world.put("k", kind, &bytes, &[300_000, 600_000]).await;
    (world, bytes)
}

#[tokio::test]
async fn every_kind_goes_on_from_everywhere() {
    for kind in KINDS {
        let (world, bytes) = world_of(kind).await;
        for offset in [0, 1, 299_999, 300_001, 600_000, 899_999, 900_000] {
            let (version, mut body) = world.open("k").await;
            let mut file = read_to(&mut body, offset).await;
            let from = handed_over(&body.checkpoint());
            assert_eq!(from.offset(), body.offset());
            drop(body);
            world.s3.forget_requests();
            let (again, mut body) = found(world.source.reopen(&version, &from).await.unwrap());
            assert_eq!(again, version);
            assert_eq!(body.offset(), from.offset());
            // The first body may have asked after a further part just before it was dropped.
            let mut requests = world.s3.requests();
            requests.retain(|request| request.part_number.is_none());
            let operations: Vec<_> = requests.into_iter().map(|it| it.operation).collect();
            assert_eq!(operations, ["HeadObject"], "no byte is asked for yet");
            let (rest, check) = drain(&mut body).await;
            file.extend_from_slice(&rest);
            assert!(file == bytes, "{kind:?} {offset}");
            let parts = if kind.parts.is_some() { 3 } else { 1 };
            assert_eq!(check.unwrap(), kind.equal(parts), "{offset}");
            for request in world.s3.requests() {
                if request.operation == "GetObject" {
                    assert_eq!(request.if_match.as_deref(), Some(version.etag.as_str()));
                    assert_eq!(request.range, Some(format!("bytes={}-", from.offset())));
                }
            }
        }
    }
}

#[tokio::test]
async fn at_the_end_nothing_is_left_to_ask_for() {
    for kind in KINDS {
        for size in [0, 1000] {
            let world = World::new().await;
            let bytes = seeded(8, size);
            let parts = world.put("k", kind, &bytes, &[size / 2]).await;
            let (version, mut body) = world.open("k").await;
            read_to(&mut body, size as u64).await;
            let from = handed_over(&body.checkpoint());
            world.s3.forget_requests();
            let (_, mut body) = found(world.source.reopen(&version, &from).await.unwrap());
            assert_eq!(
                drain(&mut body).await.1.unwrap(),
                kind.equal(parts),
                "{size}"
            );
            assert_eq!(world.s3.count("GetObject"), 0, "{kind:?} {size}");
        }
    }
}

/// The bytes of the first process are covered by the second one's comparison, and its own are too.
#[tokio::test]
async fn a_wrong_byte_on_either_side_is_found() {
    for kind in KINDS {
        for corrupt in [1, 2] {
            let (world, _) = world_of(kind).await;
            // Within the first part, which the comparison of the first process does not reach.
            world.at_get(corrupt, || Action::Corrupt { offset: 0 });
            let (version, mut body) = world.open("k").await;
            read_to(&mut body, 1).await;
            let from = handed_over(&body.checkpoint());
            drop(body);
            let (_, mut body) = found(world.source.reopen(&version, &from).await.unwrap());
            assert_mismatch(&drain(&mut body).await.1, (kind, corrupt));
        }
    }
}

#[tokio::test]
async fn what_was_replaced_meanwhile_begins_anew() {
    let (world, bytes) = world_of(KINDS[0]).await;
    let (version, mut body) = world.open("k").await;
    read_to(&mut body, 300_000).await;
    let from = body.checkpoint();
    let reopen = async || found(world.source.reopen(&version, &from).await.unwrap());

    // The same bytes, a second later: their event is on its way, and they are another version.
    world.s3.put(BUCKET, "k", bytes.clone());
    let later = SystemTime::now() + Duration::from_secs(60);
    world.s3.set_last_modified(BUCKET, "k", later);
    let (again, mut body) = reopen().await;
    assert_ne!(again, version);
    assert_eq!((again.etag == version.etag, body.offset()), (true, 0));
    assert!(drain(&mut body).await.0 == bytes);

    world.s3.put(BUCKET, "k", ramp(100));
    let (again, mut body) = reopen().await;
    assert_eq!((again.size, body.offset()), (100, 0));
    assert!(drain(&mut body).await.0 == ramp(100));

    world.s3.delete(BUCKET, "k");
    let gone = world.source.reopen(&version, &from).await.unwrap();
    assert!(matches!(gone, Found::Nothing), "{gone:?}");
}

#[tokio::test]
async fn the_same_bytes_under_another_version_id_begin_anew() {
    let world = World::new().await;
    world.s3.create_versioned_bucket(BUCKET);
    world.s3.put(BUCKET, "k", ramp(1000));
    let (version, mut body) = world.open("k").await;
    read_to(&mut body, 1000).await;
    let from = body.checkpoint();
    let second = world.s3.put(BUCKET, "k", ramp(1000));
    let (again, body) = found(world.source.reopen(&version, &from).await.unwrap());
    assert_eq!(again.version_id, second.version_id);
    assert_eq!(body.offset(), 0);
}

#[tokio::test]
async fn replaced_between_the_look_and_the_first_byte() {
    let (world, _) = world_of(KINDS[0]).await;
    let (version, mut body) = world.open("k").await;
    read_to(&mut body, 300_000).await;
    let from = body.checkpoint();
    let (_, mut body) = found(world.source.reopen(&version, &from).await.unwrap());
    world.s3.put(BUCKET, "k", ramp(900_000));
    let error = body.next().await.unwrap_err();
    assert!(matches!(error, SourceError::Replaced), "{error:?}");
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_not_an_object_that_is_gone() {
    let (world, _) = world_of(KINDS[0]).await;
    let (mut version, body) = world.open("k").await;
    let from = body.checkpoint();
    version.name.bucket = "no-such-bucket".to_owned();
    let error = world.source.reopen(&version, &from).await.unwrap_err();
    assert!(matches!(error, SourceError::NoSuchBucket(_)), "{error:?}");
}

/// Its record, and a way to change it.
async fn record(world: &World, offset: u64) -> (ObjectVersion, Value) {
    let (version, mut body) = world.open("k").await;
    read_to(&mut body, offset).await;
    (version, serde_json::to_value(body.checkpoint()).unwrap())
}

#[tokio::test]
async fn a_record_that_fits_no_such_object_is_refused() {
    for kind in KINDS {
        let (world, _) = world_of(kind).await;
        let (version, good) = record(&world, 300_001).await;
        let has_second = kind.algorithm != Algorithm::Crc64Nvme;
        let mut changes: Vec<(&str, Value)> = vec![
            ("/offset", json!(900_001)),
            ("/offset", json!(u64::MAX)),
            ("/crc64nvme", json!("")),
            ("/crc64nvme", json!("0123")),
            ("/crc64nvme", json!("+123456789abcdef")),
            ("/crc64nvme", json!("0123456789abcdefé")),
            ("/crc64nvme", json!("0".repeat(10_000))),
        ];
        if has_second {
            changes.extend([
                ("/compared/state", json!("")),
                ("/compared/state", json!("xyz")),
                ("/compared/state", json!("0".repeat(300))),
                ("/compared/algorithm", json!("crc64nvme")),
                ("/compared/part", json!({"number": 0, "start": 0})),
                ("/compared/part", json!({"number": 4, "start": 0})),
                ("/compared/part", json!({"number": 1, "start": 1})),
                ("/compared/part", json!({"number": 2, "start": u64::MAX})),
            ]);
        } else {
            let second = json!({"algorithm": "sha1", "state": ""});
            changes.push(("/compared", second));
        }
        if has_second && !kind.is_composite() {
            changes.push(("/compared", Value::Null));
        }
        if kind.is_composite() {
            changes.push(("/compared/part", Value::Null));
        }
        for (pointer, value) in changes {
            let mut bad = good.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            bad.pointer_mut(parent).unwrap()[field] = value.clone();
            let from: Checkpoint = serde_json::from_value(bad).unwrap();
            let result = world.source.reopen(&version, &from).await;
            assert!(
                matches!(result, Err(SourceError::Checkpoint)),
                "{kind:?} {pointer} {value}: {result:?}"
            );
        }
        for unreadable in [json!({}), json!({"offset": -1, "crc64nvme": ""}), json!([])] {
            assert!(serde_json::from_value::<Checkpoint>(unreadable).is_err());
        }
    }
}

/// Well formed, and wrong: the comparison finds it.
#[tokio::test]
async fn a_record_of_other_bytes_does_not_pass() {
    for kind in KINDS {
        let (world, _) = world_of(kind).await;
        let (version, good) = record(&world, 1).await;
        let offset = good["offset"].as_u64().unwrap();
        let mut other = good.clone();
        let state = if kind.algorithm == Algorithm::Crc64Nvme {
            &mut other["crc64nvme"]
        } else {
            &mut other["compared"]["state"]
        };
        let text = state.as_str().unwrap();
        let first = if text.starts_with('0') { '1' } else { '0' };
        *state = json!(format!("{first}{}", &text[1..]));
        let from: Checkpoint = serde_json::from_value(other).unwrap();
        let (_, mut body) = found(world.source.reopen(&version, &from).await.unwrap());
        assert_eq!(body.offset(), offset);
        assert_mismatch(&drain(&mut body).await.1, kind);
    }
}

#[test]
fn a_record_of_anybody_never_panics_and_never_hangs() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let worlds: Vec<_> = KINDS
        .iter()
        .map(|kind| {
            runtime.block_on(async {
                let (world, _) = world_of(*kind).await;
                let (version, good) = record(&world, 300_001).await;
                (world, version, good)
            })
        })
        .collect();
    let number = || {
        prop_oneof![
            0..=900_001_u64,
            Just(u64::MAX),
            0..5_u64,
            Just(300_000),
            Just(600_000)
        ]
    };
    proptest!(ProptestConfig::with_cases(300), |(
        kind in 0..KINDS.len(),
        offset in proptest::option::of(number()),
        own in proptest::option::of("[0-9a-f]{16}"),
        part in proptest::option::of((0..5_u32, number())),
        state in proptest::option::of("[0-9a-f]{8}|[0-9a-f]{186}"),
    )| {
        let (world, version, good) = &worlds[kind];
        let mut record = good.clone();
        if let Some(offset) = offset {
            record["offset"] = json!(offset);
        }
        if let Some(own) = own {
            record["crc64nvme"] = json!(own);
        }
        if record.get("compared").is_some() {
            if let Some((number, start)) = part {
                record["compared"]["part"] = json!({"number": number, "start": start});
            }
            if let Some(state) = state {
                record["compared"]["state"] = json!(state);
            }
        }
        let from: Checkpoint = serde_json::from_value(record.clone()).unwrap();
        let checked = runtime.block_on(async {
            match world.source.reopen(version, &from).await {
                Ok(opened) => drain(&mut found(opened).1).await.1,
                Err(error) => Err(error),
            }
        });
        match checked {
            Ok(ChecksumCheck::NotTold) => prop_assert!(KINDS[kind].is_composite()),
            Ok(check) => prop_assert_eq!(check, KINDS[kind].equal(if KINDS[kind].parts.is_some() { 3 } else { 1 })),
            Err(SourceError::Checksum { .. } | SourceError::Checkpoint) => {}
            Err(error) => prop_assert!(false, "{:?}", error),
        }
    });
}
