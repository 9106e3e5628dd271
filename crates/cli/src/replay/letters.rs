//! The messages of a queue: received, hidden, shown again, deleted.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message};
use s3_to_sftp::event::{self, Event, Item};
use s3_to_sftp::object::ObjectName;
use serde_json::Value;

use crate::aws_error::told;

/// For how long a message that was received is hidden from others. Nobody's delivery depends on it: it is renewed.
pub(super) const HIDDEN: Duration = Duration::from_secs(300);

/// What SQS gives and takes in one request.
const AT_ONCE: i32 = 10;

/// How long an empty queue is waited at: SQS asks only some of its servers where nobody waits.
const WAIT: i32 = 1;

/// The URL of a queue, as SQS hands it out.
#[derive(Debug, Clone)]
pub(super) struct QueueUrl(String);

impl FromStr for QueueUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let path = rest.and_then(|rest| rest.split_once('/'));
        if path.is_some_and(|(host, path)| !host.is_empty() && !path.is_empty()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                "expected the URL of a queue, like https://sqs.eu-central-1.amazonaws.com/123456789012/name",
            )
        }
    }
}

impl QueueUrl {
    /// `sqs.REGION.amazonaws.com`, in any partition.
    fn region(&self) -> Option<Region> {
        let host = self.0.split('/').nth(2)?.strip_prefix("sqs.")?;
        let (region, rest) = host.split_once('.')?;
        rest.starts_with("amazonaws.")
            .then(|| Region::new(region.to_owned()))
    }
}

/// Why a queue cannot be worked with.
#[derive(Debug)]
pub(super) struct QueueError {
    queue: String,
    action: &'static str,
    why: String,
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, action, why } = self;
        write!(f, "{action} of {queue} failed: {why}")?;
        if why.contains("AccessDenied") {
            write!(f, "; next: grant sqs:{action} on it")?;
        } else if why.contains("NonExistentQueue") || why.contains("QueueDoesNotExist") {
            f.write_str("; next: check the URL, and its account and region")?;
        }
        Ok(())
    }
}

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
        let config = aws_sdk_sqs::config::Builder::from(aws);
        let config = match queue.region() {
            Some(region) => config.region(region),
            None => config,
        };
        Self {
            client: Client::from_conf(config.build()),
            queue,
        }
    }

    pub(super) fn queue(&self) -> &str {
        &self.queue.0
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
            .map_err(|error| self.failed("ReceiveMessage", &error))?;
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
            .map_err(|error| self.failed("DeleteMessage", &error))
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
            tracing::warn!("{}", self.failed("ChangeMessageVisibility", &error));
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
                tracing::warn!("{}", self.failed("ChangeMessageVisibility", &error));
            }
        }
    }

    fn failed<E>(&self, action: &'static str, error: &SdkError<E>) -> QueueError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        QueueError {
            queue: self.queue().to_owned(),
            action,
            why: told(error),
        }
    }
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_in_the_region_that_its_url_tells() {
        for (url, region) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/q",
                Some("eu-central-1"),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q",
                Some("cn-north-1"),
            ),
            (
                "https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/q",
                Some("eusc-de-east-1"),
            ),
            ("http://127.0.0.1:4566/000000000000/q", None),
            (
                "https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/123456789012/q",
                None,
            ),
        ] {
            let url: QueueUrl = url.parse().expect(url);
            assert_eq!(url.region(), region.map(Region::new), "{}", url.0);
        }
        for text in [
            "arn:aws:sqs:eu-central-1:123456789012:q",
            "q",
            "https://",
            "https://host",
            "https://host/",
        ] {
            text.parse::<QueueUrl>().expect_err(text);
        }
    }
}
