//! SQS: continuations into the own queue, and when failed messages come again.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry};
use s3_to_sftp::hand_over::RelayError;
use s3_to_sftp::sqs::{needed, refused, transportable};

use crate::aws::Aws;
use crate::queue_arn::QueueArn;

/// The most entries that SQS takes in one request.
const BATCH: usize = 10;

/// The queues of this environment.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    /// Those whose URL had to be asked for.
    urls: Mutex<HashMap<QueueArn, String>>,
}

/// A message that is shown again after so many seconds.
#[derive(Debug)]
pub(crate) struct Hidden {
    pub(crate) receipt_handle: String,
    pub(crate) seconds: i32,
}

impl Queues {
    /// Puts a message into a queue.
    pub(crate) async fn send(
        &self,
        aws: &Aws,
        queue: &QueueArn,
        body: &str,
    ) -> Result<(), RelayError> {
        let body = transportable(body);
        self.call(aws, queue, "SendMessage", |url| {
            let request = aws.sqs().send_message().queue_url(url);
            request.message_body(body.clone()).send()
        })
        .await
        .map(drop)
    }

    /// Has messages shown again later, or sooner, than the queue would by itself. What cannot be changed comes when
    /// the queue shows it.
    pub(crate) async fn hide(
        &self,
        aws: &Aws,
        queue: &QueueArn,
        messages: &[Hidden],
    ) -> Result<(), RelayError> {
        for messages in messages.chunks(BATCH) {
            let entry = |(number, message): (usize, &Hidden)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(&message.receipt_handle)
                    .visibility_timeout(message.seconds)
                    .build()
            };
            let entries: Result<Vec<_>, _> = messages.iter().enumerate().map(entry).collect();
            let entries = entries.map_err(|error| RelayError::Failed(error.into()))?;
            let answer = self
                .call(aws, queue, "ChangeMessageVisibility", |url| {
                    let request = aws.sqs().change_message_visibility_batch().queue_url(url);
                    request.set_entries(Some(entries.clone())).send()
                })
                .await?;
            for failed in answer.failed() {
                let (code, message) = (failed.code(), failed.message());
                tracing::warn!(code, message, "a failed message keeps its visibility");
            }
        }
        Ok(())
    }

    /// A request to a queue by its URL.
    ///
    /// On AWS the ARN tells it, and no round trip and no permission is spent on it. Elsewhere (an emulator, a
    /// partition of another domain) such a URL may be unknown: only then it is asked for, once per environment.
    async fn call<T, E, F>(
        &self,
        aws: &Aws,
        queue: &QueueArn,
        action: &str,
        request: impl Fn(String) -> F,
    ) -> Result<T, RelayError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let permission = || needed(action, queue.as_str());
        let known = self.lock().get(queue).cloned();
        let is_guess = known.is_none();
        match request(known.unwrap_or_else(|| queue.url())).await {
            Err(error) if is_guess && is_unknown_queue(&error) => {
                let url = self.look_up(aws, queue).await?;
                let answer = request(url).await;
                answer.map_err(|error| refused(error, permission))
            }
            answer => answer.map_err(|error| refused(error, permission)),
        }
    }

    async fn look_up(&self, aws: &Aws, queue: &QueueArn) -> Result<String, RelayError> {
        let request = aws.sqs().get_queue_url().queue_name(&queue.name);
        let answer = request
            .queue_owner_aws_account_id(&queue.account)
            .send()
            .await
            .map_err(|error| refused(error, || needed("GetQueueUrl", queue.as_str())))?;
        let url = answer
            .queue_url
            .ok_or_else(|| RelayError::Failed("SQS names no URL of the queue".into()))?;
        self.lock().insert(queue.clone(), url.clone());
        Ok(url)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<QueueArn, String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often what SQS did not take is sent: its own refusals pass, such as one for too many requests.
const SEND_TRIES: usize = 3;

/// Puts some messages, at most ten, into a queue. Gives how many of them were not taken.
pub(crate) async fn send_batch(
    aws: &Aws,
    url: &str,
    messages: &[String],
) -> Result<usize, RelayError> {
    let entry = |(number, body): (usize, &String)| {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .message_body(transportable(body));
        let is_fifo = url.ends_with(".fifo");
        // A group for each message: none of them waits for another one.
        let group = is_fifo.then(|| digest(body));
        entry
            .set_message_group_id(group.clone())
            .set_message_deduplication_id(group)
            .build()
    };
    let entries: Result<Vec<_>, _> = messages.iter().enumerate().map(entry).collect();
    let mut entries = entries.map_err(|error| RelayError::Failed(error.into()))?;
    for _ in 0..SEND_TRIES {
        let request = aws.sqs().send_message_batch().queue_url(url);
        let answer = request
            .set_entries(Some(entries.clone()))
            .send()
            .await
            .map_err(|error| refused(error, || needed("SendMessage", url)))?;
        for failed in answer.failed() {
            let (code, message) = (failed.code(), failed.message());
            tracing::warn!(code, message, "the queue did not take a message");
        }
        let is_failed = |id: &str| answer.failed().iter().any(|failed| failed.id() == id);
        entries.retain(|entry| is_failed(entry.id()));
        if entries.is_empty() {
            break;
        }
    }
    Ok(entries.len())
}

/// A name for a text, of characters that SQS takes.
fn digest(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn is_unknown_queue<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    // The name in the model, and that of the protocol before it, which SQS still sends beside it.
    const UNKNOWN: [&str; 3] = [
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidAddress",
    ];
    error.code().is_some_and(|code| UNKNOWN.contains(&code))
}
