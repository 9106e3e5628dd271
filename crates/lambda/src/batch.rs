//! A batch from a queue, as Lambda is answered: which of its messages come again, and when.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use s3_to_sftp::batch::{self, Failed, Queue, chain};
use s3_to_sftp::error::Error;
use s3_to_sftp::event::Message;
use s3_to_sftp::hand_over::RelayError;
use s3_to_sftp::invocation::Invocation;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::Function;
use crate::failure::Failure;
use crate::queue_arn::QueueArn;
use crate::queues::Hidden;
use crate::relay::{Next, queue_of};

/// What has become of a batch.
#[derive(Debug)]
pub(crate) struct Batch {
    queue: Option<QueueArn>,
    /// Names of the messages that failed, as the answer has them.
    failed: Vec<Value>,
    /// What failed and has no name: it fails the batch.
    nameless: Vec<Arc<Error>>,
    hidden: Vec<Hidden>,
}

/// Lambda gives the messages, and wants one answer for all of them.
impl Queue for Function {
    fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.aws.sqs()
    }

    fn random(&self, range: RangeInclusive<i32>) -> i32 {
        rand::random_range(range)
    }
}

impl Batch {
    pub(crate) async fn deliver(
        function: &Function,
        invocation: &Invocation<'_, Next<'_>>,
        messages: Vec<Message>,
        request_id: &str,
        end: Instant,
    ) -> Self {
        let mut batch = Self {
            queue: queue_of(&messages),
            failed: Vec::new(),
            nameless: Vec::new(),
            hidden: Vec::new(),
        };
        for failed in batch::deliver(invocation, messages, request_id, end, function).await {
            batch.name(failed);
        }
        batch
    }

    fn name(&mut self, Failed { message, again }: Failed) {
        if let (Some(receipt_handle), Some(seconds)) = (message.receipt_handle, again.seconds) {
            self.hidden.push(Hidden {
                receipt_handle,
                seconds,
            });
        }
        match message.id {
            Some(id) => self.failed.push(json!({ "itemIdentifier": id })),
            None => self.nameless.extend(again.because),
        }
    }

    /// Has each failed message shown again at its own time. What cannot be said by `end` is left to the queue: it
    /// shows a message when its visibility time-out is over.
    pub(crate) async fn hide(&self, function: &Function, end: Instant) {
        let Some(queue) = self.queue.as_ref().filter(|_| !self.hidden.is_empty()) else {
            return;
        };
        let hiding = function.queues.hide(&function.aws, queue, &self.hidden);
        match timeout_at(end, hiding).await {
            Ok(Ok(())) => {}
            Ok(Err(RelayError::Denied { permission, .. })) => {
                if !function.told_of_visibility.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "failed messages come again only when the queue's visibility time-out is over; grant the \
                         function's role {permission}, and each comes at its own time, from half a minute on"
                    );
                }
            }
            Ok(Err(error)) => tracing::warn!(
                "failed messages come again when the queue's visibility time-out is over: {}",
                chain(&error)
            ),
            Err(_) => tracing::warn!(
                "failed messages come again when the queue's visibility time-out is over: SQS took too long"
            ),
        }
    }

    /// A queue is told exactly which messages failed. A message without an id cannot be named: it fails the batch.
    pub(crate) fn answer(self) -> Result<Value, Failure> {
        if self.nameless.is_empty() {
            Ok(json!({ "batchItemFailures": self.failed }))
        } else {
            Err(Failure::of(&self.nameless))
        }
    }
}
