//! The listings.

use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ETag, EncodingType, ListObjectVersionsInput,
    ListObjectVersionsOutput, ListObjectsV2Input, ListObjectsV2Output, Object as Listed,
    ObjectStorageClass, ObjectVersion, Timestamp,
};
use s3s::{S3Response, S3Result};

use crate::event::form_encode;

use super::store::Store;
use super::write::listed_size;

/// S3's page, whatever more was asked for.
const LARGEST_PAGE: i32 = 1000;

/// ListObjectsV2. The continuation token is the last key or common prefix of the page before.
pub(super) fn objects(
    store: &Store,
    input: ListObjectsV2Input,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let state = store.0.lock();
    let bucket = state.bucket(&input.bucket)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input
        .delimiter
        .clone()
        .filter(|delimiter| !delimiter.is_empty());
    let max_keys = input
        .max_keys
        .unwrap_or(LARGEST_PAGE)
        .clamp(0, LARGEST_PAGE);
    let page = usize::try_from(max_keys).unwrap_or_default();
    let after = input
        .continuation_token
        .clone()
        .or_else(|| input.start_after.clone())
        .unwrap_or_default();

    let mut contents = Vec::new();
    let mut groups: Vec<String> = Vec::new();
    let mut last = None;
    let mut is_truncated = false;
    for (key, version, object) in bucket.current() {
        let Some(rest) = key.strip_prefix(&prefix) else {
            continue;
        };
        let cut = delimiter
            .as_ref()
            .and_then(|delimiter| Some(rest.find(delimiter.as_str())? + delimiter.len()));
        let group = cut.map(|cut| format!("{prefix}{}", &rest[..cut]));
        let name = group.as_ref().unwrap_or(key);
        if name <= &after || groups.last() == Some(name) {
            continue;
        }
        if contents.len() + groups.len() == page {
            is_truncated = page > 0;
            break;
        }
        last = Some(name.clone());
        match group {
            Some(group) => groups.push(group),
            None => contents.push(Listed {
                key: Some(key.clone()),
                e_tag: Some(ETag::Strong(object.etag.clone())),
                last_modified: Some(Timestamp::from(version.last_modified)),
                size: Some(listed_size(object)),
                storage_class: Some(ObjectStorageClass::from(
                    object
                        .storage_class
                        .clone()
                        .unwrap_or_else(|| "STANDARD".to_owned()),
                )),
                ..Default::default()
            }),
        }
    }
    // Keys may hold what XML cannot.
    let is_encoded = input
        .encoding_type
        .as_ref()
        .is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
    if is_encoded {
        for listed in &mut contents {
            listed.key = listed.key.as_deref().map(form_encode);
        }
        for group in &mut groups {
            *group = form_encode(group);
        }
    }
    let key_count = i32::try_from(contents.len() + groups.len()).unwrap_or(LARGEST_PAGE);
    let groups = groups
        .into_iter()
        .map(|prefix| CommonPrefix {
            prefix: Some(prefix),
        })
        .collect();
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        encoding_type: input.encoding_type.filter(|_| is_encoded),
        prefix: if is_encoded {
            input.prefix.as_deref().map(form_encode)
        } else {
            input.prefix
        },
        delimiter: input.delimiter,
        start_after: input.start_after,
        continuation_token: input.continuation_token,
        max_keys: Some(max_keys),
        key_count: Some(key_count),
        is_truncated: Some(is_truncated),
        next_continuation_token: last.filter(|_| is_truncated),
        contents: Some(contents),
        common_prefixes: Some(groups),
        ..Default::default()
    }))
}

/// ListObjectVersions, on one page: the newest version of each key first, as S3 has it.
pub(super) fn versions(
    store: &Store,
    input: ListObjectVersionsInput,
) -> S3Result<S3Response<ListObjectVersionsOutput>> {
    let state = store.0.lock();
    let bucket = state.bucket(&input.bucket)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let mut versions = Vec::new();
    let mut delete_markers = Vec::new();
    for (key, history) in bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
    {
        for (age, version) in history.iter().rev().enumerate() {
            let key = Some(key.clone());
            let is_latest = Some(age == 0);
            let last_modified = Some(Timestamp::from(version.last_modified));
            let version_id = Some(version.id.clone().unwrap_or_else(|| "null".to_owned()));
            match &version.object {
                Some(object) => versions.push(ObjectVersion {
                    key,
                    is_latest,
                    last_modified,
                    version_id,
                    e_tag: Some(ETag::Strong(object.etag.clone())),
                    size: Some(listed_size(object)),
                    ..Default::default()
                }),
                None => {
                    let entry = DeleteMarkerEntry {
                        key,
                        is_latest,
                        last_modified,
                        version_id,
                        ..Default::default()
                    };
                    delete_markers.push(entry);
                }
            }
        }
    }
    Ok(S3Response::new(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: input.prefix,
        is_truncated: Some(false),
        versions: Some(versions),
        delete_markers: Some(delete_markers),
        ..Default::default()
    }))
}
