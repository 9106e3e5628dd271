//! From the first byte to the last.

use testkit::payload::{ramp, seeded};

use super::*;

#[tokio::test]
async fn bytes_of_every_kind_are_compared() {
    let world = World::new().await;
    for size in [0, 1, 1000, 700_001] {
        let bytes = seeded(1, size);
        for kind in KINDS {
            let parts = world.put("k", kind, &bytes, &[size / 3, size / 2]).await;
            let (version, mut body) = world.open("k").await;
            let (got, check) = drain(&mut body).await;
            assert!(got == bytes, "{kind:?} {size}");
            assert_eq!(check.unwrap(), kind.equal(parts), "{size}");
            assert_eq!((version.size, body.offset()), (size as u64, size as u64));
            assert_eq!(body.own_digest().checksum().to_string(), crc64nvme(&bytes));
            // Whoever asks again gets the same answer.
            assert!(body.next().await.unwrap().is_none());
            assert_eq!(body.checksum(), kind.equal(parts));
        }
    }
}

#[tokio::test]
async fn it_is_one_get_whatever_the_kind() {
    let world = World::new().await;
    let bytes = ramp(300_000);
    for kind in KINDS {
        world.put("k", kind, &bytes, &[100_000, 200_000]).await;
        world.s3.forget_requests();
        let (_, mut body) = world.open("k").await;
        drain(&mut body).await.1.unwrap();
        assert_eq!(world.s3.count("GetObject"), 1, "{kind:?}");
        let heads = if kind.is_composite() { 3 } else { 0 };
        assert_eq!(world.s3.count("HeadObject"), heads, "{kind:?}");
        for request in world.s3.requests() {
            if request.operation == "HeadObject" {
                assert!(request.if_match.is_some() && request.part_number.is_some());
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_byte_is_found_wherever_it_is() {
    let bytes = seeded(2, 600_000);
    for kind in KINDS {
        let world = World::new().await;
        for (number, offset) in [(1, 0), (2, 299_999), (3, 300_000), (4, 599_999)] {
            world.put("k", kind, &bytes, &[200_000, 400_000]).await;
            world.at_get(number, move || Action::Corrupt { offset });
            let (_, mut body) = world.open("k").await;
            let (got, result) = drain(&mut body).await;
            assert_mismatch(&result, (kind, offset));
            assert_eq!(body.checksum(), ChecksumCheck::NotTold);
            if kind.is_composite() {
                // No byte of the next part is given out before.
                let part_end = (offset / 200_000 + 1) * 200_000;
                assert_eq!(got.len() as u64, part_end, "{kind:?} {offset}");
            }
            // It does not pass by being asked for again.
            assert_mismatch(&drain(&mut body).await.1, kind);
        }
    }
}

#[tokio::test]
async fn a_wrong_byte_in_a_resumed_range_is_found() {
    let bytes = seeded(3, 900_000);
    for kind in KINDS {
        let world = World::new().await;
        world.put("k", kind, &bytes, &[300_000, 600_000]).await;
        world.at_get(1, || Action::CutBody { after: 250_000 });
        world.at_get(2, || Action::Corrupt { offset: 10_000 });
        let (_, mut body) = world.open("k").await;
        let result = drain(&mut body).await.1;
        assert_eq!(world.s3.count("GetObject"), 2, "{kind:?}");
        assert_mismatch(&result, kind);
    }
}

/// What was sent wrong stays wrong, if reading goes back to behind it.
#[tokio::test]
async fn a_wrong_byte_before_the_place_gone_back_to_is_found() {
    let bytes = seeded(4, 900_000);
    for kind in KINDS {
        let world = World::new().await;
        world.put("k", kind, &bytes, &[800_000]).await;
        world.at_get(1, || Action::Corrupt { offset: 0 });
        let (_, mut body) = world.open("k").await;
        read_to(&mut body, 750_000).await;
        assert!(body.rewind(700_000) > 0);
        assert_mismatch(&drain(&mut body).await.1, kind);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_everywhere_is_the_object_all_the_same() {
    let bytes = seeded(5, 900_000);
    for kind in KINDS {
        let world = World::new().await;
        let parts = world.put("k", kind, &bytes, &[1, 250_000, 899_999]).await;
        world.s3.hook(|request| match request.operation.as_str() {
            "GetObject" => Action::CutBody { after: 100_003 },
            _ => Action::Pass,
        });
        let (_, mut body) = world.open("k").await;
        let (got, check) = drain(&mut body).await;
        assert!(got == bytes, "{kind:?}");
        assert_eq!(check.unwrap(), kind.equal(parts));
        assert_eq!(world.s3.count("GetObject"), 9, "{kind:?}");
    }
}

#[tokio::test]
async fn what_has_no_checksum_is_delivered_and_said_so() {
    let world = World::new().await;
    let bytes = ramp(300_000);
    for kind in KINDS {
        world.put("k", kind, &bytes, &[100_000]).await;
        world.s3.forget_checksum(BUCKET, "k");
        let (_, mut body) = world.open("k").await;
        let (got, check) = drain(&mut body).await;
        assert!(got == bytes, "{kind:?}");
        assert_eq!(check.unwrap(), ChecksumCheck::NotTold);
        assert_eq!(body.own_digest().checksum().to_string(), crc64nvme(&bytes));
    }
}

#[test]
fn a_receipt_names_the_check() {
    for (check, json) in [
        (KINDS[0].equal(1), r#"{"equal":{"algorithm":"crc64nvme"}}"#),
        (
            KINDS[11].equal(7),
            r#"{"equal-by-part":{"algorithm":"sha256","parts":7}}"#,
        ),
        (ChecksumCheck::NotTold, r#""not-told""#),
    ] {
        assert_eq!(serde_json::to_string(&check).unwrap(), json);
        assert_eq!(serde_json::from_str::<ChecksumCheck>(json).unwrap(), check);
    }
}
