//! Who goes on with what does not fit into this invocation.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use s3_to_sftp::event::Message;
use s3_to_sftp::hand_over::{Relay, RelayError};
use s3_to_sftp::sqs::refused;

use crate::aws::Aws;
use crate::queue_arn::QueueArn;
use crate::queues::Queues;

/// The next invocation.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A message in the queue that started this one. It has a receive count of its own: progress costs no receive.
    Queue(&'a Aws, &'a Queues, QueueArn),
    /// This function once more, asynchronously.
    Function(&'a Aws, String),
    /// There is none.
    Nobody,
}

impl<'a> Next<'a> {
    /// After a batch. A message behind the others of a FIFO queue would be overtaken by them.
    pub(crate) fn after_batch(aws: &'a Aws, queues: &'a Queues, messages: &[Message]) -> Self {
        match queue_of(messages) {
            Some(queue) if !queue.is_fifo() => Self::Queue(aws, queues, queue),
            _ => Self::Nobody,
        }
    }

    /// After a direct trigger. The ARN is the one that was invoked, its alias or version included.
    pub(crate) fn after_direct(aws: &'a Aws, function: &str) -> Self {
        if function.is_empty() {
            Self::Nobody
        } else {
            Self::Function(aws, function.to_owned())
        }
    }
}

/// The queue that a batch is from: a mapping reads from one.
pub(crate) fn queue_of(messages: &[Message]) -> Option<QueueArn> {
    let named = messages.first()?.queue.as_deref()?;
    let is_same = |message: &Message| message.queue.as_deref() == Some(named);
    messages
        .iter()
        .all(is_same)
        .then(|| QueueArn::parse(named))
        .flatten()
}

impl Relay for Next<'_> {
    fn is_there(&self) -> bool {
        !matches!(self, Self::Nobody)
    }

    async fn send(&self, message: &str) -> Result<(), RelayError> {
        match self {
            Self::Queue(aws, queues, queue) => queues.send(aws, queue, message).await,
            Self::Function(aws, function) => {
                let request = aws.lambda().invoke().function_name(function);
                request
                    .invocation_type(InvocationType::Event)
                    .payload(Blob::new(message))
                    .send()
                    .await
                    .map(drop)
                    .map_err(|error| {
                        refused(error, || format!("lambda:InvokeFunction on {function}"))
                    })
            }
            Self::Nobody => Err(RelayError::Failed("there is no next invocation".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(queue: Option<&str>) -> Message {
        Message {
            id: None,
            receive_count: None,
            receipt_handle: None,
            queue: queue.map(str::to_owned),
            group: None,
            body: None,
            content: Ok(Vec::new()),
        }
    }

    /// No mapping sends such a batch. To guess would be to send a message to somebody else's queue.
    #[test]
    fn messages_of_several_queues_or_of_none_have_no_queue() {
        let inbox = Some("arn:aws:sqs:us-east-1:123456789012:inbox");
        let other = Some("arn:aws:sqs:us-east-1:123456789012:other");
        let of = |queues: &[Option<&str>]| {
            let messages: Vec<Message> = queues.iter().copied().map(message).collect();
            queue_of(&messages).map(|queue| queue.name)
        };
        assert_eq!(of(&[inbox, inbox]).as_deref(), Some("inbox"));
        assert_eq!(of(&[inbox, other]), None);
        assert_eq!(of(&[inbox, None]), None);
        assert_eq!(of(&[None, inbox]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[Some("inbox")]), None);
    }
}
