//! The buckets under their lock, and the rules of S3 that need the lock: conditions, versions, delete markers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};

use super::object::Object;
use super::store::StoredVersion;
use super::upload::Upload;

#[derive(Default)]
pub(super) struct State {
    pub(super) buckets: BTreeMap<String, Bucket>,
    pub(super) uploads: HashMap<String, Upload>,
    pub(super) ignores_if_match_on_delete: bool,
    pub(super) ignores_if_none_match_on_copy: bool,
    pub(super) ignores_part_numbers: bool,
}

#[derive(Default)]
pub(super) struct Bucket {
    pub(super) versioned: bool,
    /// The oldest version first; the last one is current. Never an empty list.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
}

/// A version of a key. `object` is none in a delete marker.
#[derive(Clone)]
pub(super) struct Version {
    /// None for what was stored without versioning: S3 calls it `null`.
    pub(super) id: Option<String>,
    pub(super) last_modified: SystemTime,
    pub(super) object: Option<Arc<Object>>,
}

/// `If-Match` and `If-None-Match` of a write.
#[derive(Default)]
pub(super) struct Condition {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

/// What a DELETE did.
#[derive(Default)]
pub(super) struct Deleted {
    pub(super) version_id: Option<String>,
    pub(super) is_marker: bool,
}

impl Version {
    fn new(bucket: &Bucket, object: Option<Arc<Object>>) -> Self {
        let id = bucket.versioned.then(random_id);
        Self {
            id,
            last_modified: to_the_second(SystemTime::now()),
            object,
        }
    }

    fn is_called(&self, version_id: &str) -> bool {
        self.id.as_deref().unwrap_or("null") == version_id
    }

    pub(super) fn describe(&self) -> StoredVersion {
        let object = self.object.as_ref();
        StoredVersion {
            etag: object
                .map(|object| object.quoted_etag())
                .unwrap_or_default(),
            version_id: self.id.clone(),
            size: object.map_or(0, |object| object.content.size()),
            last_modified: self.last_modified,
            checksum: object.and_then(|object| object.checksum.clone()),
            is_delete_marker: object.is_none(),
        }
    }
}

impl Bucket {
    /// What a listing shows.
    pub(super) fn current(&self) -> impl Iterator<Item = (&String, &Version, &Arc<Object>)> {
        self.objects.iter().filter_map(|(key, versions)| {
            let version = versions.last()?;
            Some((key, version, version.object.as_ref()?))
        })
    }

    fn current_object(&self, key: &str) -> Option<&Arc<Object>> {
        self.objects.get(key)?.last()?.object.as_ref()
    }
}

impl State {
    pub(super) fn create_bucket(&mut self, bucket: &str) {
        self.buckets.entry(bucket.to_owned()).or_default();
    }

    pub(super) fn bucket(&self, bucket: &str) -> S3Result<&Bucket> {
        self.buckets.get(bucket).ok_or_else(no_such_bucket)
    }

    pub(super) fn bucket_mut(&mut self, bucket: &str) -> S3Result<&mut Bucket> {
        self.buckets.get_mut(bucket).ok_or_else(no_such_bucket)
    }

    /// Looks at the condition and stores under one lock, as S3 does: two writers with `If-None-Match: *` have one winner.
    pub(super) fn put(
        &mut self,
        bucket: &str,
        key: &str,
        object: Object,
        when: &Condition,
    ) -> S3Result<StoredVersion> {
        let bucket = self.bucket_mut(bucket)?;
        let current = bucket.current_object(key);
        if let Some(condition) = &when.if_match {
            let current = current.ok_or_else(no_such_key)?;
            if !matches(condition, current) {
                return Err(precondition_failed("If-Match"));
            }
        }
        if let (Some(condition), Some(current)) = (&when.if_none_match, current)
            && matches(condition, current)
        {
            return Err(precondition_failed("If-None-Match"));
        }
        let version = Version::new(bucket, Some(Arc::new(object)));
        let stored = version.describe();
        bucket.push(key, version);
        Ok(stored)
    }

    /// The version that GET, HEAD and COPY mean; an error says how S3 answers a missing one.
    pub(super) fn find(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<Found> {
        let bucket = self.bucket(bucket)?;
        let versions = bucket
            .objects
            .get(key)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let version = match version_id {
            None => versions.last().ok_or_else(no_such_key)?,
            Some(id) => versions
                .iter()
                .find(|version| version.is_called(id))
                .ok_or_else(no_such_version)?,
        };
        match &version.object {
            Some(object) => Ok(Found {
                object: Arc::clone(object),
                version_id: bucket.shown_id(version),
                last_modified: version.last_modified,
            }),
            None => Err(is_deleted(version, version_id.is_some())),
        }
    }

    /// `If-Match` looks at the current version, whichever version is to be deleted.
    pub(super) fn delete(
        &mut self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        if_match: Option<&ETagCondition>,
    ) -> S3Result<Deleted> {
        let if_match = if_match.filter(|_| !self.ignores_if_match_on_delete);
        let bucket = self.bucket_mut(bucket)?;
        if let Some(condition) = if_match {
            match bucket.current_object(key) {
                Some(current) if matches(condition, current) => {}
                Some(_) => return Err(precondition_failed("If-Match")),
                // AWS documents 412 for `*` over a delete marker, and 404 for what is missing.
                None if condition.is_any() && bucket.objects.contains_key(key) => {
                    return Err(precondition_failed("If-Match"));
                }
                None => return Err(no_such_key()),
            }
        }
        match version_id {
            Some(id) => Ok(bucket.remove_version(key, id)),
            None if bucket.versioned => {
                let marker = Version::new(bucket, None);
                let deleted = Deleted {
                    version_id: marker.id.clone(),
                    is_marker: true,
                };
                bucket.push(key, marker);
                Ok(deleted)
            }
            // Versioning suspended: the marker takes the place of the version `null`.
            None if bucket.has_ids(key) => {
                let marker = Version::new(bucket, None);
                let deleted = Deleted {
                    version_id: Some("null".to_owned()),
                    is_marker: true,
                };
                bucket.push(key, marker);
                Ok(deleted)
            }
            None => {
                bucket.objects.remove(key);
                Ok(Deleted::default())
            }
        }
    }
}

impl Bucket {
    fn has_ids(&self, key: &str) -> bool {
        self.objects
            .get(key)
            .is_some_and(|versions| versions.iter().any(|version| version.id.is_some()))
    }

    /// Where versions are kept, S3 calls one from before that `null`; elsewhere it names none.
    fn shown_id(&self, version: &Version) -> Option<String> {
        version
            .id
            .clone()
            .or_else(|| self.versioned.then(|| "null".to_owned()))
    }

    fn push(&mut self, key: &str, version: Version) {
        let versions = self.objects.entry(key.to_owned()).or_default();
        // Without versioning, what is stored takes the place of the version called `null`.
        if version.id.is_none() {
            versions.retain(|old| old.id.is_some());
        }
        versions.push(version);
    }

    fn remove_version(&mut self, key: &str, id: &str) -> Deleted {
        let mut is_marker = false;
        if let Some(versions) = self.objects.get_mut(key) {
            is_marker = versions
                .iter()
                .any(|version| version.is_called(id) && version.object.is_none());
            versions.retain(|version| !version.is_called(id));
            if versions.is_empty() {
                self.objects.remove(key);
            }
        }
        Deleted {
            version_id: Some(id.to_owned()),
            is_marker,
        }
    }
}

/// A version that can be read.
pub(super) struct Found {
    pub(super) object: Arc<Object>,
    pub(super) version_id: Option<String>,
    pub(super) last_modified: SystemTime,
}

pub(super) fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

pub(super) fn precondition_failed(header: &str) -> s3s::S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold: {header}"
    )
}

fn no_such_bucket() -> s3s::S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

fn no_such_key() -> s3s::S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

fn no_such_version() -> s3s::S3Error {
    s3_error!(NoSuchVersion, "The specified version does not exist.")
}

fn is_deleted(marker: &Version, by_id: bool) -> s3s::S3Error {
    let mut error = if by_id {
        s3_error!(
            MethodNotAllowed,
            "The specified method is not allowed against this resource."
        )
    } else {
        no_such_key()
    };
    let mut headers = hyper::HeaderMap::new();
    headers.insert(
        "x-amz-delete-marker",
        hyper::header::HeaderValue::from_static("true"),
    );
    if let Some(id) = marker.id.as_deref().and_then(|id| id.parse().ok()) {
        headers.insert("x-amz-version-id", id);
    }
    // The error's headers replace those of its XML body, type included.
    headers.insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/xml"),
    );
    error.set_headers(headers);
    error
}

/// S3 keeps and answers dates to the second.
pub(super) fn to_the_second(time: SystemTime) -> SystemTime {
    let since_epoch = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch.as_secs())
}

/// Version and upload ids: opaque, unlike each other, 32 characters as S3's are.
pub(super) fn random_id() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    let bytes: [u8; 32] = rand::random();
    bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 64)]))
        .collect()
}
