//! One invocation: the records of an event, some of them at once, over one connection.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use crate::breaker::Breaker;
use crate::deadline::{Deadline, Recall};
use crate::delivery::{Delivery, Work};
use crate::destination::Directories;
use crate::error::{Cause, Error, Stage};
use crate::event::Item;
use crate::hand_over::{Nobody, Relay};
use crate::journal::{Entry, Journal, Log, News};
use crate::kept::Kept;
use crate::link::Link;
use crate::object::ObjectName;
use crate::owner::Owner;
use crate::publisher::{NotPublished, Publisher};
use crate::receipt::Outcome;
use crate::remote_path::RemotePath;
use crate::room::Room;
use crate::rules::Rules;
use crate::secrets::Secrets;
use crate::settings::{Settings, UploadMode};
use crate::source::{ReadAhead, S3};
use crate::turns::{Turn, Turns};
use crate::undeleted::Undeleted;

/// What lives as long as the process.
#[derive(Debug)]
pub struct Deliverer {
    settings: Settings,
    s3: S3,
    secrets: Secrets,
    breaker: Breaker,
    kept: Kept,
    /// Of all invocations that are under way: memory is the process's, and handles are the connection's.
    room: Room,
    undeleted: Undeleted,
    rules: Rules,
    journal: Box<dyn Journal>,
    publisher: Publisher,
}

/// What lives as long as an invocation. [`Self::finish`] ends it; dropping it cuts the connection.
///
/// [`Self::deliver`] may be called for several records before the first one is done: they share the connection and
/// the memory, and those that meet at one name go one after the other, in the order of the calls. All of them have to
/// be polled, or one that waits for another waits for ever.
#[derive(Debug)]
pub struct Invocation<'a, R = Nobody> {
    deliverer: &'a Deliverer,
    relay: R,
    request_id: Option<String>,
    has_begun: AtomicBool,
    begin_by: Instant,
    stop: Instant,
    deadline: Deadline,
    end: Instant,
    link: Link<'a>,
    turns: Arc<Turns>,
    directories: Directories,
}

/// What the invocations of a program share that begins them beside one another, for as long as it runs: who waits for whom,
/// and when all of it has to be over.
#[derive(Debug, Default)]
pub struct Service {
    turns: Arc<Turns>,
    recall: Recall,
}

impl Service {
    /// Brings the deadlines of all its invocations forward, of those under way too: what is not published by then is
    /// broken off, as at any deadline.
    pub fn end_by(&self, deadline: Instant) {
        self.recall.by(deadline);
    }
}

/// How long removing a temporary or deleting a source may take beyond the deadline, where nobody
/// says when the end is.
const GRACE: Duration = Duration::from_secs(5);

/// The least and the most that is kept of an invocation's time for handing over.
const SHORTEST_RESERVE: Duration = Duration::from_millis(500);
const LONGEST_RESERVE: Duration = Duration::from_secs(5);

impl Deliverer {
    /// Delivers from `s3` by `settings`; what they refer to is fetched by `secrets`.
    pub fn new(settings: Settings, s3: S3, secrets: Secrets) -> Self {
        Self {
            s3: s3.with_read_ahead(ReadAhead::within(settings.memory)),
            room: Room::new(width(&settings), settings.memory),
            settings,
            secrets,
            breaker: Breaker::default(),
            kept: Kept::default(),
            undeleted: Undeleted::default(),
            rules: Rules::default(),
            journal: Box::new(Log),
            publisher: Publisher::none(),
        }
    }

    /// Has what becomes of each object written down there, and not in the log.
    #[must_use]
    pub fn with_journal(self, journal: impl Journal + 'static) -> Self {
        Self {
            journal: Box::new(journal),
            ..self
        }
    }

    /// Has receipts published.
    #[must_use]
    pub fn with_publisher(self, publisher: Publisher) -> Self {
        Self { publisher, ..self }
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

    /// S3.
    pub fn s3(&self) -> &S3 {
        &self.s3
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    pub(crate) fn undeleted(&self) -> &Undeleted {
        &self.undeleted
    }

    /// How many records are worth beginning at once: `SSH_MAX_FILES`. A direct upload that fails cuts the connection,
    /// and nobody else's file may be on it.
    pub fn width(&self) -> usize {
        width(&self.settings)
    }

    /// For how long the server is left alone from `now` on, since it has failed; none where it is not. Whatever is begun
    /// meanwhile fails.
    pub fn left_alone(&self, now: SystemTime) -> Option<Duration> {
        self.breaker.left(now)
    }

    /// Closes the connection that is kept for the next invocation: who waits for long holds no place of the partner's.
    pub async fn hang_up(&self) {
        if let Some(idle) = self.kept.take() {
            idle.connection.close().await;
        }
    }

    /// Begins an invocation that publishes nothing after `deadline`.
    pub fn invocation(&self, deadline: Instant) -> Invocation<'_> {
        Invocation {
            deliverer: self,
            relay: Nobody,
            request_id: None,
            has_begun: AtomicBool::new(false),
            begin_by: deadline,
            stop: deadline,
            deadline: Deadline::at(deadline),
            end: deadline + GRACE,
            link: Link::new(
                &self.settings,
                &self.s3,
                &self.secrets,
                &self.breaker,
                &self.kept,
            ),
            turns: Arc::default(),
            directories: Directories::default(),
        }
    }
}

fn width(settings: &Settings) -> usize {
    match settings.upload {
        UploadMode::Temporary => settings.max_files,
        UploadMode::Direct => 1,
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
            request_id,
            has_begun,
            deadline,
            end,
            link,
            turns,
            directories,
            ..
        } = self;
        let now = Instant::now();
        let left = deadline.instant().saturating_duration_since(now);
        let reserve = (left / 5).clamp(SHORTEST_RESERVE, LONGEST_RESERVE);
        let moving = left.saturating_sub(reserve);
        Invocation {
            deliverer,
            relay,
            request_id,
            has_begun,
            begin_by: now + moving * 3 / 4,
            stop: now + moving,
            deadline,
            end,
            link,
            turns,
            directories,
        }
    }

    /// Makes it one of a service: records meet with those of its other invocations, and it ends when they do.
    #[must_use]
    pub fn of(self, service: &Service) -> Self {
        Self {
            turns: Arc::clone(&service.turns),
            deadline: self.deadline.or_earlier_by(&service.recall),
            ..self
        }
    }

    /// Its deliverer.
    pub(crate) fn deliverer(&self) -> &'a Deliverer {
        self.deliverer
    }

    /// Sets when it has to be over, the removal of temporaries and the deletes included.
    #[must_use]
    pub fn ending_by(self, end: Instant) -> Self {
        Self { end, ..self }
    }

    /// Sets the id that records have.
    #[must_use]
    pub fn of_request(self, id: impl Into<String>) -> Self {
        Self {
            request_id: Some(id.into()),
            ..self
        }
    }

    /// Deals with one record. `owner` is who delivers: a message's id and receive count, or the
    /// request's id, which its retries keep; see [`crate::remote_path::tag`].
    ///
    /// Every end is in the journal when this returns.
    pub fn deliver(&self, item: Item, owner: impl Into<Owner>) -> impl Future<Output = Outcome> {
        let work = match item {
            Item::Job(job) => Ok(Work {
                put: job.time,
                ..Work::new(job.name)
            }),
            Item::Continued(hand_over) => Ok(Work {
                hop: hand_over.hop,
                begun: hand_over.begun.clone(),
                put: hand_over
                    .put
                    .and_then(|it| OffsetDateTime::from_unix_timestamp(it).ok()),
                ..Work::new(hand_over.name())
            }),
            Item::Skipped { name, why } => Err(Outcome::Skipped(name, why)),
            Item::Refused(error) => Err(Outcome::Failed(Error {
                stage: Stage::Event,
                object: None,
                cause: Cause::Event(error),
            })),
        };
        self.begin(work, owner.into())
    }

    /// Deals with one object. `version_id` is the only version that is delivered; none for whatever is there.
    pub fn deliver_version(
        &self,
        name: ObjectName,
        version_id: Option<String>,
        owner: impl Into<Owner>,
    ) -> impl Future<Output = Outcome> {
        let work = Work {
            only: version_id,
            ..Work::new(name)
        };
        self.begin(Ok(work), owner.into())
    }

    /// Whether there is an object under this name, as far as S3 tells before the deadline.
    ///
    /// # Errors
    ///
    /// S3 refused or did not answer.
    pub async fn is_there(&self, name: &ObjectName) -> Result<bool, Error> {
        let asking = self.deadline.within(self.deliverer.s3.is_there(name));
        let cause = match asking.await {
            Ok(Ok(is_there)) => return Ok(is_there),
            Ok(Err(error)) => Cause::Source(error),
            Err(cause) => cause,
        };
        Err(Error {
            stage: Stage::OpenSource,
            object: Some(name.clone()),
            cause,
        })
    }

    fn begin(&self, work: Result<Work, Outcome>, owner: Owner) -> impl Future<Output = Outcome> {
        // Now, and not when it is polled: this is what the order of the event is known by.
        let begun = work.map(|work| (self.enter(&work.name), work));
        async move {
            let outcome = match begun {
                // Boxed, for whoever holds many of them on the stack: all of a delivery is in it.
                Ok((turn, work)) => Box::pin(self.work(turn, work, &owner)).await,
                Err(outcome) => outcome,
            };
            if !matches!(outcome, Outcome::Delivered(..)) {
                // That was written before the source was touched.
                self.deliverer.journal.write(&Entry {
                    news: News::Ended(&outcome),
                    request_id: self.request_id.as_deref(),
                });
            }
            self.deliverer.undeleted.notice(&outcome);
            Box::pin(self.publish(&outcome)).await;
            outcome
        }
    }

    /// The delivery stands, whatever comes of this.
    async fn publish(&self, outcome: &Outcome) {
        let Deliverer {
            publisher,
            s3,
            journal,
            ..
        } = self.deliverer;
        let request_id = self.request_id.as_deref();
        let publishing = publisher.publish(s3, outcome, request_id);
        let failed = timeout_at(self.end, publishing).await;
        for why in failed.unwrap_or_else(|_| vec![NotPublished::Late]) {
            journal.write(&Entry {
                news: News::NotPublished(outcome, &why),
                request_id,
            });
        }
    }

    fn enter(&self, name: &ObjectName) -> Turn<'_> {
        let settings = &self.deliverer.settings;
        let path = RemotePath::of_name(
            &settings.filename,
            settings.strip_prefix.as_deref(),
            settings.dir.as_deref(),
            name,
        );
        self.turns.enter(name.clone(), path)
    }

    async fn work(&self, turn: Turn<'_>, work: Work, owner: &Owner) -> Outcome {
        let mut abandoned = Abandoned(Some(&self.link));
        // The first one is begun in any case: invocations that only hand on would never end.
        let is_first = !self.has_begun.swap(true, Ordering::Relaxed);
        let delivery = Delivery {
            settings: &self.deliverer.settings,
            s3: &self.deliverer.s3,
            link: &self.link,
            turn,
            room: &self.deliverer.room,
            directories: &self.directories,
            rules: self.deliverer.rules,
            journal: &*self.deliverer.journal,
            request_id: self.request_id.as_deref(),
            owner,
            relay: &self.relay,
            is_first,
            begin_by: self.begin_by,
            stop: self.stop,
            deadline: self.deadline.clone(),
            end: self.end,
        };
        let outcome = if !is_first && self.relay.is_there() && Instant::now() >= self.begin_by {
            delivery.hand_back(work).await
        } else {
            delivery.run(work).await
        };
        abandoned.0 = None;
        outcome
    }

    /// Ends the invocation. Nothing of it goes on: a frozen environment would send yesterday's bytes when it thaws. The
    /// connection is kept, by `SSH_KEEP_CONNECTION`, only if no request is outstanding on it.
    pub async fn finish(self) {
        self.link.finish().await;
    }
}

/// A delivery that is dropped before its end leaves a handle open, perhaps: its connection is not to be kept.
struct Abandoned<'a>(Option<&'a Link<'a>>);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0 {
            link.spoil();
        }
    }
}
