//! Why S3 did not give an object, or not all of it.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::digest::Algorithm;
use super::status;

/// What S3 answered. The object is named by whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// 403.
    #[error("S3 denied access: the object is gone, or reading it is not allowed")]
    Denied(#[source] Box<dyn Error + Send + Sync>),
    /// 403 to a listing.
    #[error("S3 denied the listing")]
    ListDenied(#[source] Box<dyn Error + Send + Sync>),
    /// 403 to a delete.
    #[error("S3 denied the delete")]
    DeleteDenied(#[source] Box<dyn Error + Send + Sync>),
    /// Nothing has this key.
    #[error("there is no such object")]
    Missing,
    /// The bucket does not exist, or is another account's in another region.
    #[error("there is no such bucket")]
    NoSuchBucket(#[source] Box<dyn Error + Send + Sync>),
    /// The object lies in an archive and has to be restored first.
    #[error("the object is archived")]
    Archived(#[source] Box<dyn Error + Send + Sync>),
    /// The object was replaced while it was read.
    #[error("the object was replaced while it was read")]
    Replaced,
    /// The object was deleted while it was read.
    #[error("the object was deleted while it was read")]
    Vanished,
    /// The body broke off, and going on did not help.
    #[error("the object's body broke off")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    /// The body had another length than S3 announced.
    #[error("S3 sent {got} bytes of an object of {expected}")]
    Length {
        /// What Content-Length said.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// The bytes are not those that S3's checksum is of.
    #[error("the bytes that S3 sent have the {algorithm} checksum {found}, and S3 says {expected}")]
    Checksum {
        /// What it was computed with.
        algorithm: Algorithm,
        /// S3's, in Base64.
        expected: String,
        /// That of what came.
        found: String,
    },
    /// A checkpoint is none of this object: the record that it came in was changed.
    #[error("the record to go on from does not fit the object")]
    Checkpoint,
    /// It could not be moved into the archive after its delivery.
    #[error("the object cannot be moved into the archive: {0}")]
    NotArchivable(&'static str),
    /// 403 to the copy into the archive.
    #[error("S3 denied the copy into the archive")]
    ArchiveDenied(#[source] Box<dyn Error + Send + Sync>),
    /// Other objects have the names in the archive.
    #[error("the archive has other objects as {0}, and under its second name")]
    ArchiveTaken(String),
    /// An answer lacks what every S3 sends.
    #[error("S3's answer has no {header}")]
    Malformed {
        /// The header that is missing.
        header: &'static str,
    },
    /// Concurrent writes kept a delete from being carried out.
    #[error("S3 answered 409 to each try: others write to the same key")]
    Busy,
    /// Too large for what it is meant to be.
    #[error("the object is too large: at most {limit} bytes are read")]
    TooLarge {
        /// Bytes.
        limit: u64,
    },
    /// No UTF-8.
    #[error("the object is no text")]
    NotText,
    /// Anything else: a server error after the SDK's three tries, a time-out, no connection.
    #[error("S3 did not answer well")]
    Other(#[source] Box<dyn Error + Send + Sync>),
}

impl SourceError {
    /// There is another object now, or none: asking again does not help.
    pub(super) fn is_of_the_object(&self) -> bool {
        matches!(self, Self::Replaced | Self::Vanished)
    }

    /// Whether S3 denied to delete or to move a source.
    pub(crate) fn is_disposal_denied(&self) -> bool {
        matches!(self, Self::DeleteDenied(_) | Self::ArchiveDenied(_))
    }

    /// An error of a delete: what is denied is that.
    pub(super) fn of_delete(self) -> Self {
        match self {
            Self::Denied(source) => Self::DeleteDenied(source),
            error => error,
        }
    }

    /// An error of a listing.
    pub(super) fn of_listing(self) -> Self {
        match self {
            Self::Denied(source) => Self::ListDenied(source),
            error => error,
        }
    }

    /// An error of a copy into the archive. The source was read a moment ago: what is denied is the archive.
    pub(super) fn of_archive(self) -> Self {
        match self {
            Self::Denied(source) => Self::ArchiveDenied(source),
            error => error,
        }
    }

    pub(super) fn from_sdk<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = status(&error);
        let code = error.code().unwrap_or_default().to_owned();
        let source: Box<dyn Error + Send + Sync> = match (status, error.message()) {
            (Some(status), message) => {
                format!("{status} {code}: {}", message.unwrap_or("no message")).into()
            }
            (None, _) => innermost(error).into(),
        };
        match (status, code.as_str()) {
            (_, "InvalidObjectState") => Self::Archived(source),
            (_, "NoSuchBucket") => Self::NoSuchBucket(source),
            (Some(403), _) => Self::Denied(source),
            _ => Self::Other(source),
        }
    }
}

/// The SDK wraps a refused connection five times over, and its outer layers say "dispatch failure".
fn innermost<E: Error + 'static>(error: SdkError<E>) -> String {
    let mut inner: &dyn Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
