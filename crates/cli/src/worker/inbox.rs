//! The queue that is worked at: asked for what it is, received from, and told what became of its messages.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName as Known,
    QueueAttributeName as Attribute,
};
use s3_to_sftp::event::Message;

use crate::queue::{QueueError, QueueUrl};

/// What SQS gives and takes in one request.
pub(super) const AT_ONCE: usize = 10;

/// For one try of a request that SQS answers in some milliseconds, and for all tries together.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// What a receive may take beyond the time for which the queue waits. A line that went dead says nothing.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The queue.
pub(super) struct Inbox {
    client: Client,
    url: QueueUrl,
}

/// What a queue is.
pub(super) struct Attributes {
    pub(super) arn: String,
    /// For how long what was received is hidden, where the receiver does not say.
    pub(super) visibility: Duration,
    /// Whether it gives a message up after some receives.
    pub(super) gives_up: bool,
}

impl Inbox {
    pub(super) fn new(aws: &SdkConfig, url: QueueUrl) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = url.config(aws).timeout_config(timeouts).build();
        Self {
            client: Client::from_conf(config),
            url,
        }
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn attributes(&self) -> Result<Attributes, QueueError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(self.url())
            .attribute_names(Attribute::QueueArn)
            .attribute_names(Attribute::VisibilityTimeout)
            .attribute_names(Attribute::RedrivePolicy)
            .send()
            .await
            .map_err(|error| self.url.failed("GetQueueAttributes", &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let seconds = attributes.get(&Attribute::VisibilityTimeout);
        Ok(Attributes {
            arn: attributes
                .get(&Attribute::QueueArn)
                .cloned()
                .unwrap_or_default(),
            visibility: seconds
                .and_then(|seconds| seconds.parse().ok())
                .map_or(Duration::ZERO, Duration::from_secs),
            gives_up: attributes
                .get(&Attribute::RedrivePolicy)
                .is_some_and(|policy| !policy.is_empty()),
        })
    }

    /// Up to so many messages of the queue `arn`, hidden for `visibility`; none where it has had none for `wait`.
    pub(super) async fn receive(
        &self,
        arn: &str,
        most: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, QueueError> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(wait + RECEIVE_TIMEOUT)
            .operation_timeout((wait + RECEIVE_TIMEOUT) * 3)
            .build();
        let answer = self
            .client
            .receive_message()
            .queue_url(self.url())
            .max_number_of_messages(i32::try_from(most.min(AT_ONCE)).unwrap_or(1))
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(visibility))
            .message_system_attribute_names(Known::ApproximateReceiveCount)
            .message_system_attribute_names(Known::MessageGroupId)
            .customize()
            .config_override(Builder::new().timeout_config(timeouts))
            .send()
            .await
            .map_err(|error| self.url.failed("ReceiveMessage", &error))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages.map(|message| as_event(message, arn)).collect())
    }

    pub(super) async fn delete(&self, receipt_handle: &str) -> Result<(), QueueError> {
        let answer = self
            .client
            .delete_message()
            .queue_url(self.url())
            .receipt_handle(receipt_handle)
            .send()
            .await;
        answer
            .map(drop)
            .map_err(|error| self.url.failed("DeleteMessage", &error))
    }

    /// Has messages, at most [`AT_ONCE`], shown again after this time from now on. Gives those of which it was refused,
    /// by their receipt handles, and why.
    pub(super) async fn hide(
        &self,
        receipt_handles: &[String],
        time: Duration,
    ) -> Result<HashMap<String, String>, QueueError> {
        let mut request = self
            .client
            .change_message_visibility_batch()
            .queue_url(self.url());
        for (number, handle) in receipt_handles.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(handle)
                .visibility_timeout(seconds(time))
                .build();
            // It has an id and a receipt handle.
            if let Ok(entry) = entry {
                request = request.entries(entry);
            }
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.url.failed("ChangeMessageVisibility", &error))?;
        let refused = answer.failed.into_iter().filter_map(|failed| {
            let handle = receipt_handles.get(failed.id.parse::<usize>().ok()?)?;
            let why = failed.message.unwrap_or_default();
            Some((
                handle.clone(),
                format!("{} {why}", failed.code).trim_end().to_owned(),
            ))
        });
        Ok(refused.collect())
    }
}

/// As the function would be given it.
fn as_event(message: aws_sdk_sqs::types::Message, arn: &str) -> Message {
    let attributes = message.attributes.unwrap_or_default();
    Message {
        id: message.message_id,
        receive_count: attributes
            .get(&Known::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok()),
        receipt_handle: message.receipt_handle,
        queue: Some(arn.to_owned()),
        group: attributes.get(&Known::MessageGroupId).cloned(),
        content: Message::read(message.body.as_deref()),
        body: message.body,
    }
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
