//! GET and HEAD: ranges, parts, conditions, versions, checksums.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::types::ChecksumType;
use testkit::payload::{ramp, ramp_at};

use super::*;

#[tokio::test]
async fn a_whole_object_comes_with_its_description() -> Outcome {
    let (server, s3) = server().await;
    let stored = server.put(BUCKET, "a/b c+é//.x", ramp(1000));
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("a/b c+é//.x")
        .send()
        .await?;
    assert_eq!(got.e_tag(), Some(stored.etag.as_str()));
    assert_eq!(got.content_length(), Some(1000));
    assert_eq!(got.content_range(), None);
    assert_eq!(got.version_id(), None);
    assert_eq!(got.checksum_type(), Some(&ChecksumType::FullObject));
    assert_eq!(
        got.checksum_crc64_nvme(),
        stored
            .checksum
            .as_ref()
            .map(|checksum| checksum.value.as_str())
    );
    assert_eq!(
        got.last_modified()
            .map(|date| (date.secs(), date.subsec_nanos())),
        Some((seconds(stored.last_modified), 0))
    );
    assert_eq!(read(got.body).await?, ramp(1000));
    Ok(())
}

#[tokio::test]
async fn ranges_are_cut_as_asked() -> Outcome {
    let (server, s3) = server().await;
    server.put_multipart(BUCKET, "k", vec![ramp(400), ramp_at(400, 600)]);
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=399-400", 399, 401),
        ("bytes=990-", 990, 1000),
        ("bytes=990-5000", 990, 1000),
        ("bytes=-7", 993, 1000),
        ("bytes=-5000", 0, 1000),
    ] {
        let got = s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .range(range)
            .send()
            .await?;
        assert_eq!(
            got.content_range(),
            Some(format!("bytes {from}-{}/1000", to - 1).as_str()),
            "{range}"
        );
        assert_eq!(got.content_length(), Some(to - from));
        let (from, to) = (usize::try_from(from)?, usize::try_from(to)?);
        assert_eq!(read(got.body).await?, ramp(1000).slice(from..to));
    }
    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .range("bytes=10-19")
        .send()
        .await?;
    assert_eq!(head.content_length(), Some(10));
    assert_eq!(head.content_range(), Some("bytes 10-19/1000"));
    Ok(())
}

#[tokio::test]
async fn a_range_beyond_the_end_is_416_and_every_range_of_an_empty_object_is() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "empty", "");
    server.put(BUCKET, "three", "abc");
    for (key, range) in [
        ("three", "bytes=3-"),
        ("three", "bytes=3-9"),
        ("three", "bytes=-0"),
        ("empty", "bytes=0-"),
        ("empty", "bytes=0-8388607"),
        ("empty", "bytes=-1"),
    ] {
        let got = s3
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .range(range)
            .send()
            .await;
        assert_eq!(refusal(got), refused(416, "InvalidRange"), "{key} {range}");
        let head = s3
            .head_object()
            .bucket(BUCKET)
            .key(key)
            .range(range)
            .send()
            .await;
        assert_eq!(refusal(head).0, 416);
    }
    assert_eq!(
        read(
            s3.get_object()
                .bucket(BUCKET)
                .key("empty")
                .send()
                .await?
                .body
        )
        .await?,
        ""
    );
    let first_part = s3
        .get_object()
        .bucket(BUCKET)
        .key("empty")
        .part_number(1)
        .send()
        .await?;
    assert_eq!(first_part.content_length(), Some(0));
    Ok(())
}

#[tokio::test]
async fn parts_are_read_by_number() -> Outcome {
    let (server, s3) = server().await;
    server.put_multipart(
        BUCKET,
        "k",
        vec![ramp(400), ramp_at(400, 300), ramp_at(700, 1)],
    );
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .part_number(2)
        .send()
        .await?;
    assert_eq!(got.parts_count(), Some(3));
    assert_eq!(got.content_range(), Some("bytes 400-699/701"));
    assert_eq!(read(got.body).await?, ramp_at(400, 300));
    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .part_number(1)
        .send()
        .await?;
    assert_eq!(
        (head.parts_count(), head.content_length()),
        (Some(3), Some(400))
    );
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .part_number(4)
        .send()
        .await;
    assert_eq!(refusal(got), refused(416, "InvalidPartNumber"));
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .part_number(1)
        .range("bytes=0-")
        .send()
        .await;
    assert_eq!(refusal(got), refused(400, "InvalidRequest"));
    Ok(())
}

#[tokio::test]
async fn conditions_look_at_the_etag_with_or_without_quotes() -> Outcome {
    let (server, s3) = server().await;
    let etag = server.put(BUCKET, "k", "abc").etag;
    for good in [etag.as_str(), etag.trim_matches('"'), "*"] {
        assert!(
            s3.get_object()
                .bucket(BUCKET)
                .key("k")
                .if_match(good)
                .send()
                .await
                .is_ok()
        );
        assert!(
            s3.head_object()
                .bucket(BUCKET)
                .key("k")
                .if_match(good)
                .send()
                .await
                .is_ok()
        );
        let unchanged = s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .if_none_match(good)
            .send()
            .await;
        assert_eq!(refusal(unchanged).0, 304);
    }
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .if_match("\"other\"")
        .send()
        .await;
    assert_eq!(refusal(got), refused(412, "PreconditionFailed"));
    let head = s3
        .head_object()
        .bucket(BUCKET)
        .key("k")
        .if_match("\"other\"")
        .send()
        .await;
    assert_eq!(refusal(head).0, 412);
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_404() -> Outcome {
    let (_server, s3) = server().await;
    assert_eq!(
        refusal(s3.get_object().bucket(BUCKET).key("k").send().await),
        refused(404, "NoSuchKey")
    );
    assert_eq!(
        refusal(s3.get_object().bucket("nobody").key("k").send().await),
        refused(404, "NoSuchBucket")
    );
    assert_eq!(
        refusal(s3.head_object().bucket(BUCKET).key("k").send().await).0,
        404
    );
    assert_eq!(
        refusal(s3.head_bucket().bucket("nobody").send().await).0,
        404
    );
    assert!(s3.head_bucket().bucket(BUCKET).send().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn versions_are_read_by_id_and_a_marker_hides_them() -> Outcome {
    let (server, s3) = server().await;
    server.create_versioned_bucket("kept");
    let one = server.put("kept", "k", "one");
    let two = server.put("kept", "k", "two");
    assert_ne!(one.version_id, two.version_id);
    let current = s3.get_object().bucket("kept").key("k").send().await?;
    assert_eq!(current.version_id(), two.version_id.as_deref());
    server.delete("kept", "k");
    assert_eq!(server.get("kept", "k"), None);

    let gone = s3
        .get_object()
        .bucket("kept")
        .key("k")
        .send()
        .await
        .expect_err("hidden by the marker");
    let headers = gone.raw_response().expect("an answer").headers();
    assert_eq!(headers.get("x-amz-delete-marker"), Some("true"));
    let marker = server.versions("kept", "k").pop().expect("three versions");
    assert!(marker.is_delete_marker);
    assert_eq!(
        headers.get("x-amz-version-id"),
        marker.version_id.as_deref()
    );
    assert_eq!(refusal(Err::<(), _>(gone)), refused(404, "NoSuchKey"));

    let first = s3
        .get_object()
        .bucket("kept")
        .key("k")
        .set_version_id(one.version_id)
        .send()
        .await?;
    assert_eq!(read(first.body).await?, "one");
    let by_id = s3
        .get_object()
        .bucket("kept")
        .key("k")
        .set_version_id(marker.version_id)
        .send()
        .await;
    assert_eq!(refusal(by_id), refused(405, "MethodNotAllowed"));
    let unknown = s3
        .get_object()
        .bucket("kept")
        .key("k")
        .version_id("nobody")
        .send()
        .await;
    assert_eq!(refusal(unknown), refused(404, "NoSuchVersion"));
    Ok(())
}

#[tokio::test]
async fn an_archived_object_is_not_read_and_a_date_can_be_set() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "k", "abc");
    server.set_storage_class(BUCKET, "k", "GLACIER");
    assert_eq!(
        refusal(s3.get_object().bucket(BUCKET).key("k").send().await),
        refused(403, "InvalidObjectState")
    );
    let then = SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000_500);
    server.set_last_modified(BUCKET, "k", then);
    let head = s3.head_object().bucket(BUCKET).key("k").send().await?;
    assert_eq!(
        head.last_modified().map(|date| date.secs()),
        Some(1_000_000)
    );
    Ok(())
}

fn seconds(time: SystemTime) -> i64 {
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    i64::try_from(seconds).expect("small")
}
