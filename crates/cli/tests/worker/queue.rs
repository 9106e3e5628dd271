//! A queue that does what SQS does: what is received is hidden for a while, which whoever has it may change.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::aws_calls::{Answer, Call, all_but};

/// How long a receive is answered late when there is nothing.
const LATE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) receives: u32,
    body: String,
    group: Option<String>,
    hidden_until: Instant,
}

impl Message {
    fn is_visible(&self) -> bool {
        self.hidden_until <= Instant::now()
    }

    fn handle(&self) -> String {
        format!("{}/{}", self.id, self.receives)
    }
}

#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Mutex<Vec<Message>>>);

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, id: &str, body: &Value) {
        self.put_in_group(id, None, body);
    }

    pub(crate) fn put_in_group(&self, id: &str, group: Option<&str>, body: &Value) {
        self.lock().push(Message {
            id: id.to_owned(),
            receives: 0,
            body: body.to_string(),
            group: group.map(str::to_owned),
            hidden_until: Instant::now(),
        });
    }

    /// What is in it, by their ids: how often each was received, and whether it can be received now.
    pub(crate) fn left(&self) -> Vec<(String, u32, bool)> {
        let messages = self.lock();
        let left = messages.iter();
        left.map(|it| (it.id.clone(), it.receives, it.is_visible()))
            .collect()
    }

    pub(crate) fn answer(&self, call: &Call) -> Answer {
        let mut messages = self.lock();
        match call.action.as_str() {
            "ReceiveMessage" => receive(&mut messages, call),
            "DeleteMessage" => {
                let handle = call.body["ReceiptHandle"].as_str().expect("a handle");
                messages.retain(|it| it.handle() != handle);
                Answer::Body(json!({}))
            }
            "ChangeMessageVisibilityBatch" => {
                for entry in call.body["Entries"].as_array().expect("entries") {
                    let handle = entry["ReceiptHandle"].as_str().expect("a handle");
                    let found = messages.iter_mut().find(|it| it.handle() == handle);
                    if let Some(message) = found {
                        message.hidden_until =
                            Instant::now() + seconds(&entry["VisibilityTimeout"]);
                    }
                }
                Answer::Body(all_but(call, &[]))
            }
            "SendMessage" => Answer::Well,
            other => panic!("{other} is not expected"),
        }
    }
}

fn receive(messages: &mut [Message], call: &Call) -> Answer {
    let most = call.body["MaxNumberOfMessages"].as_u64().unwrap_or(1);
    let visibility = seconds(&call.body["VisibilityTimeout"]);
    // A group gives nothing while somebody has some of it.
    let busy: HashSet<String> = messages
        .iter()
        .filter(|it| !it.is_visible())
        .filter_map(|it| it.group.clone())
        .collect();
    let free = messages.iter_mut().filter(|it| {
        it.is_visible() && !it.group.as_ref().is_some_and(|group| busy.contains(group))
    });
    let most = usize::try_from(most).expect("ten at most");
    let received: Vec<Value> = free
        .take(most)
        .map(|message| {
            message.hidden_until = Instant::now() + visibility;
            message.receives += 1;
            let mut attributes = json!({ "ApproximateReceiveCount": message.receives.to_string() });
            if let Some(group) = &message.group {
                attributes["MessageGroupId"] = group.as_str().into();
            }
            json!({
                "MessageId": message.id,
                "ReceiptHandle": message.handle(),
                "Body": message.body,
                "Attributes": attributes,
            })
        })
        .collect();
    if received.is_empty() {
        Answer::Late(LATE, json!({}))
    } else {
        Answer::Body(json!({ "Messages": received }))
    }
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().expect("a number of seconds"))
}
