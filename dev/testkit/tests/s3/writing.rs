//! PUT, COPY and DELETE: conditions, versions, checksums.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, MetadataDirective};
use testkit::payload::ramp;
use testkit::s3::{Algorithm, Coverage};

use super::*;

#[tokio::test]
async fn what_is_put_is_there() -> Outcome {
    let (server, s3) = server().await;
    let body = ramp(300_000);
    for (key, algorithm) in [
        ("default", None),
        ("crc32c", Some(ChecksumAlgorithm::Crc32C)),
        ("crc64", Some(ChecksumAlgorithm::Crc64Nvme)),
        ("sha1", Some(ChecksumAlgorithm::Sha1)),
        ("sha256", Some(ChecksumAlgorithm::Sha256)),
    ] {
        let put = s3
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body.clone().into())
            .metadata("origin", "here");
        let put = put.set_checksum_algorithm(algorithm).send().await?;
        assert_eq!(server.get(BUCKET, key).as_ref(), Some(&body));
        assert_eq!(
            put.e_tag(),
            server
                .stored(BUCKET, key)
                .map(|stored| stored.etag)
                .as_deref()
        );
        let head = s3
            .head_object()
            .bucket(BUCKET)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await?;
        assert_eq!(
            head.metadata()
                .and_then(|all| all.get("origin"))
                .map(String::as_str),
            Some("here")
        );
        assert_eq!(head.checksum_crc32().is_some(), key == "default");
        assert_eq!(head.checksum_sha256(), put.checksum_sha256());
        // The SDK compares it with the bytes.
        let got = s3.get_object().bucket(BUCKET).key(key).send().await?;
        assert_eq!(read(got.body).await?, body);
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_checksum_is_refused() -> Outcome {
    let (server, s3) = server().await;
    let put = s3
        .put_object()
        .bucket(BUCKET)
        .key("k")
        .body(ByteStream::from_static(b"abc"));
    let put = put.checksum_crc32("AAAAAA==").send().await;
    assert_eq!(refusal(put), refused(400, "BadDigest"));
    assert!(!server.exists(BUCKET, "k"));
    Ok(())
}

#[tokio::test]
async fn a_put_can_demand_what_is_there() -> Outcome {
    let (server, s3) = server().await;
    let put = || {
        s3.put_object()
            .bucket(BUCKET)
            .key("k")
            .body(ByteStream::from_static(b"two"))
    };
    assert_eq!(
        refusal(put().if_match("\"x\"").send().await),
        refused(404, "NoSuchKey")
    );
    put().if_none_match("*").send().await?;
    assert_eq!(
        refusal(put().if_none_match("*").send().await),
        refused(412, "PreconditionFailed")
    );
    assert_eq!(
        refusal(put().if_match("\"x\"").send().await),
        refused(412, "PreconditionFailed")
    );
    let etag = server.stored(BUCKET, "k").expect("stored").etag;
    put().if_match(etag).send().await?;
    Ok(())
}

#[tokio::test]
async fn a_delete_can_demand_the_etag() -> Outcome {
    let (server, s3) = server().await;
    let delete = || s3.delete_object().bucket(BUCKET).key("k");
    delete().send().await?;
    assert_eq!(
        refusal(delete().if_match("\"x\"").send().await),
        refused(404, "NoSuchKey")
    );
    let etag = server.put(BUCKET, "k", "one").etag;
    server.put(BUCKET, "k", "two");
    assert_eq!(
        refusal(delete().if_match(&etag).send().await),
        refused(412, "PreconditionFailed")
    );
    assert!(server.exists(BUCKET, "k"));
    let etag = server.stored(BUCKET, "k").expect("stored").etag;
    delete().if_match(etag).send().await?;
    assert!(!server.exists(BUCKET, "k"));
    Ok(())
}

#[tokio::test]
async fn some_stores_delete_whatever_if_match_says() -> Outcome {
    let (server, s3) = server().await;
    server.ignore_if_match_on_delete();
    server.put(BUCKET, "k", "two");
    s3.delete_object()
        .bucket(BUCKET)
        .key("k")
        .if_match("\"one\"")
        .send()
        .await?;
    assert!(!server.exists(BUCKET, "k"));
    Ok(())
}

#[tokio::test]
async fn a_versioned_bucket_forgets_nothing_unless_told_by_id() -> Outcome {
    let (server, s3) = server().await;
    server.create_versioned_bucket("kept");
    let one = server.put("kept", "k", "one");
    let two = server.put("kept", "k", "two");
    let delete = || s3.delete_object().bucket("kept").key("k");
    assert_eq!(
        refusal(delete().if_match(&one.etag).send().await),
        refused(412, "PreconditionFailed")
    );
    let deleted = delete().if_match(&two.etag).send().await?;
    assert_eq!(deleted.delete_marker(), Some(true));
    assert_eq!(server.versions("kept", "k").len(), 3);
    assert!(server.keys("kept").is_empty());
    assert_eq!(
        refusal(delete().if_match("*").send().await),
        refused(412, "PreconditionFailed")
    );

    let marker = deleted.version_id().expect("an id").to_owned();
    let deleted = delete().version_id(&marker).send().await?;
    assert_eq!(
        (deleted.delete_marker(), deleted.version_id()),
        (Some(true), Some(marker.as_str()))
    );
    assert_eq!(server.get("kept", "k").as_deref(), Some(&b"two"[..]));
    delete().set_version_id(two.version_id).send().await?;
    assert_eq!(server.get("kept", "k").as_deref(), Some(&b"one"[..]));
    delete().set_version_id(one.version_id).send().await?;
    assert!(server.versions("kept", "k").is_empty());
    Ok(())
}

#[tokio::test]
async fn what_was_there_before_versioning_is_called_null() -> Outcome {
    let (server, s3) = server().await;
    let old = server.put(BUCKET, "k", "old");
    assert_eq!(old.version_id, None);
    server.create_versioned_bucket(BUCKET);
    let head = s3.head_object().bucket(BUCKET).key("k").send().await?;
    assert_eq!(head.version_id(), Some("null"));
    let new = server.put(BUCKET, "k", "new");
    assert!(new.version_id.is_some());
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .version_id("null")
        .send()
        .await?;
    assert_eq!(read(got.body).await?, "old");
    Ok(())
}

#[tokio::test]
async fn a_copy_looks_at_both_ends() -> Outcome {
    let (server, s3) = server().await;
    server.create_versioned_bucket("kept");
    let one = server.put("kept", "a b", "one");
    server.put("kept", "a b", "two");
    let copy = |source: &str| {
        s3.copy_object()
            .copy_source(source)
            .bucket(BUCKET)
            .key("copy")
    };
    let wrong = copy("kept/a%20b")
        .copy_source_if_match(&one.etag)
        .send()
        .await;
    assert_eq!(refusal(wrong), refused(412, "PreconditionFailed"));
    assert_eq!(
        refusal(copy("kept/nothing").send().await),
        refused(404, "NoSuchKey")
    );
    let by_id = format!(
        "kept/a%20b?versionId={}",
        one.version_id.as_deref().expect("an id")
    );
    let copied = copy(&by_id)
        .copy_source_if_match(&one.etag)
        .if_none_match("*")
        .send()
        .await?;
    assert_eq!(copied.copy_source_version_id(), one.version_id.as_deref());
    assert_eq!(server.get(BUCKET, "copy").as_deref(), Some(&b"one"[..]));
    let again = copy("kept/a%20b").if_none_match("*").send().await;
    assert_eq!(refusal(again), refused(412, "PreconditionFailed"));
    Ok(())
}

#[tokio::test]
async fn a_copy_of_a_composite_object_is_one_piece() -> Outcome {
    let (server, s3) = server().await;
    let parts = vec![ramp(10), ramp(20)];
    server.put_multipart_with(
        BUCKET,
        "k",
        parts.clone(),
        Algorithm::Crc32c,
        Coverage::Composite,
    );
    let copy = s3
        .copy_object()
        .copy_source("inbox/k")
        .bucket(BUCKET)
        .key("copy");
    copy.metadata_directive(MetadataDirective::Replace)
        .metadata("a", "b")
        .send()
        .await?;
    let copied = server.stored(BUCKET, "copy").expect("stored");
    let body = parts.concat();
    assert_eq!(copied.etag, server.put(BUCKET, "plain", body.clone()).etag);
    assert_eq!(
        copied.checksum.as_ref().map(|checksum| checksum.coverage),
        Some(Coverage::FullObject)
    );
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("copy")
        .range("bytes=0-99")
        .send()
        .await?;
    assert_eq!(read(got.body).await?, body);
    Ok(())
}

#[tokio::test]
async fn a_copy_has_the_checksum_that_is_asked_for() -> Outcome {
    let (server, s3) = server().await;
    server.put_multipart_with(
        BUCKET,
        "k",
        vec![ramp(10)],
        Algorithm::Sha256,
        Coverage::Composite,
    );
    let copy = s3
        .copy_object()
        .copy_source("inbox/k")
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .bucket(BUCKET)
        .key("copy")
        .send()
        .await?;
    let expected = server.put(BUCKET, "plain", ramp(10)).checksum;
    let told = copy.copy_object_result().expect("a result");
    assert_eq!(
        told.checksum_crc64_nvme(),
        expected.as_ref().map(|checksum| checksum.value.as_str())
    );
    assert_eq!(
        server.stored(BUCKET, "copy").expect("stored").checksum,
        expected
    );
    Ok(())
}

#[tokio::test]
async fn a_store_may_copy_over_what_is_there() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "k", "new");
    server.put(BUCKET, "copy", "old");
    let copy = s3
        .copy_object()
        .copy_source("inbox/k")
        .if_none_match("*")
        .bucket(BUCKET)
        .key("copy");
    assert_eq!(
        refusal(copy.clone().send().await),
        refused(412, "PreconditionFailed")
    );
    server.ignore_if_none_match_on_copy();
    copy.send().await?;
    assert_eq!(server.get(BUCKET, "copy").as_deref(), Some(&b"new"[..]));
    Ok(())
}

#[tokio::test]
async fn five_gibibytes_and_a_byte_are_not_copied() -> Outcome {
    let (server, s3) = server().await;
    server.put_generated(BUCKET, "k", (5 << 30) + 1);
    let copy = s3
        .copy_object()
        .copy_source("inbox/k")
        .bucket(BUCKET)
        .key("copy")
        .send()
        .await;
    assert_eq!(refusal(copy), refused(400, "InvalidRequest"));
    Ok(())
}
