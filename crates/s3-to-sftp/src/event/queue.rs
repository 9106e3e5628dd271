//! `Records[]` of SQS: a batch, whose messages are judged one by one.

use super::wire::{Any, Record};
use super::{EventError, Item, Message, Way, unwrapped};

/// What SQS knows of a message.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Attributes {
    #[serde(rename = "ApproximateReceiveCount")]
    receive_count: Any,
    #[serde(rename = "MessageGroupId")]
    group: Any,
}

/// The records of a message's body.
pub(super) fn content(body: Option<&str>) -> Result<Vec<Item>, EventError> {
    match body {
        Some(body) => unwrapped(body, Way::START),
        None => Err(EventError::NoBody),
    }
}

/// One message, and what is in it. A continuation is taken from its body: who may write there is the queue's matter.
pub(super) fn message(record: Any<Record>) -> Message {
    let record = record.object().unwrap_or_default();
    let attributes = record.attributes.object().unwrap_or_default();
    let body = record.body.text();
    Message {
        id: record.message_id.text(),
        receipt_handle: record.receipt_handle.text(),
        queue: record.queue.text(),
        group: attributes.group.text(),
        receive_count: attributes
            .receive_count
            .number()
            .and_then(|count| count.try_into().ok()),
        content: content(body.as_deref()),
        body,
    }
}
