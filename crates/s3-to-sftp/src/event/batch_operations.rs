//! Invocations by S3 Batch Operations: tasks, each of which gets a result of its own.
//!
//! Schema 1.0 names a bucket by its ARN, schema 2.0 by its name. Whoever makes the job chooses the schema; a later minor
//! number only adds fields, as with notifications.

use serde_json::Value;

use super::error::{EventError, excerpt};
use super::wire::{self, Any};
use super::{key, non_empty};
use crate::object::ObjectName;

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOperations {
    /// `invocationSchemaVersion` as it came: the answer repeats it.
    pub schema: Value,
    /// `invocationId` as it came: the answer repeats it.
    pub invocation_id: Value,
    /// The job's id.
    pub job: Option<String>,
    /// Whether this schema can be read. Where not, every task is refused.
    pub is_known: bool,
    /// The tasks, in order. S3 sends one in an invocation.
    pub tasks: Vec<Task>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What its result is told by. A task without cannot be answered.
    pub id: Option<String>,
    /// What is to be delivered.
    pub target: Result<Target, EventError>,
}

/// An object that a task names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Bucket and decoded key.
    pub name: ObjectName,
    /// The version that the manifest names.
    pub version_id: Option<String>,
    /// The same key for a sender that writes a plus as it is. AWS's own example reads it so, and all others read it as a blank.
    pub with_plus: Option<ObjectName>,
}

/// Why a task cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefused {
    /// A major version that may mean something else.
    #[error(
        "invocationSchemaVersion is {0}, and this program reads 1.x and 2.x; next: make the job with one of these, or \
         look for a newer release"
    )]
    Schema(String),
    /// A task without what a delivery needs.
    #[error("the task has no `{0}`; expected it, as in every invocation by S3 Batch Operations")]
    Missing(&'static str),
    /// A bucket's ARN that names none: an access point's, for one.
    #[error("{0} is no bucket's ARN; next: name the bucket itself in the manifest")]
    Bucket(String),
    /// A key that is not UTF-8, which no S3 key can be.
    #[error("the key is not UTF-8 when decoded: {0}; next: write the manifest's keys URL-encoded")]
    Key(String),
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    invocation_schema_version: Value,
    invocation_id: Value,
    job: Any<WireJob>,
    tasks: Any<WireTask>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct WireJob {
    id: Any,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireTask {
    task_id: Any,
    s3_key: Any,
    s3_version_id: Any,
    s3_bucket: Any,
    s3_bucket_arn: Any,
}

/// Reads an event that has an `invocationSchemaVersion`.
///
/// # Errors
///
/// It has no tasks, and so is something else.
pub(super) fn read(bytes: &[u8]) -> Result<BatchOperations, EventError> {
    let read = wire::read(bytes)?.object();
    let wire: Wire = read.ok_or_else(|| EventError::not_an_event(bytes))?;
    let Any::Array(tasks) = wire.tasks else {
        return Err(EventError::not_an_event(bytes));
    };
    let schema = wire.invocation_schema_version;
    let is_known = matches!(major(&schema), Some("1" | "2"));
    let tasks = tasks.into_iter().map(|task| {
        let task = task.object().unwrap_or_default();
        let WireTask { task_id, .. } = &task;
        let id = match task_id {
            Any::Text(id) if !id.is_empty() => Some(id.clone()),
            _ => None,
        };
        let target = if is_known {
            target(task)
        } else {
            Err(TaskRefused::Schema(excerpt(schema.to_string().as_bytes())))
        };
        Task {
            id,
            target: target.map_err(EventError::from),
        }
    });
    Ok(BatchOperations {
        tasks: tasks.collect(),
        is_known,
        job: wire.job.object().and_then(|job| job.id.text()),
        invocation_id: wire.invocation_id,
        schema,
    })
}

fn major(schema: &Value) -> Option<&str> {
    schema.as_str()?.split('.').next()
}

fn target(task: WireTask) -> Result<Target, TaskRefused> {
    let bucket = match (
        non_empty(task.s3_bucket.text()),
        non_empty(task.s3_bucket_arn.text()),
    ) {
        (Some(bucket), _) => bucket,
        (None, Some(arn)) => bucket_of(&arn)
            .ok_or_else(|| TaskRefused::Bucket(excerpt(arn.as_bytes())))?
            .to_owned(),
        (None, None) => return Err(TaskRefused::Missing("s3Bucket` or `s3BucketArn")),
    };
    let encoded = non_empty(task.s3_key.text()).ok_or(TaskRefused::Missing("s3Key"))?;
    let decoded = |encoded: &str| {
        let key = key::decode(encoded)?;
        Some(ObjectName {
            bucket: bucket.clone(),
            key,
        })
    };
    let name = decoded(&encoded).ok_or_else(|| TaskRefused::Key(excerpt(encoded.as_bytes())))?;
    let with_plus = if encoded.contains('+') {
        decoded(&encoded.replace('+', "%2B"))
    } else {
        None
    };
    Ok(Target {
        name,
        version_id: non_empty(task.s3_version_id.text()),
        with_plus,
    })
}

/// `arn:PARTITION:s3:::BUCKET`; older documents fill region and account in.
fn bucket_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "s3", _, _, bucket] = parts[..] else {
        return None;
    };
    let in_bucket_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!bucket.is_empty() && bucket.chars().all(in_bucket_names)).then_some(bucket)
}
