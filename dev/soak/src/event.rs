//! One event, which comes again until it is acknowledged.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::event::{self, ObjectRef};
use testkit::runtime_api::{Invocation, Outcome};
use testkit::s3::StoredVersion;

use crate::plan::Trigger;
use crate::world::BUCKET;

/// What Lambda gives to an invocation: longer than a slow line needs.
const TIME: Duration = Duration::from_secs(120);

pub(crate) struct Event {
    trigger: Trigger,
    notification: Value,
    /// Its retries have the same request id.
    direct: Invocation,
    pub(crate) deliveries: u32,
}

impl Event {
    pub(crate) fn new(trigger: Trigger, key: &str, stored: &StoredVersion) -> Self {
        let notification = event::notification(BUCKET, &[ObjectRef::stored(key, stored)]);
        Self {
            trigger,
            direct: Invocation::new(notification.clone()).time(TIME),
            notification,
            deliveries: 0,
        }
    }

    /// The next delivery of it.
    pub(crate) fn next(&mut self) -> Invocation {
        self.deliveries += 1;
        match self.trigger {
            Trigger::Direct => self.direct.clone(),
            Trigger::Queue => {
                // Any id will do for the message, and this one is like no other.
                let id = self.direct.id();
                let message =
                    event::sqs_message(id, &self.notification.to_string(), self.deliveries);
                Invocation::new(json!({ "Records": [message] })).time(TIME)
            }
        }
    }

    /// Whether it does not come again.
    pub(crate) fn is_acknowledged_by(&self, outcome: &Outcome) -> bool {
        match (self.trigger, outcome) {
            (Trigger::Direct, Outcome::Response(_)) => true,
            (Trigger::Queue, Outcome::Response(answer)) => answer["batchItemFailures"]
                .as_array()
                .is_some_and(Vec::is_empty),
            _ => false,
        }
    }
}
