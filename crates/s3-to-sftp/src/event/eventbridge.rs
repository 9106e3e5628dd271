//! EventBridge: its events about objects, whose keys are not encoded, and records of invocations that came by it.

use serde_json::value::RawValue;

use super::wire::{Any, read};
use super::{EventError, Item, Job, Skip, Way, moment, non_empty, normalised, of_job, unwrapped};
use crate::object::ObjectName;

/// An event with a `detail-type`.
#[derive(Debug)]
pub(super) struct EventBridge {
    pub(super) source: Option<String>,
    pub(super) detail_type: String,
    pub(super) time: Option<String>,
    pub(super) detail: Option<Box<RawValue>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Detail {
    event_version: Any,
    bucket: Any<Bucket>,
    object: Any<Object>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Bucket {
    name: Any,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Object {
    key: Any,
    size: Any,
    etag: Any,
    version_id: Any,
    sequencer: Any,
}

/// What an event names. Others than S3 and Lambda have nothing to say here, and would be lost if they were passed over:
/// a rule that matches too much is to be seen.
pub(super) fn items(event: EventBridge, way: Way) -> Result<Vec<Item>, EventError> {
    let EventBridge {
        source,
        detail_type,
        time,
        detail,
    } = event;
    let detail = detail.as_ref().map_or("{}", |detail| detail.get());
    match source.as_deref() {
        // "AWS API Call via CloudTrail" comes from the same source, and may tell of an upload.
        Some("aws.s3") if detail_type.starts_with("Object ") => {
            Ok(vec![item(detail_type, time, detail)?])
        }
        Some("lambda") if detail_type.starts_with("Lambda Function Invocation Result") => {
            unwrapped(detail, way.open_to_others())
        }
        source => Err(EventError::NotOfS3 {
            source_name: source.unwrap_or_default().to_owned(),
            detail_type,
        }),
    }
}

fn item(detail_type: String, time: Option<String>, detail: &str) -> Result<Item, EventError> {
    let missing = |field| EventError::Missing { record: 1, field };
    let detail: Detail = read::<Detail>(detail.as_bytes())?
        .object()
        .unwrap_or_default();
    if let Some(version) = detail.event_version.text()
        && version.split('.').next() != Some("1")
    {
        return Err(EventError::Version {
            record: 1,
            field: "detail.event-version",
            version,
            reads: "1",
        });
    }

    let object = detail.object.object().unwrap_or_default();
    let bucket = detail.bucket.object().and_then(|bucket| bucket.name.text());
    let name = match (non_empty(bucket), non_empty(object.key.text())) {
        (Some(bucket), Some(key)) => Ok(ObjectName { bucket, key }),
        (None, _) => Err(missing("detail.bucket.name")),
        (_, None) => Err(missing("detail.object.key")),
    };
    if detail_type != "Object Created" {
        return Ok(Item::Skipped {
            name: name.ok(),
            why: Skip::NotACreation(detail_type),
        });
    }
    Ok(of_job(Job {
        name: name?,
        etag: object.etag.text().map(|etag| normalised(&etag)),
        version_id: non_empty(object.version_id.text()),
        size: object.size.number(),
        sequencer: non_empty(object.sequencer.text()),
        time: time.and_then(|time| moment(&time)),
    }))
}
