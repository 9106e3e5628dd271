//! A batch from a queue: which messages are done, which come again and when, and which never.

mod backoff;
mod dead_letter;
mod once;
mod reason;

use std::collections::HashMap;
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;

use aws_sdk_sqs::Client;
use tokio::time::Instant;

use crate::error::Error;
use crate::event::{Item, Message};
use crate::hand_over::Relay;
use crate::invocation::Invocation;
use crate::owner::Owner;
use crate::receipt::Outcome;
use crate::side_by_side::side_by_side;
pub use dead_letter::{DeadLetter, chain};
use once::Once;
pub use once::without_repeated;
pub use reason::{Reason, is_hopeless, is_worth_waiting};

/// Whoever gives the messages.
pub trait Queue {
    /// The client by which is sent what can never be delivered.
    fn sqs(&self) -> &Client;

    /// A number of a range, by chance.
    fn random(&self, range: RangeInclusive<i32>) -> i32;

    /// A record has come to its end.
    fn told(&self, _outcome: &Outcome) {}

    /// A message has come to its end, others of its batch perhaps not yet.
    fn ended(&self, _message: &Message, _end: End<'_>) -> impl Future<Output = ()> {
        async {}
    }
}

/// What has become of a message.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// Nothing of it is to be done any more.
    Done,
    /// It can never be delivered, and lies in the dead-letter queue.
    GivenUp,
    /// It has to come again.
    Failed(&'a Again),
}

/// Why a message has to come again.
#[derive(Debug, Clone)]
pub struct Again {
    /// What has failed: of it, or of the message of its group that it waits for.
    pub because: Vec<Arc<Error>>,
    /// After how many seconds, where a later attempt may go better; else it is the queue's matter.
    pub seconds: Option<i32>,
}

/// A message that has to come again.
#[derive(Debug)]
pub struct Failed {
    /// The message.
    pub message: Message,
    /// Why, and when.
    pub again: Again,
}

/// How messages are delivered.
struct Delivery<'a, R, Q> {
    invocation: &'a Invocation<'a, R>,
    queue: &'a Q,
    once: Once,
    request_id: &'a str,
    /// How many records of a message are on their way at once.
    width: usize,
    /// In the order of the records, up to the first failure.
    is_fifo: bool,
    end: Instant,
}

/// Delivers some messages at once; those of a FIFO queue one after the other. Those that have to come again, in order.
///
/// `request_id` tells this attempt from others, and by `end` has to be sent what is given up.
pub async fn deliver<R: Relay>(
    invocation: &Invocation<'_, R>,
    messages: Vec<Message>,
    request_id: &str,
    end: Instant,
    queue: &impl Queue,
) -> Vec<Failed> {
    let is_fifo = messages.iter().any(is_of_fifo);
    let delivery = Delivery {
        invocation,
        queue,
        once: Once::among(messages.iter().flat_map(|it| it.content.iter().flatten())),
        request_id,
        width: if is_fifo {
            1
        } else {
            invocation.deliverer().width()
        },
        is_fifo,
        end,
    };
    if is_fifo {
        return delivery.in_order(messages).await;
    }
    let mut failed = Vec::new();
    let deliveries = messages
        .into_iter()
        // In the heap: the compiler lays out what is this deep in one piece only so far.
        .map(|it| Box::pin(delivery.deliver(it)));
    side_by_side(delivery.width, deliveries, |it| failed.extend(it)).await;
    failed
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

impl<R: Relay, Q: Queue> Delivery<'_, R, Q> {
    /// What a FIFO queue holds is to arrive in the order of its group. So the rest of a group goes back behind the first
    /// message of it that has failed; the other groups go on.
    async fn in_order(&self, messages: Vec<Message>) -> Vec<Failed> {
        let mut held: HashMap<Option<String>, Again> = HashMap::new();
        let mut failed = Vec::new();
        for message in messages {
            if let Some(again) = held.get(&message.group) {
                tracing::warn!(
                    id = message.id,
                    group = message.group,
                    "handed back unbegun: an earlier message of its group has failed"
                );
                // A message that is hidden for longer than the one before it would hold up the whole group.
                let again = again.clone();
                self.queue.ended(&message, End::Failed(&again)).await;
                failed.push(Failed { message, again });
                continue;
            }
            if let Some(it) = Box::pin(self.deliver(message)).await {
                held.insert(it.message.group.clone(), it.again.clone());
                failed.push(it);
            }
        }
        failed
    }

    /// The message, where it has to come again.
    async fn deliver(&self, message: Message) -> Option<Failed> {
        let errors = self.errors_of(&message).await;
        if errors.is_empty() {
            self.queue.ended(&message, End::Done).await;
            return None;
        }
        if is_hopeless(&errors) && self.give_up(&message, &errors).await {
            self.queue.ended(&message, End::GivenUp).await;
            return None;
        }
        let receives = message.receive_count.unwrap_or(1);
        let again = Again {
            seconds: is_worth_waiting(&errors)
                .then(|| backoff::seconds(receives, |range| self.queue.random(range))),
            because: errors,
        };
        self.queue.ended(&message, End::Failed(&again)).await;
        Some(Failed { message, again })
    }

    /// What has failed of a message.
    async fn errors_of(&self, message: &Message) -> Vec<Arc<Error>> {
        let owner = owner(message, self.request_id);
        let items = match &message.content {
            Ok(items) => items.clone(),
            Err(error) => vec![Item::Refused(error.clone())],
        };
        let deliver = |item| {
            let delivery = self.invocation.deliver(item, owner.clone());
            async {
                let outcome = delivery.await;
                self.queue.told(&outcome);
                outcome
            }
        };
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
        errors
    }

    /// Whether a message that can never be delivered has been taken away to the dead-letter queue.
    async fn give_up(&self, message: &Message, errors: &[Arc<Error>]) -> bool {
        let settings = self.invocation.deliverer().settings();
        let (Some(body), Some(url)) = (&message.body, &settings.dead_letter_queue_url) else {
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
        let why = Reason::of(errors);
        letter.send(self.queue.sqs(), url, &why, self.end).await
    }
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
