//! Which checksum an answer carries, traps included.

use std::time::{Duration, Instant};

use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use testkit::payload::{first_difference, ramp, ramp_at};
use testkit::s3::{Algorithm, Coverage};

use super::*;

#[tokio::test]
async fn a_part_of_an_object_has_no_checksum_but_a_whole_range_has() -> Outcome {
    let (server, s3) = server().await;
    let stored = server
        .put(BUCKET, "k", ramp(1000))
        .checksum
        .expect("a checksum");
    let some = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=0-998")
        .send()
        .await?;
    assert_eq!(
        (some.checksum_crc64_nvme(), some.checksum_type()),
        (None, None)
    );
    let all = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=0-4095")
        .send()
        .await?;
    assert_eq!(all.checksum_crc64_nvme(), Some(stored.value.as_str()));
    // The SDK compares it, and it holds.
    assert_eq!(read(all.body).await?, ramp(1000));
    server.forget_checksum(BUCKET, "k");
    let old = s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await?;
    assert_eq!(old.checksum_type(), None);
    Ok(())
}

/// Finding 45 (b): AWS answers the checksum of checksums without its `-N`, and the SDK fails every read.
#[tokio::test]
async fn a_range_over_a_whole_composite_object_is_a_trap() -> Outcome {
    let (server, s3) = server().await;
    let parts = vec![ramp(500), ramp_at(500, 500)];
    let stored =
        server.put_multipart_with(BUCKET, "k", parts, Algorithm::Crc32, Coverage::Composite);
    let value = stored.checksum.expect("a checksum").value;
    let whole = s3.get_object().bucket(BUCKET).key("k").send().await?;
    assert_eq!(whole.checksum_crc32(), Some(value.as_str()));
    assert!(value.ends_with("-2"));
    assert_eq!(whole.checksum_type(), Some(&ChecksumType::Composite));
    assert_eq!(read(whole.body).await?, ramp(1000));

    let ranged = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=0-8388607");
    let trapped = ranged.clone().send().await?;
    assert_eq!(trapped.checksum_crc32(), value.strip_suffix("-2"));
    assert!(
        trapped.body.collect().await.is_err(),
        "the SDK takes it for the checksum of the bytes"
    );

    let careful = server
        .config()
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    let careful = Client::from_conf(careful);
    let got = careful
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=0-8388607")
        .send()
        .await?;
    assert_eq!(read(got.body).await?, ramp(1000));

    // By part, each comes with its own checksum, and the SDK compares it.
    let part = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .part_number(2)
        .send()
        .await?;
    let aligned = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=500-999")
        .send()
        .await?;
    assert!(part.checksum_crc32().is_some());
    assert_eq!(part.checksum_crc32(), aligned.checksum_crc32());
    assert_eq!(read(part.body).await?, ramp_at(500, 500));
    Ok(())
}

#[tokio::test]
async fn a_store_may_not_know_parts() -> Outcome {
    let (server, s3) = server().await;
    let parts = vec![ramp(500), ramp_at(500, 500)];
    server.put_multipart_with(BUCKET, "k", parts, Algorithm::Crc32, Coverage::Composite);
    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .part_number(2)
        .checksum_mode(ChecksumMode::Enabled);
    let part = head.clone().send().await?;
    assert_eq!(
        (part.content_length(), part.parts_count()),
        (Some(500), Some(2))
    );
    server.ignore_part_numbers();
    let whole = head.send().await?;
    assert_eq!(
        (whole.content_length(), whole.parts_count()),
        (Some(1000), None)
    );
    assert!(
        whole
            .checksum_crc32()
            .is_some_and(|value| value.ends_with("-2"))
    );
    Ok(())
}

#[tokio::test]
async fn a_generated_object_is_the_ramp() -> Outcome {
    let (server, s3) = server().await;
    let size = 24 * 1024 * 1024 + 13;
    let stored = server.put_generated(BUCKET, "k", size);
    // The SDK compares the checksum of all of it.
    let got = s3.get_object().bucket(BUCKET).key("k").send().await?;
    assert_eq!(got.e_tag(), Some(stored.etag.as_str()));
    assert_eq!(first_difference(&read(got.body).await?[..], size)?, None);
    let end = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=-100")
        .send()
        .await?;
    assert_eq!(read(end.body).await?, ramp_at(size - 100, 100));

    let same = server.put(BUCKET, "same", ramp(usize::try_from(size)?));
    assert_eq!(same.checksum, stored.checksum);
    let parts = server.put_generated_multipart(
        BUCKET,
        "p",
        size,
        8 << 20,
        Algorithm::Crc32,
        Coverage::Composite,
    );
    assert!(parts.etag.ends_with("-4\""));
    let last = s3
        .get_object()
        .bucket(BUCKET)
        .key("p")
        .part_number(4)
        .send()
        .await?;
    assert_eq!(read(last.body).await?, ramp_at(24 << 20, 13));
    Ok(())
}

/// Bytes that are made when they are read take neither time nor memory before.
#[tokio::test]
async fn twenty_generated_gibibytes_are_an_object_like_any_other() -> Outcome {
    let (server, s3) = server().await;
    server.create_versioned_bucket(BUCKET);
    let size = 20 << 30;
    let begin = Instant::now();
    let old = server.put_generated(BUCKET, "k", size);
    let stored = server.put_generated_from(BUCKET, "k", 7, size);
    assert!(begin.elapsed() < Duration::from_secs(2), "{begin:?}");
    assert_ne!((&old.etag, &old.checksum), (&stored.etag, &stored.checksum));

    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await?;
    assert_eq!(head.content_length(), Some(i64::try_from(size)?));
    let checksum = stored.checksum.expect("a checksum").value;
    assert_eq!(head.checksum_crc64_nvme(), Some(checksum.as_str()));

    for (version, start) in [(&old.version_id, 0), (&stored.version_id, 7)] {
        let from = 19_u64 << 30;
        let got = s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .set_version_id(version.clone())
            .range(format!("bytes={from}-{}", from + 999_999))
            .send()
            .await?;
        assert!(read(got.body).await? == ramp_at(start + from, 1_000_000));
    }
    s3.delete_object()
        .bucket(BUCKET)
        .key("k")
        .if_match(&stored.etag)
        .send()
        .await?;
    assert!(!server.exists(BUCKET, "k"));
    assert_eq!(server.versions(BUCKET, "k").len(), 3);
    Ok(())
}
