//! A topic's messages: in `Records[].Sns` of an invocation, or as the body of a queue's message.

use super::wire::Any;
use super::{EventError, Item, Way, unwrapped};

/// `Sns` of a record.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Sns {
    #[serde(rename = "Message")]
    message: Any,
}

/// What a message holds. Whoever may publish to the topic has written it.
pub(super) fn items(number: usize, message: Sns, way: Way) -> Result<Vec<Item>, EventError> {
    let message = message.message.text().ok_or(EventError::Missing {
        record: number,
        field: "Sns.Message",
    })?;
    unwrapped(&message, way.open_to_others())
}
