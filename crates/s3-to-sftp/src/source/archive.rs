//! The move of a delivered source into the archive: a copy, and then the same delete as elsewhere.
//!
//! An archived object is never written over. S3 sees to that with `If-None-Match: *`; what lies
//! there already is done if it is this object, and otherwise the copy gets a second name.

use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::checksum::{Headers, compare};
use super::digest::{Algorithm, Checksum, Digest};
use super::error::SourceError;
use super::{Disposal, S3, size_of, status};
use crate::object::{ObjectName, ObjectVersion};
use crate::settings::S3Prefix;

/// What CopyObject takes; above, S3 copies by parts only.
const LARGEST_COPY: u64 = 5 * 1024 * 1024 * 1024;

/// Bytes of a key, by S3.
const LONGEST_KEY: usize = 1024;

/// What a second name has behind the first: a dot, and so many characters of the ETag.
const ETAG_CHARACTERS: usize = 8;

/// S3 answers when the copy is done, and five gigabytes take it a minute or more. The caller's
/// deadline comes first.
const COPY_TIMEOUT: Duration = Duration::from_secs(300);

/// A copy that met a concurrent write is tried this often.
const COPY_TRIES: usize = 3;

/// `x-amz-copy-source` is a path, and so is what separates its parts.
pub(super) const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What came of one name in the archive.
enum Attempt {
    /// The object is there.
    Done,
    /// Another one is there.
    Taken,
    /// The source is another one now.
    Replaced,
    /// The source is gone.
    Gone,
}

/// What lies under a name in the archive.
enum There {
    Nothing,
    Same,
    Other,
}

impl S3 {
    /// Whether `version` can be moved there when it is delivered: to be asked before anything is
    /// sent.
    ///
    /// # Errors
    ///
    /// [`SourceError::NotArchivable`], with the reason.
    pub fn archivable(&self, version: &ObjectVersion, to: &S3Prefix) -> Result<(), SourceError> {
        if version.size > LARGEST_COPY {
            return Err(SourceError::NotArchivable(
                "it has more than 5 GiB, the most that S3 copies at once",
            ));
        }
        if to.place_of(&version.name).key.len() + 1 + ETAG_CHARACTERS > LONGEST_KEY {
            return Err(SourceError::NotArchivable(
                "its key behind the archive's prefix is longer than the 1024 bytes that S3 allows",
            ));
        }
        Ok(())
    }

    /// Copies the version that was delivered into the archive, and deletes it as
    /// [`S3::delete`] does. `own` is the digest of all that was read of it: the copy has to be that.
    ///
    /// # Errors
    ///
    /// S3 refused or did not answer, or the archive has other objects under both names. The source
    /// is where it was; the delivery stands all the same.
    pub async fn archive(
        &self,
        version: &ObjectVersion,
        own: &Digest,
        to: &S3Prefix,
    ) -> Result<Disposal, SourceError> {
        self.archivable(version, to)?;
        let first = to.place_of(&version.name);
        let etag = version.etag.chars().filter(char::is_ascii_alphanumeric);
        let etag: String = etag.take(ETAG_CHARACTERS).collect();
        let second = ObjectName {
            key: format!("{}.{etag}", first.key),
            ..first.clone()
        };
        let own = own.checksum();
        for target in [&first, &second] {
            match self.copy(version, &own, target).await? {
                Attempt::Done => {
                    return Ok(match self.delete(version).await? {
                        Disposal::Deleted => Disposal::Archived,
                        other => other,
                    });
                }
                Attempt::Taken => {}
                Attempt::Replaced => return Ok(Disposal::Replaced),
                Attempt::Gone => return Ok(Disposal::AlreadyGone),
            }
        }
        Err(SourceError::ArchiveTaken(first.to_string()))
    }

    async fn copy(
        &self,
        version: &ObjectVersion,
        own: &Checksum,
        target: &ObjectName,
    ) -> Result<Attempt, SourceError> {
        // Stores that do not know the condition copy over what is there.
        if !self.is_aws {
            match self.there(version, own, target).await? {
                There::Same => return Ok(Attempt::Done),
                There::Other => return Ok(Attempt::Taken),
                There::Nothing => {}
            }
        }
        let path = format!("{}/{}", version.name.bucket, version.name.key);
        let mut source = utf8_percent_encode(&path, IN_PATHS).to_string();
        if let Some(id) = &version.version_id {
            source.push_str("?versionId=");
            source.extend(utf8_percent_encode(id, IN_PATHS));
        }
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(COPY_TIMEOUT)
            .operation_timeout(COPY_TIMEOUT)
            .build();
        let mut knows_conditions = true;
        for _ in 0..COPY_TRIES {
            let answer = self
                .client
                .copy_object()
                .bucket(&target.bucket)
                .key(&target.key)
                .copy_source(&source)
                .copy_source_if_match(&version.etag)
                .set_if_none_match(knows_conditions.then(|| "*".to_owned()))
                // So that the copy has a checksum that compares, whatever the source has.
                .set_checksum_algorithm(knows_conditions.then_some(ChecksumAlgorithm::Crc64Nvme))
                .customize()
                .config_override(
                    aws_sdk_s3::config::Builder::new().timeout_config(timeouts.clone()),
                )
                .send()
                .await;
            let error = match answer {
                Ok(copied) => {
                    let told = copied
                        .copy_object_result()
                        .and_then(|result| result.checksum_crc64_nvme())
                        .and_then(|told| Checksum::parse(Algorithm::Crc64Nvme, told));
                    if let Some(told) = told {
                        compare(Algorithm::Crc64Nvme, own, &told)?;
                    }
                    return Ok(Attempt::Done);
                }
                Err(error) => error,
            };
            match (status(&error), error.code()) {
                // One of the two conditions, or a copy of this very moment: what is there tells.
                (Some(412 | 409), _) => {
                    let conflict = status(&error) == Some(409);
                    match self.there(version, own, target).await? {
                        There::Same => return Ok(Attempt::Done),
                        There::Other => return Ok(Attempt::Taken),
                        There::Nothing if conflict => {}
                        There::Nothing => return Ok(Attempt::Replaced),
                    }
                }
                (_, Some("NoSuchKey" | "NoSuchVersion")) => return Ok(Attempt::Gone),
                // A store that knows no condition on a copy, and says so. The look has just passed.
                (Some(400 | 501), _) if !self.is_aws && knows_conditions => {
                    knows_conditions = false;
                }
                _ => return Err(SourceError::from_sdk(error).of_archive()),
            }
        }
        Err(SourceError::Busy)
    }

    /// What lies under a name in the archive, compared by content: the ETag of a copy is another
    /// one where the source came in parts or is encrypted by KMS.
    async fn there(
        &self,
        version: &ObjectVersion,
        own: &Checksum,
        target: &ObjectName,
    ) -> Result<There, SourceError> {
        let answer = self
            .client
            .head_object()
            .bucket(&target.bucket)
            .key(&target.key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let head = match answer {
            Ok(head) => head,
            Err(error) if status(&error) == Some(404) => return Ok(There::Nothing),
            Err(error) => return Err(SourceError::from_sdk(error).of_archive()),
        };
        let same_size = size_of(&head) == Some(version.size);
        let same = match Headers::from(&head).part(Algorithm::Crc64Nvme) {
            Some(checksum) => checksum == *own,
            None => head.e_tag() == Some(version.etag.as_str()),
        };
        Ok(if same_size && same {
            There::Same
        } else {
            There::Other
        })
    }
}
