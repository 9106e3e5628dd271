//! What becomes of a source: `S3_AFTER_DELIVERY`.

use super::s3_prefix::{S3Prefix, s3_prefix};
use super::value::{Unfit, unfit};

/// What happens to a source that is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterDelivery {
    /// It is deleted.
    Delete,
    /// It stays. Its event may come twice, and then it is sent twice.
    Keep,
    /// It is copied there, and then deleted.
    Move(S3Prefix),
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
    s3_prefix(target, "after `move:`", FORM).map(AfterDelivery::Move)
}
