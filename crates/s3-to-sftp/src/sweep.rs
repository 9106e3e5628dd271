//! What has lain below a prefix for too long is sent to the queue that the function reads from: the only thing that
//! notices an event that was lost.
//!
//! A source that is delivered and cannot be deleted looks like one that was never delivered, and every sweep would have
//! it sent again. So before anything of a directory is sent, S3 is asked whether its sources may be deleted, or moved;
//! and a source that this process has delivered and could not delete ends the sweep.

use std::collections::BTreeSet;
use std::future::Future;

use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use crate::error::{Cause, Error, Stage};
use crate::event::sweep::{SweepRefused, SweepRequest};
use crate::hand_over::{HandOver, RelayError};
use crate::invocation::Deliverer;
use crate::object::ObjectName;
use crate::settings::AfterDelivery;
use crate::source::{Listed, directory};

/// What SQS takes in one request.
const AT_ONCE: usize = 10;

/// In so many directories S3 is asked whether sources may be disposed of: a policy that tells directories apart does so
/// in the first ones, too, and a directory for each object must not cost a request for each.
const ASKED: usize = 100;

/// Where what was left behind is sent to.
pub trait SweepQueue: Send + Sync {
    /// Sends messages, at most ten. Gives how many of them were *not* taken.
    fn send(&self, messages: &[String]) -> impl Future<Output = Result<usize, RelayError>> + Send;
}

/// When, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// What ages are counted to.
    pub now: OffsetDateTime,
    /// What is not reached by then is left to the next run.
    pub until: Instant,
}

/// How far a sweep came, also one that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Objects that were looked at.
    pub listed: u64,
    /// Messages that are in the queue.
    pub sent: u64,
    /// Messages that the queue did not take.
    pub not_sent: u64,
    /// Objects that have not lain long enough.
    pub younger: u64,
    /// The function's own objects: its key, its host keys, its archive.
    pub own: u64,
    /// Empty objects whose key ends with a slash.
    pub folder_markers: u64,
    /// The age of the oldest object that is to be delivered, in seconds; 0 where there is none.
    pub oldest_seconds: u64,
    /// The last key that was sent, where the time was over.
    pub reached: Option<String>,
}

impl Deliverer {
    /// Sweeps. `nonce` is a text of this run alone.
    ///
    /// # Errors
    ///
    /// Beside how far it came: why it ended before its end.
    pub async fn sweep(
        &self,
        request: &SweepRequest,
        clock: Clock,
        nonce: &str,
        queue: &impl SweepQueue,
    ) -> (Swept, Result<(), Error>) {
        let mut sweep = Sweep {
            deliverer: self,
            request,
            clock,
            nonce,
            queue,
            asked: BTreeSet::new(),
            waiting: (Vec::new(), String::new()),
            sent: String::new(),
            swept: Swept::default(),
        };
        let result = match timeout_at(clock.until, sweep.run()).await {
            Ok(result) => result,
            // The next run would come no further.
            Err(_) if sweep.swept.sent == 0 => Err((None, Cause::Deadline)),
            Err(_) => {
                sweep.swept.reached = Some(std::mem::take(&mut sweep.sent));
                sweep.not_sent().map_or(Ok(()), Err)
            }
        };
        let result = result.map_err(|(object, cause)| Error {
            stage: Stage::Sweep,
            object,
            cause,
        });
        (sweep.swept, result)
    }
}

struct Sweep<'a, Q> {
    deliverer: &'a Deliverer,
    request: &'a SweepRequest,
    clock: Clock,
    nonce: &'a str,
    queue: &'a Q,
    /// Directories whose sources may be disposed of.
    asked: BTreeSet<String>,
    /// The messages that are to be sent next, and the last of their keys.
    waiting: (Vec<String>, String),
    /// The last key that was sent.
    sent: String,
    swept: Swept,
}

type Ended = (Option<ObjectName>, Cause);

impl<Q: SweepQueue> Sweep<'_, Q> {
    async fn run(&mut self) -> Result<(), Ended> {
        if self.deliverer.settings().after_delivery == AfterDelivery::Keep {
            return Err((None, SweepRefused::Keep.into()));
        }
        let SweepRequest { bucket, prefix, .. } = self.request;
        let mut page = None;
        loop {
            let listed = self.deliverer.s3().list(bucket, prefix, page).await;
            let listed =
                listed.map_err(|error| (None, Cause::Listing(self.request.to_string(), error)))?;
            for object in listed.objects {
                self.look_at(object).await?;
            }
            // Not kept for the next page: what was looked at is dealt with.
            self.send().await?;
            match listed.next {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        self.not_sent().map_or(Ok(()), Err)
    }

    fn not_sent(&self) -> Option<Ended> {
        let count = self.swept.not_sent;
        (count > 0).then(|| {
            let why = format!("the queue did not take {count} of the messages").into();
            (None, Cause::SweepNotSent(RelayError::Failed(why)))
        })
    }

    async fn look_at(&mut self, object: Listed) -> Result<(), Ended> {
        let Listed {
            key,
            etag,
            size,
            last_modified,
        } = object;
        self.swept.listed += 1;
        let name = ObjectName {
            bucket: self.request.bucket.clone(),
            key,
        };
        if name.key.ends_with('/') && size == 0 {
            self.swept.folder_markers += 1;
            return Ok(());
        }
        let settings = self.deliverer.settings();
        if settings.names(&name).is_some() || settings.skip(&name).is_some() {
            self.swept.own += 1;
            return Ok(());
        }
        // By two clocks: an object of the future is one of now.
        let age = (self.clock.now - last_modified).whole_seconds();
        let age = u64::try_from(age).unwrap_or_default();
        self.swept.oldest_seconds = self.swept.oldest_seconds.max(age);
        if age <= self.request.older_than.as_secs() {
            self.swept.younger += 1;
            return Ok(());
        }
        self.must_be_disposable(&name, etag.as_deref()).await?;
        let (messages, last) = &mut self.waiting;
        messages.push(HandOver::unbegun(&name).message());
        *last = name.key;
        if messages.len() == AT_ONCE {
            self.send().await?;
        }
        Ok(())
    }

    /// Ends the sweep where its messages would be sent again by each further one.
    async fn must_be_disposable(
        &mut self,
        name: &ObjectName,
        etag: Option<&str>,
    ) -> Result<(), Ended> {
        let ended = |source| (Some(name.clone()), Cause::SourceNotDeleted(source));
        let undeleted = self.deliverer.undeleted();
        let is_held = undeleted.holds(name, etag);
        // Up to where a policy tells objects apart: the directory, or the prefix where that has more.
        let directory = directory(&name.key);
        let beginning = if directory.starts_with(&self.request.prefix) {
            directory
        } else {
            self.request.prefix.as_str()
        };
        let is_known = self.asked.contains(beginning) || self.asked.len() >= ASKED;
        if is_known && !is_held {
            return Ok(());
        }
        let settings = self.deliverer.settings();
        let may = self
            .deliverer
            .s3()
            .may_dispose(name, beginning, &settings.after_delivery, self.nonce)
            .await;
        match may {
            Ok(()) if is_held && !undeleted.may_go_once_more(name) => Err(ended(None)),
            Ok(()) => {
                self.asked.insert(beginning.to_owned());
                Ok(())
            }
            Err(error) if error.is_disposal_denied() => Err(ended(Some(error))),
            Err(error) => Err((Some(name.clone()), Cause::Source(error))),
        }
    }

    async fn send(&mut self) -> Result<(), Ended> {
        let (messages, last) = std::mem::take(&mut self.waiting);
        if messages.is_empty() {
            return Ok(());
        }
        let not_taken = self.queue.send(&messages).await;
        let not_taken = not_taken.map_err(|error| (None, Cause::SweepNotSent(error)))? as u64;
        self.sent = last;
        self.swept.not_sent += not_taken;
        self.swept.sent += (messages.len() as u64).saturating_sub(not_taken);
        Ok(())
    }
}
