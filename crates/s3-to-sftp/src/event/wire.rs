//! The few fields of an event that matter, read in one pass and without taking offence.
//!
//! `aws_lambda_events` requires fields that other senders leave out (moto sends no `userIdentity`), and fails
//! a whole batch for one odd field. Here every field may be absent or of another type; whether one is needed
//! is for the caller to say.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::error::{EventError, excerpt};
use super::eventbridge::EventBridge;
use super::notification::S3;
use super::queue::Attributes;
use super::redrive::Written;
use super::sns::Sns;

/// A JSON value of which only the kinds of use here are kept; objects are read as a `T`.
#[derive(Debug, Default)]
pub(super) enum Any<T = IgnoredAny> {
    Text(String),
    Number(u64),
    Array(Vec<Self>),
    Object(T),
    /// Absent, null, or of no use.
    #[default]
    Other,
}

impl<T> Any<T> {
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number, also one in quotes, as SQS sends its counts.
    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn object(self) -> Option<T> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// The outermost object, of any shape.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Envelope {
    #[serde(rename = "Records")]
    records: Any<Record>,
    #[serde(rename = "Event")]
    event: Any,
    /// A message of this program to itself.
    #[serde(rename = "s3-to-sftp")]
    hand_over: Option<serde_json::Value>,
    // EventBridge.
    source: Any,
    #[serde(rename = "detail-type")]
    detail_type: Any,
    detail: Option<Box<RawValue>>,
    time: Any,
    // SNS in a queue.
    #[serde(rename = "Type")]
    kind: Any,
    #[serde(rename = "TopicArn")]
    topic: Any,
    #[serde(rename = "Message")]
    message: Any,
    // The record of an invocation, as a destination gets it.
    #[serde(rename = "requestPayload")]
    request: Option<Box<RawValue>>,
    /// That it is there: [`super::batch_operations`] reads the rest.
    #[serde(rename = "invocationSchemaVersion")]
    batch_operations: Option<IgnoredAny>,
    /// That it is there: [`super::sweep`] reads the rest.
    sweep: Option<IgnoredAny>,
    /// That it is there: [`super::check`] reads the rest.
    check: Option<IgnoredAny>,
    // By hand.
    bucket: Any,
    key: Any,
    #[serde(rename = "versionId")]
    version_id: Any,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Shape {
    /// A message of this program to itself.
    HandOver(serde_json::Value),
    /// Of S3, SNS or SQS.
    Records(Vec<Any<Record>>),
    EventBridge(EventBridge),
    /// What a topic's message holds.
    Topic(String),
    /// What an invocation was started with, out of the record of its failure.
    Invocation(Box<RawValue>),
    /// `s3:TestEvent`.
    Test,
    /// Tasks of S3 Batch Operations.
    BatchOperations,
    /// A schedule's.
    Sweep,
    /// A person's.
    Check,
    Written(Written),
    List(Vec<Any<Envelope>>),
    Unknown,
}

impl Envelope {
    /// The first that fits, in this order: no sender has two.
    pub(super) fn shape(self) -> Shape {
        if let Some(hand_over) = self.hand_over {
            return Shape::HandOver(hand_over);
        }
        if let Any::Array(records) = self.records {
            return Shape::Records(records);
        }
        if let Any::Text(detail_type) = self.detail_type {
            return Shape::EventBridge(EventBridge {
                source: self.source.text(),
                detail_type,
                time: self.time.text(),
                detail: self.detail,
            });
        }
        let is_topic = is(&self.kind, "Notification") || matches!(self.topic, Any::Text(_));
        if let (true, Any::Text(message)) = (is_topic, self.message) {
            return Shape::Topic(message);
        }
        if let Some(request) = self.request {
            return Shape::Invocation(request);
        }
        if is(&self.event, "s3:TestEvent") {
            return Shape::Test;
        }
        if self.batch_operations.is_some() {
            return Shape::BatchOperations;
        }
        if self.sweep.is_some() {
            return Shape::Sweep;
        }
        if self.check.is_some() {
            return Shape::Check;
        }
        let (bucket, key) = (self.bucket.text(), self.key.text());
        if bucket.is_some() || key.is_some() {
            return Shape::Written(Written {
                bucket,
                key,
                version_id: self.version_id.text(),
            });
        }
        Shape::Unknown
    }
}

/// One record, of S3, SNS or SQS.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) event_version: Any,
    pub(super) event_source: Any,
    pub(super) event_name: Any,
    pub(super) event_time: Any,
    pub(super) s3: Any<S3>,
    #[serde(rename = "Sns")]
    pub(super) sns: Any<Sns>,
    pub(super) message_id: Any,
    pub(super) receipt_handle: Any,
    #[serde(rename = "eventSourceARN")]
    pub(super) queue: Any,
    pub(super) body: Any,
    pub(super) attributes: Any<Attributes>,
}

impl Record {
    pub(super) fn is_from_queue(&self) -> bool {
        is(&self.event_source, "aws:sqs")
    }
}

pub(super) fn is_from_queue(record: &Any<Record>) -> bool {
    matches!(record, Any::Object(record) if record.is_from_queue())
}

fn is(value: &Any, text: &str) -> bool {
    matches!(value, Any::Text(it) if it == text)
}

/// Reads JSON.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<Any<T>, EventError> {
    serde_json::from_slice(bytes).map_err(|error| EventError::NotJson {
        reason: error.to_string(),
        found: excerpt(bytes),
    })
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(PhantomData))
    }
}

struct AnyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyVisitor<T> {
    type Value = Any<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Any<T>, E> {
        Ok(Any::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Any<T>, E> {
        Ok(Any::Text(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any<T>, E> {
        Ok(Any::Number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Any<T>, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Any::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Any<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(Any::Object)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Any<T>, E> {
        Ok(Any::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Any<T>, E> {
        Ok(Any::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Any<T>, E> {
        Ok(Any::Other)
    }

    fn visit_unit<E>(self) -> Result<Any<T>, E> {
        Ok(Any::Other)
    }
}
