//! `Records[]`: notifications of S3, and messages that hold such.

use super::error::excerpt;
use super::wire::{Any, Record};
use super::{
    EventError, Item, Job, Skip, Way, key, moment, non_empty, normalised, of_job, sns, unwrapped,
};
use crate::object::ObjectName;

/// `s3` of a record.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct S3 {
    bucket: Any<Bucket>,
    object: Any<Object>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Bucket {
    name: Any,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Object {
    key: Any,
    size: Any,
    #[serde(rename = "eTag")]
    etag: Any,
    version_id: Any,
    sequencer: Any,
}

/// The records, those of messages too. `bytes` is where they come from, for the error.
pub(super) fn items(
    records: Vec<Any<Record>>,
    bytes: &[u8],
    way: Way,
) -> Result<Vec<Item>, EventError> {
    let is_known = |record: &Any<Record>| match record {
        Any::Object(record) => {
            matches!(record.s3, Any::Object(_))
                || matches!(record.sns, Any::Object(_))
                || record.is_from_queue()
        }
        _ => false,
    };
    if !records.is_empty() && !records.iter().any(is_known) {
        return Err(EventError::not_an_event(bytes));
    }
    let mut items = Vec::with_capacity(records.len());
    for (number, record) in (1..).zip(records) {
        let record = record.object().unwrap_or_default();
        if let Any::Object(message) = record.sns {
            push(&mut items, sns::items(number, message, way));
        } else if record.is_from_queue() {
            // A batch that is not the outermost value has nobody to answer to: its bodies are what counts.
            let body = record.body.text().ok_or(EventError::NoBody);
            push(&mut items, body.and_then(|body| unwrapped(&body, way)));
        } else {
            items.push(item(number, record).unwrap_or_else(Item::Refused));
        }
    }
    Ok(items)
}

fn push(items: &mut Vec<Item>, of_message: Result<Vec<Item>, EventError>) {
    match of_message {
        Ok(more) => items.extend(more),
        Err(error) => items.push(Item::Refused(error)),
    }
}

fn item(number: usize, record: Record) -> Result<Item, EventError> {
    let missing = |field| EventError::Missing {
        record: number,
        field,
    };

    // AWS: the major version is to be compared for equality; 2.x only adds fields.
    if let Some(version) = record.event_version.text()
        && version.split('.').next() != Some("2")
    {
        return Err(EventError::Version {
            record: number,
            field: "eventVersion",
            version,
            reads: "2",
        });
    }

    let s3 = record.s3.object().unwrap_or_default();
    let object = s3.object.object().unwrap_or_default();
    let bucket = s3.bucket.object().and_then(|bucket| bucket.name.text());
    let name = match (non_empty(bucket), non_empty(object.key.text())) {
        (Some(bucket), Some(encoded)) => match key::decode(&encoded) {
            Some(key) => Ok(ObjectName { bucket, key }),
            None => Err(EventError::Key {
                record: number,
                bucket,
                key: excerpt(encoded.as_bytes()),
            }),
        },
        (None, _) => Err(missing("s3.bucket.name")),
        (_, None) => Err(missing("s3.object.key")),
    };

    if let Some(event) = record.event_name.text()
        && !is_creation(&event)
    {
        return Ok(Item::Skipped {
            name: name.ok(),
            why: Skip::NotACreation(event),
        });
    }
    Ok(of_job(Job {
        name: name?,
        etag: object.etag.text().map(|etag| normalised(&etag)),
        version_id: non_empty(object.version_id.text()),
        size: object.size.number(),
        sequencer: non_empty(object.sequencer.text()),
        time: record.event_time.text().and_then(|time| moment(&time)),
    }))
}

/// Without an `s3:` in notifications, with it in the configuration and from other vendors.
fn is_creation(event: &str) -> bool {
    event
        .strip_prefix("s3:")
        .unwrap_or(event)
        .starts_with("ObjectCreated:")
}
