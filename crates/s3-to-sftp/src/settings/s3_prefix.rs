//! Places in S3 that things are put to: `s3://BUCKET/PREFIX`.

use super::value::{Unfit, unfit};
use crate::object::ObjectName;

/// A bucket, and what stands before keys there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Prefix {
    bucket: String,
    /// Empty, or ends in `/`.
    prefix: String,
}

impl S3Prefix {
    /// The place there of an object that keeps its key.
    pub fn place_of(&self, object: &ObjectName) -> ObjectName {
        ObjectName {
            bucket: self.bucket.clone(),
            key: format!("{}{}", self.prefix, object.key),
        }
    }

    /// Whether an object lies there. Everything in the bucket does where there is no prefix.
    pub(super) fn holds(&self, object: &ObjectName) -> bool {
        object.bucket == self.bucket && object.key.starts_with(&self.prefix)
    }

    pub(super) fn has_prefix(&self) -> bool {
        !self.prefix.is_empty()
    }
}

/// Reads one. `place` and `form` are for the advice: where it is written, and how.
pub(super) fn s3_prefix(value: &str, place: &str, form: &str) -> Result<S3Prefix, Unfit> {
    let Some(target) = value.strip_prefix("s3://") else {
        return unfit(format!("names no place in S3 {place}; {form}"));
    };
    let (bucket, prefix) = target.split_once('/').unwrap_or((target, ""));
    let in_bucket_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bucket.is_empty() || !bucket.chars().all(in_bucket_names) {
        return unfit(format!("names no bucket after `s3://`; {form}"));
    }
    if prefix.starts_with('/') || prefix.contains("//") {
        return unfit(format!(
            "has two `/` behind each other, which S3 takes for a folder without a name; {form}"
        ));
    }
    if prefix.chars().any(char::is_control) {
        return unfit(format!("holds a control character; {form}"));
    }
    // `archive` means a folder: `archivereport.csv` is what nobody wants.
    let slash = if prefix.is_empty() || prefix.ends_with('/') {
        ""
    } else {
        "/"
    };
    Ok(S3Prefix {
        bucket: bucket.to_owned(),
        prefix: format!("{prefix}{slash}"),
    })
}

/// `RECEIPT_PREFIX`.
pub(super) fn receipts(value: &str) -> Result<S3Prefix, Unfit> {
    const FORM: &str = "give `s3://BUCKET/PREFIX/`";
    let prefix = s3_prefix(value.trim(), "at its beginning", FORM)?;
    if !prefix.has_prefix() {
        // Every object of the bucket would be one of the function's own.
        return unfit(format!("names a bucket and no prefix in it; {FORM}"));
    }
    Ok(prefix)
}
