//! What S3 said about one version of one object.

use std::fmt;

use time::OffsetDateTime;

use crate::printable::Printable;

/// A bucket and a key, as S3 knows them: the key is decoded, and may hold anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, Printable(&self.key))
    }
}

/// One version of an object: what the first GET answered. Every later request is pinned to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Where it lies.
    pub name: ObjectName,
    /// The ETag as S3 sends it, quotes included.
    pub etag: String,
    /// The version id; none where the bucket has no versions.
    pub version_id: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by S3's clock, to the second.
    pub last_modified: OffsetDateTime,
}
