//! What can never be delivered: it goes to `DEAD_LETTER_QUEUE_URL` at once, with the reason beside it, rather than
//! after as many receives as its queue allows.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use tokio::time::{Instant, timeout_at};

use super::Reason;
use crate::sqs::bury;

/// The first KB of the reason, as Lambda's own dead-letter queues have it: attributes count towards a message's size.
const LONGEST_REASON: usize = 1024;

/// A message, or an event, that is given up.
#[derive(Debug)]
pub struct DeadLetter<'a> {
    /// As it came, so that it can be sent again as it is.
    pub body: &'a str,
    /// The message's id, or the request's.
    pub id: &'a str,
    /// Where it came from, and how often: names and values of further attributes.
    pub origin: Vec<(&'static str, String)>,
}

impl DeadLetter<'_> {
    /// Sends it to the queue of this URL. Whether it is taken care of.
    pub async fn send(self, sqs: &Client, url: &str, why: &Reason, by: Instant) -> bool {
        let Self { body, id, origin } = self;
        let attributes = origin
            .into_iter()
            .chain([
                ("ErrorType", why.name.to_owned()),
                ("ErrorMessage", reason(&why.message)),
            ])
            // An empty value would be refused, and the whole message with it.
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| Ok((name.to_owned(), text(value)?)))
            .collect::<Result<HashMap<_, _>, aws_sdk_sqs::error::BuildError>>();
        let error: Box<dyn std::error::Error> = match attributes {
            Ok(attributes) => {
                let sending = bury(sqs, url, body, id, attributes);
                match timeout_at(by, sending).await {
                    Ok(Ok(())) => {
                        tracing::warn!(
                            id,
                            error_type = why.name,
                            queue = url,
                            "rejected: it is in the dead-letter queue, and not tried again"
                        );
                        return true;
                    }
                    Ok(Err(error)) => error.into(),
                    Err(elapsed) => elapsed.into(),
                }
            }
            Err(error) => error.into(),
        };
        tracing::warn!(
            id,
            queue = url,
            "rejected, but the dead-letter queue does not take it, so it will be tried again: {}",
            chain(&*error)
        );
        false
    }
}

fn text(value: String) -> Result<MessageAttributeValue, aws_sdk_sqs::error::BuildError> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
}

/// Cut, and of characters that SQS takes.
fn reason(message: &str) -> String {
    let cut = &message[..message.floor_char_boundary(LONGEST_REASON)];
    let is_refused = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{FFFE}' | '\u{FFFF}')
    };
    cut.replace(is_refused, "?")
}

/// An error and its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters_and_holds_none_that_sqs_refuses() {
        let long = "é".repeat(LONGEST_REASON);
        assert_eq!(reason(&long).len(), LONGEST_REASON);
        assert_eq!(reason(&format!("a{long}")).len(), LONGEST_REASON - 1);
        assert_eq!(reason("a\u{1}b\u{FFFE}c\nd"), "a?b?c\nd");
    }
}
