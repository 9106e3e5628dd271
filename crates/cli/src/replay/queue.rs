//! The messages of a queue: received, hidden, shown again, deleted.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message};

use super::letter::{Handle, Letter, OfLambda};
use super::letters::AT_ONCE;
use crate::queue::{QueueError, QueueUrl};

/// For how long a message that was received is hidden from others. Nobody's delivery depends on it: it is renewed.
pub(super) const HIDDEN: Duration = Duration::from_secs(300);

/// What SQS gives and takes in one request at most.
const LARGEST_BATCH: i32 = 10;
const _: () = assert!(AT_ONCE == LARGEST_BATCH as usize);

/// How long an empty queue is waited at: SQS asks only some of its servers where nobody waits.
const WAIT: i32 = 1;

/// The queue.
pub(super) struct Messages {
    client: Client,
    queue: QueueUrl,
}

impl Messages {
    pub(super) fn new(aws: &SdkConfig, queue: QueueUrl) -> Self {
        Self {
            client: Client::from_conf(queue.config(aws).build()),
            queue,
        }
    }

    pub(super) fn queue(&self) -> &str {
        self.queue.as_str()
    }

    /// Up to ten messages, hidden for [`HIDDEN`]; none where nobody has any to show.
    pub(super) async fn receive(&self) -> Result<Vec<Letter>, QueueError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(self.queue())
            .max_number_of_messages(LARGEST_BATCH)
            .wait_time_seconds(WAIT)
            .visibility_timeout(seconds(HIDDEN))
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| self.queue.failed("ReceiveMessage", &error))?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(letter).collect())
    }

    pub(super) async fn delete(&self, letter: &Letter) -> Result<(), QueueError> {
        let answer = self
            .client
            .delete_message()
            .queue_url(self.queue())
            .receipt_handle(handle(letter))
            .send()
            .await;
        answer
            .map(drop)
            .map_err(|error| self.queue.failed("DeleteMessage", &error))
    }

    /// For some more minutes. What cannot be hidden is shown: somebody else may deliver it too, which hurts nobody.
    pub(super) async fn hide(&self, letter: &Letter) {
        let answer = self
            .client
            .change_message_visibility()
            .queue_url(self.queue())
            .receipt_handle(handle(letter))
            .visibility_timeout(seconds(HIDDEN))
            .send()
            .await;
        if let Err(error) = answer {
            tracing::warn!("{}", self.queue.failed("ChangeMessageVisibility", &error));
        }
    }

    /// Has others see them at once. Where that fails they are seen a few minutes later.
    pub(super) async fn show(&self, letters: &[Letter]) {
        // The last receipt handle of each is the one that counts.
        let last: HashMap<&str, &str> = letters
            .iter()
            .map(|letter| (letter.id.as_str(), handle(letter)))
            .collect();
        let handles: Vec<&str> = last.into_values().collect();
        for handles in handles.chunks(AT_ONCE) {
            let mut request = self
                .client
                .change_message_visibility_batch()
                .queue_url(self.queue());
            for (number, handle) in handles.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(*handle)
                    .visibility_timeout(0)
                    .build();
                // It has an id and a receipt handle.
                if let Ok(entry) = entry {
                    request = request.entries(entry);
                }
            }
            if let Err(error) = request.send().await {
                tracing::warn!("{}", self.queue.failed("ChangeMessageVisibility", &error));
            }
        }
    }
}

fn letter(message: Message) -> Option<Letter> {
    let attributes = message.message_attributes.unwrap_or_default();
    let attribute = |name: &str| {
        let value: Option<&String> = attributes.get(name)?.string_value.as_ref();
        value.cloned()
    };
    let content = message.body.unwrap_or_default();
    let record = OfLambda::of(&content);
    let record = record.as_ref();
    Some(Letter {
        id: message.message_id?,
        handle: Handle::Receipt(message.receipt_handle?),
        error_type: attribute("ErrorType").or_else(|| record?.error_type()),
        reason: attribute("ErrorMessage").or_else(|| record?.reason()),
        content: Ok(content),
    })
}

/// It came out of this queue.
fn handle(letter: &Letter) -> &str {
    match &letter.handle {
        Handle::Receipt(handle) => handle,
        Handle::Object(_) | Handle::None => "",
    }
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
