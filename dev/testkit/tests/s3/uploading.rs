//! Multipart uploads.

use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use testkit::payload::{ramp, ramp_at};
use testkit::s3::{Algorithm, Coverage};

use super::*;

async fn upload(
    s3: &Client,
    algorithm: Option<ChecksumAlgorithm>,
    kind: Option<ChecksumType>,
) -> Result<String, Box<dyn std::error::Error>> {
    let created = s3
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .metadata("a", "b");
    let created = created
        .set_checksum_algorithm(algorithm.clone())
        .set_checksum_type(kind.clone())
        .send()
        .await?;
    let id = created.upload_id().expect("an id");
    let mut parts = Vec::new();
    for number in 1..=3 {
        let body = ramp_at(1000 * (u64::try_from(number)? - 1), 1000);
        let part = s3
            .upload_part()
            .bucket(BUCKET)
            .key("k")
            .upload_id(id)
            .part_number(number)
            .body(body.into());
        let part = part
            .set_checksum_algorithm(algorithm.clone())
            .send()
            .await?;
        let etag = part.e_tag().expect("an ETag");
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .e_tag(etag)
                .build(),
        );
    }
    let parts = CompletedMultipartUpload::builder()
        .set_parts(Some(parts))
        .build();
    let done = s3
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(id)
        .multipart_upload(parts);
    Ok(done
        .set_checksum_type(kind)
        .send()
        .await?
        .e_tag()
        .expect("an ETag")
        .to_owned())
}

#[tokio::test]
async fn an_upload_is_what_the_store_makes_of_its_parts() -> Outcome {
    let (server, s3) = server().await;
    let parts = vec![ramp(1000), ramp_at(1000, 1000), ramp_at(2000, 1000)];
    for (named, kind, algorithm, coverage) in [
        (
            ChecksumAlgorithm::Crc32,
            None,
            Algorithm::Crc32,
            Coverage::Composite,
        ),
        (
            ChecksumAlgorithm::Crc32C,
            None,
            Algorithm::Crc32c,
            Coverage::Composite,
        ),
        (
            ChecksumAlgorithm::Sha1,
            None,
            Algorithm::Sha1,
            Coverage::Composite,
        ),
        (
            ChecksumAlgorithm::Sha256,
            None,
            Algorithm::Sha256,
            Coverage::Composite,
        ),
        (
            ChecksumAlgorithm::Crc64Nvme,
            None,
            Algorithm::Crc64Nvme,
            Coverage::FullObject,
        ),
        (
            ChecksumAlgorithm::Crc32,
            Some(ChecksumType::FullObject),
            Algorithm::Crc32,
            Coverage::FullObject,
        ),
    ] {
        let etag = upload(&s3, Some(named.clone()), kind).await?;
        let direct =
            server.put_multipart_with(BUCKET, "direct", parts.clone(), algorithm, coverage);
        assert_eq!(etag, direct.etag);
        assert!(etag.ends_with("-3\""));
        let stored = server.stored(BUCKET, "k").expect("stored");
        assert_eq!(stored.checksum, direct.checksum);
        let value = stored.checksum.expect("a checksum").value;
        assert_eq!(
            value.ends_with("-3"),
            coverage == Coverage::Composite,
            "{named} {value}"
        );
        // The SDK compares what covers the full object.
        let got = s3.get_object().bucket(BUCKET).key("k").send().await?;
        assert_eq!(got.metadata().map(|all| all.len()), Some(1));
        assert_eq!(read(got.body).await?, ramp(3000));
    }
    Ok(())
}

/// The well-known values, so that store and upload are not wrong together.
#[tokio::test]
async fn the_values_are_those_of_aws() -> Outcome {
    let (server, _) = server().await;
    let of = |stored: testkit::s3::StoredVersion| stored.checksum.expect("a checksum").value;
    let single = server.put(BUCKET, "k", "123456789");
    // The check value of CRC-64/NVME: AE8B14860A799888.
    assert_eq!(of(single.clone()), "rosUhgp5mIg=");
    assert_eq!(single.etag, "\"25f9e794323b453885f5181f1b624d0b\"");
    let one_part = |algorithm, coverage| {
        of(server.put_multipart_with(BUCKET, "k", vec!["123456789".into()], algorithm, coverage))
    };
    // CRC-32: CBF43926; CRC-32C: E3069283.
    assert_eq!(one_part(Algorithm::Crc32, Coverage::FullObject), "y/Q5Jg==");
    assert_eq!(
        one_part(Algorithm::Crc32c, Coverage::FullObject),
        "4waSgw=="
    );
    assert!(one_part(Algorithm::Crc32, Coverage::Composite).ends_with("==-1"));
    Ok(())
}

#[tokio::test]
async fn an_unknown_or_aborted_upload_is_404() -> Outcome {
    let (server, s3) = server().await;
    let created = s3
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await?;
    let id = created.upload_id().expect("an id");
    s3.abort_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(id)
        .send()
        .await?;
    let part = s3
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(id)
        .part_number(1)
        .send()
        .await;
    assert_eq!(refusal(part), refused(404, "NoSuchUpload"));
    assert!(!server.exists(BUCKET, "k"));
    Ok(())
}

#[tokio::test]
async fn without_a_named_algorithm_the_object_still_has_a_checksum() -> Outcome {
    let (_server, s3) = server().await;
    upload(&s3, None, None).await?;
    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await?;
    assert!(head.checksum_type().is_some());
    Ok(())
}
