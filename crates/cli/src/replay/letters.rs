//! The messages of a queue: received, hidden, shown again, deleted.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message};
use s3_to_sftp::event::{self, Event, Item};
use s3_to_sftp::object::ObjectName;
use serde_json::Value;

use crate::queue::{QueueError, QueueUrl};

/// For how long a message that was received is hidden from others. Nobody's delivery depends on it: it is renewed.
pub(super) const HIDDEN: Duration = Duration::from_secs(300);

/// What SQS gives and takes in one request.
const AT_ONCE: i32 = 10;

/// How long an empty queue is waited at: SQS asks only some of its servers where nobody waits.
const WAIT: i32 = 1;

/// A message that somebody gave up.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) id: String,
    receipt_handle: String,
    body: String,
    /// As the function writes it beside the message, or Lambda into its record of a failed invocation.
    pub(super) error_type: Option<String>,
    pub(super) reason: Option<String>,
}

impl Letter {
    fn new(message: Message) -> Option<Self> {
        let attributes = message.message_attributes.unwrap_or_default();
        let attribute = |name: &str| {
            let value: Option<&String> = attributes.get(name)?.string_value.as_ref();
            value.cloned()
        };
        let body = message.body.unwrap_or_default();
        let record: Option<Value> = serde_json::from_str(&body).ok();
        let of_lambda = |field: &str| {
            let payload = record.as_ref()?.get("responsePayload")?;
            payload.get(field)?.as_str().map(str::to_owned)
        };
        let condition = || {
            let context = record.as_ref()?.get("requestContext")?;
            context.get("condition")?.as_str().map(str::to_owned)
        };
        Some(Self {
            id: message.message_id?,
            receipt_handle: message.receipt_handle?,
            error_type: attribute("ErrorType")
                .or_else(|| of_lambda("errorType"))
                .or_else(condition),
            reason: attribute("ErrorMessage").or_else(|| of_lambda("errorMessage")),
            body,
        })
    }

    /// What it names. What cannot be read fails, and so the message stays. None: somebody waits for an answer, which no
    /// delivery is.
    pub(super) fn items(&self) -> Option<Vec<Item>> {
        let refused = |error| vec![Item::Refused(error)];
        match event::parse(self.body.as_bytes()) {
            Ok(Event::Notification(items)) => Some(items),
            Ok(Event::Queue(messages)) => {
                let items = messages.into_iter();
                let items = items.flat_map(|message| message.content.unwrap_or_else(refused));
                Some(items.collect())
            }
            Ok(Event::Test) => Some(Vec::new()),
            Ok(Event::BatchOperations(_) | Event::Sweep(_) | Event::Check(_)) => None,
            Err(error) => Some(refused(error)),
        }
    }

    pub(super) fn objects(&self) -> Vec<String> {
        let name = |item: Item| -> Option<ObjectName> {
            match item {
                Item::Job(job) => Some(job.name),
                Item::Continued(hand_over) => Some(hand_over.name()),
                Item::Skipped { name, .. } => name,
                Item::Refused(_) => None,
            }
        };
        let names = self.items().into_iter().flatten().filter_map(name);
        names.map(|name| name.to_string()).collect()
    }
}

/// The queue.
pub(super) struct Letters {
    client: Client,
    queue: QueueUrl,
}

impl Letters {
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
            .max_number_of_messages(AT_ONCE)
            .wait_time_seconds(WAIT)
            .visibility_timeout(seconds(HIDDEN))
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| self.queue.failed("ReceiveMessage", &error))?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(Letter::new).collect())
    }

    pub(super) async fn delete(&self, letter: &Letter) -> Result<(), QueueError> {
        let answer = self
            .client
            .delete_message()
            .queue_url(self.queue())
            .receipt_handle(&letter.receipt_handle)
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
            .receipt_handle(&letter.receipt_handle)
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
            .map(|letter| (letter.id.as_str(), letter.receipt_handle.as_str()))
            .collect();
        let handles: Vec<&str> = last.into_values().collect();
        for handles in handles.chunks(AT_ONCE.unsigned_abs() as usize) {
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

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
