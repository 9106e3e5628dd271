//! JSON → jobs: every shape in which S3 tells that a key changed.
//!
//! Each record is judged for itself: one that cannot be read must not take the others along.

mod key;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::hand_over::{HandOver, HandOverRefused};
use crate::object::ObjectName;
use wire::{Any, Envelope, Record};

/// What an invocation was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A notification from S3 itself, its records in order.
    Notification(Vec<Item>),
    /// A batch from a queue, its messages in order.
    Queue(Vec<Message>),
    /// `s3:TestEvent`, which S3 sends when a notification is set up. To be acknowledged.
    Test,
}

/// One message of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, by which it is reported as failed. A message without can only fail with its whole batch.
    pub id: Option<String>,
    /// How often it was received, this time included.
    pub receive_count: Option<u32>,
    /// By which it is deleted, or shown again later.
    pub receipt_handle: Option<String>,
    /// Its queue's ARN.
    pub queue: Option<String>,
    /// Its body as it came.
    pub body: Option<String>,
    /// The records of its body.
    pub content: Result<Vec<Item>, EventError>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An object to deliver.
    Job(Job),
    /// An object that an earlier invocation has handed over.
    Continued(Box<HandOver>),
    /// Nothing to deliver, and rightly so.
    Skipped {
        /// The object that it is about.
        name: Option<ObjectName>,
        /// Why there is nothing to do.
        why: Skip,
    },
    /// A record that cannot be read. Has to fail, or its object is lost.
    Refused(EventError),
}

/// An object that changed, and what the event knows of it. What is delivered is what is there *now*, so all
/// but the name is a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Bucket and decoded key.
    pub name: ObjectName,
    /// The ETag, without `W/` and quotes: senders differ in them.
    pub etag: Option<String>,
    /// The version id, where the bucket has versions.
    pub version_id: Option<String>,
    /// The length in bytes.
    pub size: Option<u64>,
    /// Orders the events of one key: hexadecimal, the shorter one filled up with zeros at its right.
    pub sequencer: Option<String>,
}

/// Why a record needs no delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// The event is not a creation; its name.
    NotACreation(String),
    /// An empty object whose key ends with `/`, which consoles make to show a folder.
    FolderMarker,
    /// `s3:TestEvent`, in the body of a message.
    TestEvent,
    /// `SSH_ON_CONFLICT=skip`: this path has a file of other content. The source is kept.
    Exists(String),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACreation(name) => {
                write!(
                    f,
                    "skipped: the event is {name:?}, and only ObjectCreated:* is delivered"
                )
            }
            Self::FolderMarker => {
                f.write_str("skipped: a folder marker (the key ends with `/`, the size is 0)")
            }
            Self::Exists(path) => write!(
                f,
                "skipped: {path} exists on the server with other content (SSH_ON_CONFLICT=skip); the source is kept"
            ),
            Self::TestEvent => f.write_str("acknowledged: S3's test event, which holds no object"),
        }
    }
}

/// Why an event, a message or a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON.
    #[error("expected {EXPECTED}, but this is no JSON ({reason}); found: {found}")]
    NotJson {
        /// What the parser says.
        reason: String,
        /// Its beginning.
        found: String,
    },
    /// JSON of another kind.
    #[error("expected {EXPECTED}; found: {found}")]
    NotAnEvent {
        /// Its beginning.
        found: String,
    },
    /// A message without a body.
    #[error("the queue's message has no body; expected {EXPECTED} in it")]
    NoBody,
    /// A message of this program to itself that it does not understand.
    #[error(
        "the continuation of an earlier invocation is refused: {0}; next: send the object's event again"
    )]
    HandOver(#[from] HandOverRefused),
    /// A record without what a delivery needs.
    #[error("record {record} has no `{field}`; expected it, as in every S3 event notification")]
    Missing {
        /// Counted from 1.
        record: usize,
        /// The path of what is not there.
        field: &'static str,
    },
    /// A major version that may mean something else.
    #[error(
        "record {record} is of eventVersion {version:?}; this program reads 2.x. Look for a newer release of it"
    )]
    Version {
        /// Counted from 1.
        record: usize,
        /// What it says.
        version: String,
    },
    /// A key that is not UTF-8, which no S3 key can be.
    #[error("the key of record {record} is not UTF-8 when decoded: {key}; in bucket {bucket:?}")]
    Key {
        /// Counted from 1.
        record: usize,
        /// The bucket.
        bucket: String,
        /// The key as it stands in the event.
        key: String,
    },
}

const EXPECTED: &str = "an S3 event notification (Records[].s3.bucket.name and .s3.object.key), an s3:TestEvent, \
                        or SQS messages that hold such (Records[].eventSource \"aws:sqs\" and .body)";

/// Reads what an invocation was started with.
///
/// # Errors
///
/// Nothing in it could be read. What can go wrong with one record or one message stands in its place.
pub fn parse(bytes: &[u8]) -> Result<Event, EventError> {
    let envelope = read(bytes)?;
    if envelope.is_test() {
        return Ok(Event::Test);
    }
    if let Some(hand_over) = envelope.hand_over {
        return Ok(Event::Notification(vec![continued(hand_over)]));
    }
    let Any::Array(records) = envelope.records else {
        return Err(not_an_event(bytes));
    };
    if records.iter().any(is_from_queue) {
        return Ok(Event::Queue(records.into_iter().map(message).collect()));
    }
    notification(records, bytes).map(Event::Notification)
}

/// Reads the body of one message: any shape but that of a queue.
fn parse_body(body: &str) -> Result<Vec<Item>, EventError> {
    let envelope = read(body.as_bytes())?;
    if envelope.is_test() {
        return Ok(vec![Item::Skipped {
            name: None,
            why: Skip::TestEvent,
        }]);
    }
    if let Some(hand_over) = envelope.hand_over {
        return Ok(vec![continued(hand_over)]);
    }
    match envelope.records {
        Any::Array(records) => notification(records, body.as_bytes()),
        _ => Err(not_an_event(body.as_bytes())),
    }
}

fn read(bytes: &[u8]) -> Result<Envelope, EventError> {
    match serde_json::from_slice(bytes) {
        Ok(Any::Object(envelope)) => Ok(envelope),
        Ok(_) => Err(not_an_event(bytes)),
        Err(error) => Err(EventError::NotJson {
            reason: error.to_string(),
            found: excerpt(bytes),
        }),
    }
}

fn continued(value: serde_json::Value) -> Item {
    match HandOver::read(value) {
        Ok(hand_over) => Item::Continued(Box::new(hand_over)),
        Err(refused) => Item::Refused(refused.into()),
    }
}

fn message(record: Any<Record>) -> Message {
    let record = record.object().unwrap_or_default();
    let attributes = record.attributes.object().unwrap_or_default();
    let body = record.body.text();
    Message {
        id: record.message_id.text(),
        receipt_handle: record.receipt_handle.text(),
        queue: record.queue.text(),
        receive_count: attributes
            .receive_count
            .number()
            .and_then(|count| count.try_into().ok()),
        content: match &body {
            Some(body) => parse_body(body),
            None => Err(EventError::NoBody),
        },
        body,
    }
}

/// The records of a notification. `bytes` is where they come from, for the error.
fn notification(records: Vec<Any<Record>>, bytes: &[u8]) -> Result<Vec<Item>, EventError> {
    let is_from_s3 = |record: &Any<Record>| {
        matches!(
            record,
            Any::Object(Record {
                s3: Any::Object(_),
                ..
            })
        )
    };
    if !records.is_empty() && !records.iter().any(is_from_s3) {
        return Err(not_an_event(bytes));
    }
    let numbered = (1..).zip(records);
    Ok(numbered
        .map(|(number, record)| item(number, record).unwrap_or_else(Item::Refused))
        .collect())
}

fn item(number: usize, record: Any<Record>) -> Result<Item, EventError> {
    let missing = |field| EventError::Missing {
        record: number,
        field,
    };
    let record = record.object().unwrap_or_default();

    // AWS: the major version is to be compared for equality; 2.x only adds fields.
    if let Some(version) = record.event_version.text()
        && version.split('.').next() != Some("2")
    {
        return Err(EventError::Version {
            record: number,
            version,
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
    let job = Job {
        name: name?,
        etag: object.etag.text().map(|etag| normalised(&etag)),
        version_id: non_empty(object.version_id.text()),
        size: object.size.number(),
        sequencer: non_empty(object.sequencer.text()),
    };
    if job.name.key.ends_with('/') && job.size == Some(0) {
        return Ok(Item::Skipped {
            name: Some(job.name),
            why: Skip::FolderMarker,
        });
    }
    Ok(Item::Job(job))
}

/// Without an `s3:` in notifications, with it in the configuration and from other vendors.
fn is_creation(event: &str) -> bool {
    event
        .strip_prefix("s3:")
        .unwrap_or(event)
        .starts_with("ObjectCreated:")
}

fn is_from_queue(record: &Any<Record>) -> bool {
    matches!(record, Any::Object(Record { event_source: Any::Text(source), .. }) if source == "aws:sqs")
}

fn normalised(etag: &str) -> String {
    etag.strip_prefix("W/")
        .unwrap_or(etag)
        .trim_matches('"')
        .to_owned()
}

fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn not_an_event(bytes: &[u8]) -> EventError {
    EventError::NotAnEvent {
        found: excerpt(bytes),
    }
}

/// The first 200 bytes, cut between characters; control characters are escaped, for a log must stay one line
/// and a terminal must not obey.
fn excerpt(bytes: &[u8]) -> String {
    const LENGTH: usize = 200;
    // Three more, so that a character that begins inside is seen whole before it is cut off.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LENGTH + 3)]);
    let cut = text.floor_char_boundary(LENGTH);
    let mut excerpt = String::with_capacity(LENGTH);
    for c in text[..cut].chars() {
        if c.is_control() {
            excerpt.extend(c.escape_default());
        } else {
            excerpt.push(c);
        }
    }
    if bytes.len() > LENGTH {
        excerpt.push('…');
    }
    excerpt
}
