//! JSON → jobs: every shape in which S3 tells that a key changed, in whatever it is wrapped.
//!
//! Each record is judged for itself: one that cannot be read must not take the others along.
//!
//! # Layout
//!
//! | module | what it is |
//! |---|---|
//! | `wire` | the outermost fields of every shape, read in one pass and without taking offence |
//! | `notification` | `Records[].s3`; `key`: how its keys are encoded |
//! | `eventbridge` | `Object Created`, whose keys are not encoded |
//! | `sns` | `Records[].Sns`, and a topic's message in a queue |
//! | `queue` | `Records[].body` |
//! | `redrive` | what people write by hand |
//! | `batch_operations` | `tasks[]` of S3 Batch Operations, which wants an answer for each |
//! | `sweep` | what a schedule asks for |
//! | `error` | why an event cannot be read |

pub mod batch_operations;
pub mod check;
mod error;
mod eventbridge;
mod key;
mod notification;
mod queue;
mod redrive;
mod sns;
pub mod sweep;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use error::EventError;

use crate::hand_over::{HandOver, HandOverRefused};
use crate::object::ObjectName;
use batch_operations::BatchOperations;
use check::CheckRequest;
use error::{WRAPPERS, excerpt};
use sweep::{SweepRefused, SweepRequest};
use wire::{Any, Envelope, Shape, read};

/// What an invocation was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Records that nobody but the invoker waits for, in order: of S3, SNS or EventBridge, or written by hand.
    Notification(Vec<Item>),
    /// A batch from a queue, its messages in order.
    Queue(Vec<Message>),
    /// Tasks of S3 Batch Operations.
    BatchOperations(BatchOperations),
    /// A schedule asks for what was left behind.
    Sweep(Result<SweepRequest, SweepRefused>),
    /// A person who wants to know how far the function comes. The answer says.
    Check(CheckRequest),
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
    /// In a FIFO queue, the group in which it has its place.
    pub group: Option<String>,
    /// Its body as it came.
    pub body: Option<String>,
    /// The records of its body.
    pub content: Result<Vec<Item>, EventError>,
}

impl Message {
    /// Its records, from a body that was received rather than given in an event.
    ///
    /// # Errors
    ///
    /// The body is no event.
    pub fn read(body: Option<&str>) -> Result<Vec<Item>, EventError> {
        queue::content(body)
    }
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
    /// When the object was put, as the event tells.
    pub time: Option<OffsetDateTime>,
}

/// A time as events have it; none where it is written otherwise, for it only serves to be told.
fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
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
    /// It lies in the archive of `S3_AFTER_DELIVERY`.
    Archived,
    /// It is a receipt, below `RECEIPT_PREFIX`.
    Receipt,
    /// `SSH_ON_CONFLICT=skip`: this path has a file of other content. The source is kept.
    Exists(String),
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACreation(name) => {
                write!(
                    f,
                    "skipped: the event is {name:?}, and only creations are delivered (ObjectCreated:*; Object Created)"
                )
            }
            Self::FolderMarker => {
                f.write_str("skipped: a folder marker (the key ends with `/`, the size is 0)")
            }
            Self::Archived => f.write_str(
                "skipped: it lies in the function's archive (S3_AFTER_DELIVERY); leave that out of the trigger",
            ),
            Self::Receipt => f.write_str(
                "skipped: it is a receipt of the function's own (RECEIPT_PREFIX); leave that out of the trigger",
            ),
            Self::Exists(path) => write!(
                f,
                "skipped: {path} exists on the server with other content (SSH_ON_CONFLICT=skip); the source is kept"
            ),
            Self::TestEvent => f.write_str("acknowledged: S3's test event, which holds no object"),
        }
    }
}

/// Reads what an invocation was started with.
///
/// # Errors
///
/// Nothing in it could be read. What can go wrong with one record or one message stands in its place.
pub fn parse(bytes: &[u8]) -> Result<Event, EventError> {
    match shape(read(bytes)?) {
        Shape::Test => Ok(Event::Test),
        Shape::Records(records) if records.iter().any(wire::is_from_queue) => {
            let messages = records.into_iter().map(queue::message);
            Ok(Event::Queue(messages.collect()))
        }
        Shape::BatchOperations => batch_operations::read(bytes).map(Event::BatchOperations),
        Shape::Sweep => Ok(Event::Sweep(sweep::read(bytes))),
        Shape::Check => check::read(bytes)
            .map(Event::Check)
            .ok_or_else(|| EventError::not_an_event(bytes)),
        shape => items(shape, bytes, Way::START).map(Event::Notification),
    }
}

/// How a value came here.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// How many wrappers it may still be in.
    wrappers: u8,
    /// Whether it came by a topic or a bus, to which others may write than those who may invoke the function or write to
    /// its queue.
    is_open: bool,
}

impl Way {
    const START: Self = Self {
        wrappers: WRAPPERS,
        is_open: false,
    };

    fn open_to_others(self) -> Self {
        Self {
            is_open: true,
            ..self
        }
    }
}

/// What a wrapper holds that came by `way`.
fn unwrapped(content: &str, way: Way) -> Result<Vec<Item>, EventError> {
    let bytes = content.as_bytes();
    let Some(wrappers) = way.wrappers.checked_sub(1) else {
        return Err(EventError::TooDeep {
            found: excerpt(bytes),
        });
    };
    items(shape(read(bytes)?), bytes, Way { wrappers, ..way })
}

fn shape(value: Any<Envelope>) -> Shape {
    match value {
        Any::Object(envelope) => envelope.shape(),
        Any::Array(entries) => Shape::List(entries),
        _ => Shape::Unknown,
    }
}

/// The records of a value. `bytes` is what it was read from, for the error.
fn items(shape: Shape, bytes: &[u8], way: Way) -> Result<Vec<Item>, EventError> {
    match shape {
        Shape::HandOver(hand_over) => Ok(vec![continued(hand_over, way)]),
        Shape::Records(records) => notification::items(records, bytes, way),
        Shape::EventBridge(event) => eventbridge::items(event, way),
        Shape::Topic(message) => unwrapped(&message, way.open_to_others()),
        // Whoever has written the record has written what is in it.
        Shape::Invocation(payload) => unwrapped(payload.get(), way),
        Shape::Test => Ok(vec![Item::Skipped {
            name: None,
            why: Skip::TestEvent,
        }]),
        Shape::Written(written) => redrive::item(1, written).map(|item| vec![item]),
        Shape::List(entries) => redrive::list(entries, bytes),
        // Whoever waits for the answer to these does not wait behind a wrapper.
        Shape::BatchOperations | Shape::Sweep | Shape::Check | Shape::Unknown => {
            Err(EventError::not_an_event(bytes))
        }
    }
}

fn continued(value: serde_json::Value, way: Way) -> Item {
    if way.is_open {
        return Item::Refused(HandOverRefused::Place.into());
    }
    match HandOver::read(value) {
        Ok(hand_over) => Item::Continued(Box::new(hand_over)),
        Err(refused) => Item::Refused(refused.into()),
    }
}

/// An object that was created: a job, unless it only shows a folder.
fn of_job(job: Job) -> Item {
    if job.name.key.ends_with('/') && job.size == Some(0) {
        return Item::Skipped {
            name: Some(job.name),
            why: Skip::FolderMarker,
        };
    }
    Item::Job(job)
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
