//! Whether sources could be disposed of when they are delivered: asked before anything is sent, by requests that change
//! nothing.
//!
//! No object can be hurt whatever a store thinks of conditions: both requests are about a name that nothing has. A store
//! that knows no conditions has a copy under such a name in its archive afterwards, or a delete marker.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use percent_encoding::utf8_percent_encode;

use super::archive::IN_PATHS;
use super::error::SourceError;
use super::{S3, status};
use crate::object::ObjectName;
use crate::settings::AfterDelivery;

/// An ETag that no object has.
const NO_ETAG: &str = "\"0-s3-to-sftp-asks-whether-it-may\"";

impl S3 {
    /// Asks S3 whether sources like `object` may be deleted, and be copied into the archive where there is one. What is
    /// asked about has a name that begins like theirs, with `beginning`, and goes on with `nonce`.
    ///
    /// # Errors
    ///
    /// [`SourceError::DeleteDenied`] and [`SourceError::ArchiveDenied`]: they may not. Anything else: S3 did not say.
    pub async fn may_dispose(
        &self,
        object: &ObjectName,
        beginning: &str,
        after: &AfterDelivery,
        nonce: &str,
    ) -> Result<(), SourceError> {
        let nobody = ObjectName {
            bucket: object.bucket.clone(),
            key: format!("{beginning}.s3-to-sftp-asks-{nonce}"),
        };
        if let AfterDelivery::Move(archive) = after {
            self.may_copy(object, &archive.place_of(&nobody)).await?;
        }
        let answer = self
            .client
            .delete_object()
            .bucket(&nobody.bucket)
            .key(&nobody.key)
            // In a versioned bucket a delete without it would leave a marker.
            .if_match(NO_ETAG)
            .send()
            .await;
        answer
            .map(drop)
            .or_else(|error| allowed(error, true).map_err(SourceError::of_delete))
    }

    async fn may_copy(&self, object: &ObjectName, target: &ObjectName) -> Result<(), SourceError> {
        let path = format!("{}/{}", object.bucket, object.key);
        let answer = self
            .client
            .copy_object()
            .bucket(&target.bucket)
            .key(&target.key)
            .copy_source(utf8_percent_encode(&path, IN_PATHS).to_string())
            .copy_source_if_match(NO_ETAG)
            .if_none_match("*")
            .send()
            .await;
        answer
            .map(drop)
            .or_else(|error| allowed(error, false).map_err(SourceError::of_archive))
    }
}

/// What a key has up to its last slash, that included.
pub(crate) fn directory(key: &str) -> &str {
    key.rfind('/').map_or("", |slash| &key[..=slash])
}

/// Whether an error says that the request would have been carried out, but for its condition.
fn allowed<E>(error: SdkError<E>, is_missing_fine: bool) -> Result<(), SourceError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match (status(&error), error.code()) {
        (_, Some("NoSuchBucket")) => Err(SourceError::from_sdk(error)),
        (Some(412 | 409), _) => Ok(()),
        (Some(404), _) if is_missing_fine => Ok(()),
        // The source has just been delivered, or is one that no copy takes: it is for its delivery to find out.
        (_, Some("NoSuchKey" | "InvalidRequest" | "InvalidObjectState")) => Ok(()),
        // A store that knows no such condition, and says so.
        (Some(400 | 501), _) => Ok(()),
        _ => Err(SourceError::from_sdk(error)),
    }
}
