//! One thing that was given up: what it names, and why.

use s3_to_sftp::event::{self, Event, Item};
use s3_to_sftp::object::{ObjectName, ObjectVersion};
use serde_json::{Map, Value};

/// A message of a queue, or a record in a bucket.
#[derive(Debug)]
pub(super) struct Letter {
    /// The id of the message, or the name of the object.
    pub(super) id: String,
    pub(super) handle: Handle,
    /// The event, in whatever wrapper; or why it cannot be had.
    pub(super) content: Result<String, String>,
    /// As the function writes it beside the message, or Lambda into its record of a failed invocation.
    pub(super) error_type: Option<String>,
    pub(super) reason: Option<String>,
}

/// What it is hidden, shown and deleted by.
#[derive(Debug)]
pub(super) enum Handle {
    /// Of its last receive.
    Receipt(String),
    /// That and no other is deleted.
    Object(ObjectVersion),
    /// It cannot be read, and so it is not deleted either.
    None,
}

impl Letter {
    /// What it names. What cannot be read fails, and so the letter stays. None: somebody waits for an answer, which no
    /// delivery is.
    pub(super) fn items(&self) -> Option<Vec<Item>> {
        let refused = |error| vec![Item::Refused(error)];
        let content = self.content.as_deref().unwrap_or_default();
        match event::parse(content.as_bytes()) {
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

/// What Lambda writes about an invocation that failed; the event is in `requestPayload`
/// ([AWS](https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html)).
pub(super) struct OfLambda(Map<String, Value>);

impl OfLambda {
    /// None where the text is no such record.
    pub(super) fn of(text: &str) -> Option<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(record)) if record.contains_key("requestPayload") => {
                Some(Self(record))
            }
            _ => None,
        }
    }

    /// The function's own kind of error, or on what condition Lambda gave up.
    pub(super) fn error_type(&self) -> Option<String> {
        let own = self.text("responsePayload", "errorType");
        own.or_else(|| self.text("requestContext", "condition"))
    }

    pub(super) fn reason(&self) -> Option<String> {
        self.text("responsePayload", "errorMessage")
    }

    fn text(&self, part: &str, field: &str) -> Option<String> {
        let text = self.0.get(part)?.get(field)?.as_str()?;
        Some(text.to_owned())
    }
}
