//! One invocation: the records of an event, one after the other, over one connection.

use std::time::Duration;

use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::delivery::{Delivery, Work};
use crate::error::{Cause, Error, Stage};
use crate::event::Item;
use crate::hand_over::{Nobody, Relay};
use crate::link::Link;
use crate::owner::Owner;
use crate::receipt::Outcome;
use crate::rules::Rules;
use crate::settings::Settings;
use crate::source::{ReadAhead, S3};

/// What lives as long as the process.
#[derive(Debug)]
pub struct Deliverer {
    settings: Settings,
    s3: S3,
    breaker: Breaker,
    rules: Rules,
}

/// What lives as long as an invocation. [`Self::finish`] ends it; dropping it cuts the connection.
#[derive(Debug)]
pub struct Invocation<'a, R = Nobody> {
    deliverer: &'a Deliverer,
    relay: R,
    has_begun: bool,
    begin_by: Instant,
    stop: Instant,
    deadline: Instant,
    end: Instant,
    link: Link,
}

/// How long removing a temporary or deleting a source may take beyond the deadline, where nobody
/// says when the end is.
const GRACE: Duration = Duration::from_secs(5);

/// The least and the most that is kept of an invocation's time for handing over.
const SHORTEST_RESERVE: Duration = Duration::from_millis(500);
const LONGEST_RESERVE: Duration = Duration::from_secs(5);

impl Deliverer {
    /// Delivers from `s3` by `settings`.
    pub fn new(settings: Settings, s3: S3) -> Self {
        Self {
            s3: s3.with_read_ahead(ReadAhead::within(settings.memory)),
            settings,
            breaker: Breaker::default(),
            rules: Rules::default(),
        }
    }

    /// The same with other rules than ship, for the tests that have to notice.
    #[cfg(feature = "take-out-rules")]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self {
            rules,
            s3: self.s3.with_rules(rules),
            ..self
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
            relay: Nobody,
            has_begun: false,
            begin_by: deadline,
            stop: deadline,
            deadline,
            end: deadline + GRACE,
            link: Link::default(),
        }
    }
}

impl<'a, R: Relay> Invocation<'a, R> {
    /// Gives what does not fit before the deadline to `relay`.
    ///
    /// A fifth of the time is kept for that: what is on its way has to be acknowledged, synced and closed,
    /// and the message sent. At least half a second, for some round trips; at most five, for what a slow
    /// line brings in it is kept short anyway. An object whose turn comes in the last quarter of what is left
    /// is handed over unbegun: it would only be begun to be handed over.
    #[must_use]
    pub fn handing_over_to<S: Relay>(self, relay: S) -> Invocation<'a, S> {
        let Self {
            deliverer,
            has_begun,
            deadline,
            end,
            link,
            ..
        } = self;
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let reserve = (left / 5).clamp(SHORTEST_RESERVE, LONGEST_RESERVE);
        let moving = left.saturating_sub(reserve);
        Invocation {
            deliverer,
            relay,
            has_begun,
            begin_by: now + moving * 3 / 4,
            stop: now + moving,
            deadline,
            end,
            link,
        }
    }

    /// Sets when it has to be over, the removal of temporaries and the deletes included.
    #[must_use]
    pub fn ending_by(self, end: Instant) -> Self {
        Self { end, ..self }
    }

    /// Deals with one record. `owner` is who delivers: a message's id and receive count, or the
    /// request's id, which its retries keep; see [`crate::remote_path::tag`].
    ///
    /// Every end is in the log when this returns.
    pub async fn deliver(&mut self, item: Item, owner: impl Into<Owner>) -> Outcome {
        let outcome = match item {
            Item::Job(job) => {
                let work = Work {
                    name: job.name,
                    hop: 0,
                    begun: None,
                };
                self.work(work, &owner.into()).await
            }
            Item::Continued(hand_over) => {
                let work = Work {
                    name: hand_over.name(),
                    hop: hand_over.hop,
                    begun: hand_over.begun,
                };
                self.work(work, &owner.into()).await
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

    async fn work(&mut self, work: Work, owner: &Owner) -> Outcome {
        let delivery = Delivery {
            settings: &self.deliverer.settings,
            s3: &self.deliverer.s3,
            breaker: &self.deliverer.breaker,
            rules: self.deliverer.rules,
            owner,
            relay: &self.relay,
            stop: self.stop,
            deadline: self.deadline,
            end: self.end,
        };
        // The first one is begun in any case: invocations that only hand on would never end.
        if self.has_begun && self.relay.is_there() && Instant::now() >= self.begin_by {
            return delivery.hand_back(work).await;
        }
        self.has_begun = true;
        delivery.run(work, &mut self.link).await
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
        Outcome::Continued(object, Some(offset)) => {
            tracing::info!(%object, offset, "continued: handed over to the next invocation");
        }
        Outcome::Continued(object, None) => {
            tracing::info!(%object, "continued: not begun, handed over to the next invocation");
        }
        Outcome::Skipped(Some(object), why) => tracing::info!(%object, "{why}"),
        Outcome::Skipped(None, why) => tracing::info!("{why}"),
        Outcome::Failed(error) => {
            tracing::error!(error_type = error.name(), "{}", error.report());
        }
    }
}
