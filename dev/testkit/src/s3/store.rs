//! The buckets and what lies in them, as tests see it: without HTTP, without waiting.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::checksum::{Algorithm, Checksum, Coverage};
use super::object::{Object, Piece};
use super::state::{Condition, State, Version};
use super::sync::Locked;

/// A handle to the buckets of an [`S3Server`](super::S3Server); clones share them, so a hook may own one.
///
/// Every method that names a bucket panics when there is none of that name: a test that does so is wrong.
#[derive(Clone, Default)]
pub struct Store(pub(super) Arc<Locked<State>>);

/// What was stored, as S3's answers show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// With its quotes, as S3 answers it. Notifications carry it without.
    pub etag: String,
    /// None in a bucket without versioning.
    pub version_id: Option<String>,
    /// Bytes.
    pub size: u64,
    /// To the second.
    pub last_modified: SystemTime,
    /// What S3 keeps beside it.
    pub checksum: Option<Checksum>,
    /// It marks the key as deleted; size and ETag mean nothing.
    pub is_delete_marker: bool,
}

impl Store {
    /// Makes a bucket; an existing one stays as it is.
    pub fn create_bucket(&self, bucket: &str) {
        self.0.lock().create_bucket(bucket);
    }

    /// Makes a bucket that keeps versions, or lets an existing one do so from now on.
    pub fn create_versioned_bucket(&self, bucket: &str) {
        let mut state = self.0.lock();
        state.create_bucket(bucket);
        state.bucket_mut(bucket).expect("created above").versioned = true;
    }

    /// Stores an object as one PUT does.
    pub fn put(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> StoredVersion {
        self.insert(
            bucket,
            key,
            Object::single(Piece::Stored(body.into()), Algorithm::Crc64Nvme),
        )
    }

    /// Stores `size` bytes of [`crate::payload::ramp`], computed while they are sent: gigabytes cost nothing.
    /// Their ETag is opaque, not an MD5.
    pub fn put_generated(&self, bucket: &str, key: &str, size: u64) -> StoredVersion {
        self.put_generated_from(bucket, key, 0, size)
    }

    /// [`put_generated`](Self::put_generated) of `size` bytes from `offset` of the ramp on: other bytes of the same size,
    /// and another ETag, for a version that replaces one.
    pub fn put_generated_from(
        &self,
        bucket: &str,
        key: &str,
        offset: u64,
        size: u64,
    ) -> StoredVersion {
        let piece = Piece::Ramp { offset, size };
        self.insert(bucket, key, Object::single(piece, Algorithm::Crc64Nvme))
    }

    /// Stores an object as a multipart upload that names no checksum does: CRC64NVME over the full object.
    /// Parts may be of any size, also below AWS's 5 MiB.
    pub fn put_multipart(&self, bucket: &str, key: &str, parts: Vec<Bytes>) -> StoredVersion {
        self.put_multipart_with(
            bucket,
            key,
            parts,
            Algorithm::Crc64Nvme,
            Coverage::FullObject,
        )
    }

    /// Stores an object as a multipart upload does; boto3 makes `Crc32`, `Composite`.
    pub fn put_multipart_with(
        &self,
        bucket: &str,
        key: &str,
        parts: Vec<Bytes>,
        algorithm: Algorithm,
        coverage: Coverage,
    ) -> StoredVersion {
        let pieces = parts.into_iter().map(Piece::Stored).collect();
        self.insert(bucket, key, Object::multipart(pieces, algorithm, coverage))
    }

    /// [`put_generated`](Self::put_generated) in parts of `part_size`.
    pub fn put_generated_multipart(
        &self,
        bucket: &str,
        key: &str,
        size: u64,
        part_size: u64,
        algorithm: Algorithm,
        coverage: Coverage,
    ) -> StoredVersion {
        assert!(part_size > 0, "parts of no bytes never end");
        let pieces = (0..size.div_ceil(part_size).max(1))
            .map(|number| number * part_size)
            .map(|offset| Piece::Ramp {
                offset,
                size: part_size.min(size - offset),
            })
            .collect();
        self.insert(bucket, key, Object::multipart(pieces, algorithm, coverage))
    }

    /// The current bytes; none where the key is missing or its current version is a delete marker.
    #[must_use]
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let content = self.current(bucket, key)?.object?.content.clone();
        Some(content.to_bytes())
    }

    /// What is current, without its bytes.
    #[must_use]
    pub fn stored(&self, bucket: &str, key: &str) -> Option<StoredVersion> {
        self.current(bucket, key)
            .filter(|version| version.object.is_some())
            .map(|version| version.describe())
    }

    /// Whether GET would find it.
    #[must_use]
    pub fn exists(&self, bucket: &str, key: &str) -> bool {
        self.stored(bucket, key).is_some()
    }

    /// The keys that a listing shows, in order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let state = self.0.lock();
        let bucket = state.bucket(bucket).expect("the bucket exists");
        bucket.current().map(|(key, ..)| key.clone()).collect()
    }

    /// All versions of a key and its delete markers, the oldest first.
    #[must_use]
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<StoredVersion> {
        let state = self.0.lock();
        let bucket = state.bucket(bucket).expect("the bucket exists");
        bucket
            .objects
            .get(key)
            .into_iter()
            .flatten()
            .map(Version::describe)
            .collect()
    }

    /// Deletes as DELETE without conditions does: for good, or by a marker where the bucket keeps versions.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.0
            .lock()
            .delete(bucket, key, None, None)
            .expect("the bucket exists");
    }

    /// Sets the date of the current version, to the second.
    pub fn set_last_modified(&self, bucket: &str, key: &str, last_modified: SystemTime) {
        self.change(bucket, key, |version| {
            version.last_modified = super::state::to_the_second(last_modified)
        });
    }

    /// Takes the checksum away: an object uploaded before 2025, for which S3 computed none.
    pub fn forget_checksum(&self, bucket: &str, key: &str) {
        self.change_object(bucket, key, |object| {
            object.checksum = None;
            object
                .parts
                .iter_mut()
                .for_each(|part| part.checksum = None);
        });
    }

    /// Moves the current version to another storage class; `GLACIER` and `DEEP_ARCHIVE` refuse GET.
    pub fn set_storage_class(&self, bucket: &str, key: &str, class: &str) {
        self.change_object(bucket, key, |object| {
            object.storage_class = Some(class.to_owned())
        });
    }

    /// Lets this store delete whatever `If-Match` says, as stores do that do not know the header on DELETE.
    pub fn ignore_if_match_on_delete(&self) {
        self.0.lock().ignores_if_match_on_delete = true;
    }

    /// Lets this store copy over what is there whatever `If-None-Match` says, as stores do that do not know the
    /// header on COPY.
    pub fn ignore_if_none_match_on_copy(&self) {
        self.0.lock().ignores_if_none_match_on_copy = true;
    }

    /// Lets this store answer the whole object to GET and HEAD of a part, as stores do that do not know `partNumber`.
    pub fn ignore_part_numbers(&self) {
        self.0.lock().ignores_part_numbers = true;
    }

    fn insert(&self, bucket: &str, key: &str, object: Object) -> StoredVersion {
        self.0
            .lock()
            .put(bucket, key, object, &Condition::default())
            .expect("the bucket exists")
    }

    fn current(&self, bucket: &str, key: &str) -> Option<Version> {
        let state = self.0.lock();
        let bucket = state.bucket(bucket).expect("the bucket exists");
        bucket.objects.get(key)?.last().cloned()
    }

    fn change(&self, bucket: &str, key: &str, change: impl FnOnce(&mut Version)) {
        let mut state = self.0.lock();
        let bucket = state.bucket_mut(bucket).expect("the bucket exists");
        change(
            bucket
                .objects
                .get_mut(key)
                .and_then(|versions| versions.last_mut())
                .expect("the object exists"),
        );
    }

    fn change_object(&self, bucket: &str, key: &str, change: impl FnOnce(&mut Object)) {
        self.change(bucket, key, |version| {
            change(Arc::make_mut(
                version.object.as_mut().expect("no delete marker"),
            ));
        });
    }
}
