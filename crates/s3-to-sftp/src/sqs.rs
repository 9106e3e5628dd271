//! What SQS takes, and what its refusals mean.

use std::collections::HashMap;
use std::error::Error;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::MessageAttributeValue;

use crate::hand_over::RelayError;

/// Puts a message into the dead-letter queue, with attributes beside it. `id` tells the message from others.
pub(crate) async fn bury(
    sqs: &Client,
    url: &str,
    body: &str,
    id: &str,
    attributes: HashMap<String, MessageAttributeValue>,
) -> Result<(), RelayError> {
    let mut request = sqs
        .send_message()
        .queue_url(url)
        .message_body(transportable(body))
        .set_message_attributes(Some(attributes));
    if url.ends_with(".fifo") {
        // One group for all: nobody delivers from there in order.
        request = request
            .message_group_id("rejected")
            .message_deduplication_id(id);
    }
    request
        .send()
        .await
        .map(drop)
        .map_err(|error| refused(error, || needed("SendMessage", url)))
}

/// The permission as a policy would grant it.
pub fn needed(action: &str, resource: &str) -> String {
    format!("sqs:{action} on {resource}")
}

/// Why a request was refused. `permission` is what it needs: `sqs:SendMessage on arn:…`.
pub fn refused<E>(error: SdkError<E>, permission: impl FnOnce() -> String) -> RelayError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let source: Box<dyn Error + Send + Sync> = match error.message() {
        Some(message) => format!("{code}: {message}").into(),
        None => innermost(error).into(),
    };
    if is_denied(&code) {
        RelayError::Denied {
            permission: permission(),
            source,
        }
    } else {
        RelayError::Failed(source)
    }
}

/// Not every 403 is about a permission: an expired token is one, too. SQS says `AccessDenied` as well, and
/// `KmsAccessDenied` for an encrypted queue.
fn is_denied(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied" | "AccessDeniedException" | "KmsAccessDenied" | "KMS.AccessDeniedException"
    )
}

/// The SDK wraps a refused connection five times over, and its outer layers say "dispatch failure".
fn innermost<E: Error + 'static>(error: SdkError<E>) -> String {
    let mut inner: &dyn Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// SQS takes the characters of XML 1.0. All others that JSON may hold as they are stand in its strings, where an escape says the same.
pub fn transportable(json: &str) -> String {
    json.replace('\u{FFFE}', "\\ufffe")
        .replace('\u{FFFF}', "\\uffff")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_sqs_refuses_are_escaped() {
        let key = "a\u{FFFE}b\u{FFFF}c \u{1F600} \u{7}";
        let body = serde_json::json!({ "key": key }).to_string();
        let sent = transportable(&body);
        let is_taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        assert!(sent.chars().all(is_taken), "{sent}");
        let read: serde_json::Value = serde_json::from_str(&sent).expect("JSON");
        assert_eq!(read["key"], key);
    }
}
