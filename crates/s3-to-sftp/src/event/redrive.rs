//! What people write to have objects delivered again: `{"bucket", "key"}`, or a list of `"s3://bucket/key"`. The keys
//! are as they are, not encoded.

use super::error::excerpt;
use super::wire::{Any, Envelope, Shape};
use super::{EventError, Item, Job, non_empty};
use crate::object::ObjectName;

/// `{"bucket", "key"}`.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) version_id: Option<String>,
}

/// One object.
pub(super) fn item(number: usize, written: Written) -> Result<Item, EventError> {
    let missing = |field| EventError::Missing {
        record: number,
        field,
    };
    let name = ObjectName {
        bucket: non_empty(written.bucket).ok_or_else(|| missing("bucket"))?,
        key: non_empty(written.key).ok_or_else(|| missing("key"))?,
    };
    Ok(job(name, non_empty(written.version_id)))
}

/// A list of objects. `bytes` is where it comes from, for the error.
pub(super) fn list(entries: Vec<Any<Envelope>>, bytes: &[u8]) -> Result<Vec<Item>, EventError> {
    let entries: Vec<_> = (1..)
        .zip(entries)
        .map(|(number, entry)| of_entry(number, entry))
        .collect();
    if entries.iter().all(Result::is_err) {
        return Err(EventError::not_an_event(bytes));
    }
    let items = entries.into_iter();
    Ok(items
        .map(|item| item.unwrap_or_else(Item::Refused))
        .collect())
}

fn of_entry(number: usize, entry: Any<Envelope>) -> Result<Item, EventError> {
    let found = match entry {
        Any::Text(text) => match address(&text) {
            Some(name) => return Ok(job(name, None)),
            None => excerpt(text.as_bytes()),
        },
        Any::Object(envelope) => match envelope.shape() {
            Shape::Written(written) => return item(number, written),
            _ => "an object of another kind".to_owned(),
        },
        _ => "neither text nor an object".to_owned(),
    };
    Err(EventError::Address {
        record: number,
        found,
    })
}

/// `s3://bucket/key`. The key is whatever follows, a slash at its beginning too.
fn address(text: &str) -> Option<ObjectName> {
    let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then(|| ObjectName {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    })
}

fn job(name: ObjectName, version_id: Option<String>) -> Item {
    Item::Job(Job {
        name,
        etag: None,
        version_id,
        size: None,
        sequencer: None,
        time: None,
    })
}
