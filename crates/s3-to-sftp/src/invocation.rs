//! One invocation: the records of an event, one after the other, over one connection.

use std::time::Duration;

use tokio::time::Instant;

use crate::delivery::{AfterDelivery, Delivery};
use crate::error::{Cause, Error, Stage};
use crate::event::Item;
use crate::link::Link;
use crate::receipt::Outcome;
use crate::settings::Settings;
use crate::source::S3;

/// What lives as long as the process.
#[derive(Debug)]
pub struct Deliverer {
    settings: Settings,
    s3: S3,
    after: AfterDelivery,
}

/// What lives as long as an invocation. [`Self::finish`] ends it; dropping it cuts the connection.
#[derive(Debug)]
pub struct Invocation<'a> {
    deliverer: &'a Deliverer,
    deadline: Instant,
    end: Instant,
    link: Link,
}

/// How long removing a temporary or deleting a source may take beyond the deadline, where nobody
/// says when the end is.
const GRACE: Duration = Duration::from_secs(5);

impl Deliverer {
    /// Delivers from `s3` by `settings`.
    pub fn new(settings: Settings, s3: S3, after: AfterDelivery) -> Self {
        Self {
            settings,
            s3,
            after,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins an invocation that publishes nothing after `deadline`.
    pub fn invocation(&self, deadline: Instant) -> Invocation<'_> {
        Invocation {
            deliverer: self,
            deadline,
            end: deadline + GRACE,
            link: Link::default(),
        }
    }
}

impl Invocation<'_> {
    /// Sets when it has to be over, the removal of temporaries and the deletes included.
    #[must_use]
    pub fn ending_by(self, end: Instant) -> Self {
        Self { end, ..self }
    }

    /// Deals with one record. `owner` is who delivers: a message's id and receive count, or the
    /// request's id, which its retries keep; see [`crate::remote_path::tag`].
    ///
    /// Every end is in the log when this returns.
    pub async fn deliver(&mut self, item: Item, owner: &str) -> Outcome {
        let outcome = match item {
            Item::Job(job) => {
                let delivery = Delivery {
                    settings: &self.deliverer.settings,
                    s3: &self.deliverer.s3,
                    after: self.deliverer.after,
                    owner,
                    deadline: self.deadline,
                    end: self.end,
                };
                delivery.run(&job.name, &mut self.link).await
            }
            Item::Skipped { name, why } => Outcome::Skipped(name, why),
            Item::Refused(error) => Outcome::Failed(Error {
                stage: Stage::Event,
                object: None,
                cause: Cause::Event(error),
            }),
        };
        log(&outcome);
        outcome
    }

    /// Ends the connection. Nothing of an invocation goes on after it: a frozen environment would
    /// send yesterday's bytes when it thaws.
    pub async fn finish(self) {
        self.link.close().await;
    }
}

fn log(outcome: &Outcome) {
    match outcome {
        // Logged before the source was touched.
        Outcome::Delivered(..) => {}
        Outcome::Gone(object) => tracing::info!(%object, "gone: nothing is there to deliver"),
        Outcome::Skipped(Some(object), why) => tracing::info!(%object, "{why}"),
        Outcome::Skipped(None, why) => tracing::info!("{why}"),
        Outcome::Failed(error) => {
            tracing::error!(error_type = error.name(), "{}", error.report());
        }
    }
}
