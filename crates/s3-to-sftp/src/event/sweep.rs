//! A sweep, as a schedule asks for it: `{"sweep":"s3://bucket/prefix/","older_than":"1d"}`.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::error::excerpt;
use super::wire::Any;

/// What is to be swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepRequest {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with, as S3 compares it; empty for all.
    pub prefix: String,
    /// What has lain longer is sent.
    pub older_than: Duration,
}

impl fmt::Display for SweepRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// Why nothing is swept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SweepRefused {
    /// No place in S3.
    #[error("`sweep` is no place in S3: {found}; {FORM}")]
    NoPlace {
        /// What it says.
        found: String,
    },
    /// A bucket alone: easily a prefix that was forgotten.
    #[error(
        "`sweep` names no prefix: give `s3://{bucket}/PREFIX/`, or `s3://{bucket}/` for the whole bucket"
    )]
    NoPrefix {
        /// The bucket.
        bucket: String,
    },
    /// No age.
    #[error("`older_than` is missing; {FORM}")]
    NoAge,
    /// An age that is none.
    #[error("`older_than` is no time: {found}; give one like `90m`, `12h` or `1d`")]
    Age {
        /// What it says.
        found: String,
    },
    /// No time at all: events on their way would be overtaken.
    #[error(
        "`older_than` is no time at all; what was uploaded a moment ago has an event on its way: give one like `1d`"
    )]
    NoTime,
    /// Every source stays where it is.
    #[error(
        "S3_AFTER_DELIVERY=keep leaves every source where it is, so each run would have all of them sent again; next: set \
         `delete` or `move:…`, or remove the schedule"
    )]
    Keep,
    /// Nowhere to send to.
    #[error(
        "SWEEP_QUEUE_URL is not set; next: set it to the URL of the queue that the function reads from"
    )]
    NoQueue,
}

const FORM: &str = r#"expected {"sweep":"s3://BUCKET/PREFIX/","older_than":"1d"}"#;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Wire {
    sweep: Any,
    older_than: Value,
}

/// Reads an event that has a `sweep`.
pub(super) fn read(bytes: &[u8]) -> Result<SweepRequest, SweepRefused> {
    let no_place = || SweepRefused::NoPlace {
        found: excerpt(bytes),
    };
    let wire: Wire = serde_json::from_slice(bytes).map_err(|_| no_place())?;
    let sweep = wire.sweep.text().ok_or_else(no_place)?;
    let place = sweep.strip_prefix("s3://").ok_or_else(no_place)?;
    let in_bucket_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let (bucket, prefix) = match place.split_once('/') {
        Some((bucket, prefix)) => (bucket, Some(prefix)),
        None => (place, None),
    };
    if bucket.is_empty() || !bucket.chars().all(in_bucket_names) {
        return Err(no_place());
    }
    let bucket = bucket.to_owned();
    let Some(prefix) = prefix else {
        return Err(SweepRefused::NoPrefix { bucket });
    };
    let older_than = match &wire.older_than {
        Value::Null => return Err(SweepRefused::NoAge),
        Value::String(text) => age(text),
        other => other.as_u64(),
    };
    let older_than = match older_than {
        Some(0) => return Err(SweepRefused::NoTime),
        Some(seconds) => Duration::from_secs(seconds),
        None => {
            return Err(SweepRefused::Age {
                found: excerpt(wire.older_than.to_string().as_bytes()),
            });
        }
    };
    Ok(SweepRequest {
        bucket,
        prefix: prefix.to_owned(),
        older_than,
    })
}

/// Seconds, as durations of settings are written, and hours and days.
fn age(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, unit) = match text.char_indices().next_back()? {
        (last, 's') => (&text[..last], 1),
        (last, 'm') => (&text[..last], 60),
        (last, 'h') => (&text[..last], 3600),
        (last, 'd') => (&text[..last], 24 * 3600),
        _ => (text, 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = if is_number {
        digits.parse().ok()?
    } else {
        return None;
    };
    number.checked_mul(unit)
}
