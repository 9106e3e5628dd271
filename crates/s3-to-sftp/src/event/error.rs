//! Why an event cannot be read, and what was expected.

use super::batch_operations::TaskRefused;
use crate::hand_over::HandOverRefused;

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
    /// An event of EventBridge that S3 has not sent, or not about an object.
    #[error(
        "expected EventBridge's \"Object Created\" of the source \"aws.s3\", but this is {detail_type:?} of {source_name:?}; \
         next: correct the rule's pattern"
    )]
    NotOfS3 {
        /// Its `source`.
        source_name: String,
        /// Its `detail-type`.
        detail_type: String,
    },
    /// A wrapper in a wrapper, and so on.
    #[error(
        "the event is wrapped more than {WRAPPERS} times (queue, topic, bus, record of a failed invocation), and may be \
         on its way in a circle; next: see where it comes from, and send what is inside; found: {found}"
    )]
    TooDeep {
        /// The beginning of what was not unwrapped any more.
        found: String,
    },
    /// A message without a body.
    #[error("the queue's message has no body; expected {EXPECTED}")]
    NoBody,
    /// A message of this program to itself that it does not understand.
    #[error(
        "the continuation of an earlier invocation is refused: {0}; next: send the object's event again"
    )]
    HandOver(#[from] HandOverRefused),
    /// A record without what a delivery needs.
    #[error("record {record} has no `{field}`; expected it, as in every event of this kind")]
    Missing {
        /// Counted from 1.
        record: usize,
        /// The path of what is not there.
        field: &'static str,
    },
    /// A major version that may mean something else.
    #[error(
        "record {record} is of {field} {version:?}; this program reads {reads}.x. Look for a newer release of it"
    )]
    Version {
        /// Counted from 1.
        record: usize,
        /// The field that says it.
        field: &'static str,
        /// What it says.
        version: String,
        /// The major version that is read.
        reads: &'static str,
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
    /// An entry of a list that names no object.
    #[error(
        "entry {record} of the list names no object; expected \"s3://bucket/key\" or {{\"bucket\", \"key\"}}; found: {found}"
    )]
    Address {
        /// Counted from 1.
        record: usize,
        /// Its beginning.
        found: String,
    },
    /// A task of S3 Batch Operations.
    #[error(transparent)]
    Task(#[from] TaskRefused),
}

const EXPECTED: &str = "an S3 event notification (Records[].s3.bucket.name and .s3.object.key), EventBridge's \"Object Created\", \
                        {\"bucket\", \"key\"} or [\"s3://bucket/key\"], by itself, in messages of SNS or SQS, or in the record of a \
                        failed invocation";

/// How many wrappers an event may be in. What can really happen: a queue with a topic's message with the record of a
/// failed invocation, which a topic had started.
pub(super) const WRAPPERS: u8 = 4;

impl EventError {
    pub(super) fn not_an_event(bytes: &[u8]) -> Self {
        Self::NotAnEvent {
            found: excerpt(bytes),
        }
    }
}

/// The first 200 bytes, cut between characters; control characters are escaped, for a log must stay one line
/// and a terminal must not obey.
pub(super) fn excerpt(bytes: &[u8]) -> String {
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
