//! Buckets and listings.

use super::*;

#[tokio::test]
async fn a_listing_comes_in_pages_and_groups() -> Outcome {
    let (server, s3) = server().await;
    for key in ["a/1", "a/2", "b", "c/1", "c/2/3", "d"] {
        server.put(BUCKET, key, "abc");
    }
    assert_eq!(
        server.keys(BUCKET),
        ["a/1", "a/2", "b", "c/1", "c/2/3", "d"]
    );
    for page in [1, 2, 4, 1000] {
        let list = s3
            .list_objects_v2()
            .bucket(BUCKET)
            .max_keys(page)
            .into_paginator()
            .send();
        let pages = list.try_collect().await?;
        let keys: Vec<_> = pages
            .iter()
            .flat_map(|page| page.contents())
            .filter_map(|object| object.key())
            .collect();
        assert_eq!(keys, server.keys(BUCKET));
        let list = s3
            .list_objects_v2()
            .bucket(BUCKET)
            .max_keys(page)
            .delimiter("/")
            .into_paginator()
            .send();
        let pages = list.try_collect().await?;
        let keys: Vec<_> = pages
            .iter()
            .flat_map(|page| page.contents())
            .filter_map(|object| object.key())
            .collect();
        let groups: Vec<_> = pages
            .iter()
            .flat_map(|page| page.common_prefixes())
            .filter_map(|group| group.prefix())
            .collect();
        assert_eq!(
            (keys, groups),
            (vec!["b", "d"], vec!["a/", "c/"]),
            "by {page}"
        );
    }
    let below = s3
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix("c/")
        .send()
        .await?;
    assert_eq!(below.key_count(), Some(2));
    assert_eq!(below.contents()[0].size(), Some(3));
    Ok(())
}

#[tokio::test]
async fn buckets_and_versions_are_made_and_shown_by_the_sdk() -> Outcome {
    let (server, s3) = server().await;
    s3.create_bucket().bucket("kept").send().await?;
    let enabled = aws_sdk_s3::types::BucketVersioningStatus::Enabled;
    let versioning = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(enabled.clone())
        .build();
    s3.put_bucket_versioning()
        .bucket("kept")
        .versioning_configuration(versioning)
        .send()
        .await?;
    assert_eq!(
        s3.get_bucket_versioning()
            .bucket("kept")
            .send()
            .await?
            .status(),
        Some(&enabled)
    );
    s3.get_bucket_location().bucket("kept").send().await?;
    assert_eq!(s3.list_buckets().send().await?.buckets().len(), 2);
    server.put("kept", "k", "one");
    server.put("kept", "k", "two");
    server.delete("kept", "k");
    let all = s3.list_object_versions().bucket("kept").send().await?;
    assert_eq!((all.versions().len(), all.delete_markers().len()), (2, 1));
    assert_eq!(all.delete_markers()[0].is_latest(), Some(true));
    Ok(())
}
