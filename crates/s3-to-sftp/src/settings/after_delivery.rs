//! What becomes of a source: `S3_AFTER_DELIVERY`.

use super::value::{Unfit, unfit};
use crate::object::ObjectName;

/// What happens to a source that is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterDelivery {
    /// It is deleted.
    Delete,
    /// It stays. Its event may come twice, and then it is sent twice.
    Keep,
    /// It is copied there, and then deleted.
    Move(ArchivePrefix),
}

/// Where delivered objects are moved to: a bucket, and what stands before their keys there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePrefix {
    bucket: String,
    /// Empty, or ends in `/`.
    prefix: String,
}

impl ArchivePrefix {
    /// Where an object belongs.
    pub fn place_of(&self, object: &ObjectName) -> ObjectName {
        ObjectName {
            bucket: self.bucket.clone(),
            key: format!("{}{}", self.prefix, object.key),
        }
    }

    /// Whether an object lies there. Everything in the bucket does where there is no prefix: a move
    /// within one bucket without a prefix would deliver its own copies.
    pub(super) fn holds(&self, object: &ObjectName) -> bool {
        object.bucket == self.bucket && object.key.starts_with(&self.prefix)
    }

    pub(super) fn has_prefix(&self) -> bool {
        !self.prefix.is_empty()
    }
}

pub(super) fn after_delivery(value: &str) -> Result<AfterDelivery, Unfit> {
    const FORM: &str = "give `delete`, `keep` or `move:s3://BUCKET/PREFIX`";
    let value = value.trim();
    match value {
        "delete" => return Ok(AfterDelivery::Delete),
        "keep" => return Ok(AfterDelivery::Keep),
        _ => {}
    }
    let Some(target) = value.strip_prefix("move:") else {
        return unfit(format!("is not known; {FORM}"));
    };
    let Some(target) = target.strip_prefix("s3://") else {
        return unfit(format!("names no place in S3 after `move:`; {FORM}"));
    };
    let (bucket, prefix) = target.split_once('/').unwrap_or((target, ""));
    let in_bucket_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bucket.is_empty() || !bucket.chars().all(in_bucket_names) {
        return unfit(format!("names no bucket after `s3://`; {FORM}"));
    }
    if prefix.starts_with('/') || prefix.contains("//") {
        return unfit(format!(
            "has two `/` behind each other, which S3 takes for a folder without a name; {FORM}"
        ));
    }
    if prefix.chars().any(char::is_control) {
        return unfit(format!("holds a control character; {FORM}"));
    }
    // `archive` means a folder: `archivereport.csv` is what nobody wants.
    let slash = if prefix.is_empty() || prefix.ends_with('/') {
        ""
    } else {
        "/"
    };
    Ok(AfterDelivery::Move(ArchivePrefix {
        bucket: bucket.to_owned(),
        prefix: format!("{prefix}{slash}"),
    }))
}
