//! The few fields of an event that matter, read in one pass and without taking offence.
//!
//! `aws_lambda_events` requires fields that other senders leave out (moto sends no `userIdentity`), and fails
//! a whole batch for one odd field. Here every field may be absent or of another type; whether one is needed
//! is for the caller to say.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

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

/// The outermost object.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Envelope {
    #[serde(rename = "Records")]
    pub(super) records: Any<Record>,
    #[serde(rename = "Event")]
    event: Any,
    /// A message of this program to itself.
    #[serde(rename = "s3-to-sftp")]
    pub(super) hand_over: Option<serde_json::Value>,
}

impl Envelope {
    pub(super) fn is_test(&self) -> bool {
        matches!(&self.event, Any::Text(event) if event == "s3:TestEvent")
    }
}

/// One record, of S3 or of SQS.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) event_version: Any,
    pub(super) event_source: Any,
    pub(super) event_name: Any,
    pub(super) s3: Any<S3>,
    pub(super) message_id: Any,
    pub(super) receipt_handle: Any,
    #[serde(rename = "eventSourceARN")]
    pub(super) queue: Any,
    pub(super) body: Any,
    pub(super) attributes: Any<Attributes>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct S3 {
    pub(super) bucket: Any<Bucket>,
    pub(super) object: Any<Object>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Bucket {
    pub(super) name: Any,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Object {
    pub(super) key: Any,
    pub(super) size: Any,
    #[serde(rename = "eTag")]
    pub(super) etag: Any,
    pub(super) version_id: Any,
    pub(super) sequencer: Any,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(rename = "ApproximateReceiveCount")]
    pub(super) receive_count: Any,
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
