//! A batch from a queue: which messages are done, which come again and when, and which never.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use s3_to_sftp::error::Error;
use s3_to_sftp::event::{Item, Message};
use s3_to_sftp::hand_over::RelayError;
use s3_to_sftp::invocation::Invocation;
use s3_to_sftp::owner::Owner;
use s3_to_sftp::side_by_side::side_by_side;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::Function;
use crate::backoff;
use crate::dead_letter::{DeadLetter, chain};
use crate::failure::{Failure, is_hopeless, is_worth_waiting};
use crate::once::Once;
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

/// A group of a FIFO queue that waits for its first failed message.
#[derive(Debug)]
struct Held {
    because: Vec<Arc<Error>>,
    /// Until that message is shown again.
    seconds: Option<i32>,
}

/// How messages are delivered.
struct Delivery<'a> {
    function: &'a Function,
    invocation: &'a Invocation<'a, Next<'a>>,
    once: Once,
    request_id: &'a str,
    /// How many records of a message are on their way at once.
    width: usize,
    /// In the order of the records, up to the first failure.
    is_fifo: bool,
    end: Instant,
}

impl Batch {
    /// Delivers some messages at once; those of a FIFO queue one after the other.
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
        let is_fifo = messages.iter().any(is_of_fifo);
        let delivery = Delivery {
            function,
            invocation,
            once: Once::among(messages.iter().flat_map(|it| it.content.iter().flatten())),
            request_id,
            width: if is_fifo {
                1
            } else {
                function.deliverer.width()
            },
            is_fifo,
            end,
        };
        if is_fifo {
            batch.deliver_in_order(&delivery, messages).await;
        } else {
            let deliveries = messages.into_iter().map(|message| async {
                let errors = delivery.of(&message).await;
                (message, errors)
            });
            side_by_side(delivery.width, deliveries, |(message, errors)| {
                if !errors.is_empty() {
                    batch.fail(message, errors);
                }
            })
            .await;
        }
        batch
    }

    /// What a FIFO queue holds is to arrive in the order of its group. So the rest of a group goes back behind the first
    /// message of it that has failed; the other groups go on.
    async fn deliver_in_order(&mut self, delivery: &Delivery<'_>, messages: Vec<Message>) {
        let mut held: HashMap<Option<String>, Held> = HashMap::new();
        for message in messages {
            if let Some(held) = held.get(&message.group) {
                self.hand_back(message, held);
                continue;
            }
            let errors = delivery.of(&message).await;
            if !errors.is_empty() {
                let group = message.group.clone();
                let because = errors.clone();
                let seconds = self.fail(message, errors);
                held.insert(group, Held { because, seconds });
            }
        }
    }

    /// When the message is to be shown again, where that is said at all.
    fn fail(&mut self, message: Message, errors: Vec<Arc<Error>>) -> Option<i32> {
        let receives = message.receive_count.unwrap_or(1);
        let seconds =
            is_worth_waiting(&errors).then(|| backoff::seconds(receives, rand::random_range));
        self.name(message, seconds, errors);
        seconds
    }

    fn hand_back(&mut self, message: Message, held: &Held) {
        tracing::warn!(
            id = message.id,
            group = message.group,
            "handed back unbegun: an earlier message of its group has failed"
        );
        // A message that is hidden for longer than the one before it would hold up the whole group.
        self.name(message, held.seconds, held.because.clone());
    }

    fn name(&mut self, message: Message, seconds: Option<i32>, errors: Vec<Arc<Error>>) {
        if let (Some(receipt_handle), Some(seconds)) = (message.receipt_handle, seconds) {
            self.hidden.push(Hidden {
                receipt_handle,
                seconds,
            });
        }
        match message.id {
            Some(id) => self.failed.push(json!({ "itemIdentifier": id })),
            None => self.nameless.extend(errors),
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

/// A message that is received again is another attempt, and its predecessor may still be alive. Where it cannot be
/// told how often that was, each invocation is an owner of its own: two that shared a temporary would publish what
/// the other one has not finished.
fn owner(message: &Message, request_id: &str) -> Owner {
    match (&message.id, message.receive_count) {
        (Some(id), Some(count)) => Owner::attempt(id, count),
        (Some(id), None) => Owner::from(format!("{id} in {request_id}").as_str()),
        (None, _) => Owner::from(request_id),
    }
}

/// A FIFO queue's messages come in the order in which its users want them to arrive.
fn is_of_fifo(message: &Message) -> bool {
    let queue = message.queue.as_deref();
    queue.is_some_and(|queue| queue.ends_with(".fifo"))
}

impl Delivery<'_> {
    /// Why a message has to come again; nothing where it is done, or has been taken away for good.
    async fn of(&self, message: &Message) -> Vec<Arc<Error>> {
        let owner = owner(message, self.request_id);
        let items = match &message.content {
            Ok(items) => items.clone(),
            Err(error) => vec![Item::Refused(error.clone())],
        };
        let deliver = |item| self.invocation.deliver(item, owner.clone());
        let mut deliveries = items
            .into_iter()
            .map(|item| self.once.deliver(item, deliver));
        let mut errors = Vec::new();
        if self.is_fifo {
            // The message comes again as a whole, with what is not begun here. What can never be delivered does not come
            // again: nothing waits for it.
            for delivery in deliveries.by_ref() {
                errors.extend(delivery.await);
                if !is_hopeless(&errors) && !errors.is_empty() {
                    break;
                }
            }
            if deliveries.len() > 0 {
                tracing::warn!(
                    id = message.id,
                    records = deliveries.len(),
                    "handed back unbegun: an earlier record of the message has failed"
                );
            }
        } else {
            side_by_side(self.width, deliveries, |failed| errors.extend(failed)).await;
        }
        if is_hopeless(&errors) && give_up(self.function, message, &errors, self.end).await {
            return Vec::new();
        }
        errors
    }
}

/// Whether a message that can never be delivered has been taken away to the dead-letter queue.
async fn give_up(
    function: &Function,
    message: &Message,
    errors: &[Arc<Error>],
    by: Instant,
) -> bool {
    let Some(body) = &message.body else {
        return false;
    };
    let receives = message.receive_count.map(|count| count.to_string());
    let letter = DeadLetter {
        body,
        id: message.id.as_deref().unwrap_or("nameless"),
        origin: vec![
            ("SourceQueueArn", message.queue.clone().unwrap_or_default()),
            ("MessageId", message.id.clone().unwrap_or_default()),
            ("ReceiveCount", receives.unwrap_or_default()),
        ],
    };
    letter.send(function, &Failure::of(errors), by).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: Option<&str>, receive_count: Option<u32>) -> Message {
        Message {
            id: id.map(str::to_owned),
            receive_count,
            receipt_handle: None,
            queue: None,
            group: None,
            body: None,
            content: Ok(Vec::new()),
        }
    }

    #[test]
    fn twins_never_have_one_owner() {
        let counted = message(Some("m"), Some(2));
        assert_eq!(owner(&counted, "one"), Owner::attempt("m", 2));
        assert_eq!(owner(&counted, "one"), owner(&counted, "other"));
        for untold in [
            message(Some("m"), None),
            message(None, None),
            message(None, Some(1)),
        ] {
            assert_ne!(owner(&untold, "one"), owner(&untold, "other"), "{untold:?}");
        }
    }
}
