//! One object, end to end: the only place that decides to begin anew.
//!
//! # Layout
//!
//! | module | what it decides |
//! |---|---|
//! | `delivery` | which version is delivered, how often it is begun anew, what becomes of the source |
//! | `attempt` | one version: connections that break, hand-overs, conflicts |
//! | `upload` | one version over one connection: write, verify, publish |
//! | `prefix` | what an earlier connection has written, before it is gone on with |
//! | `direct` | the same under the final name |
//! | `dispose` | the receipt, and then the source |
//! | `owned` | the names that belong to a delivery, and to the attempts before it |
//! | `silence` | how long a server may still be silent that was so already |
//! | `look` | the source's say before a rename |
//! | `watched` | tells whoever watches how far it is |

mod attempt;
mod direct;
mod dispose;
mod look;
mod owned;
mod prefix;
mod silence;
mod upload;
mod watched;

use std::future::Future;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use crate::deadline::Deadline;
use crate::destination::{Directories, remove_unopened};
use crate::error::{Cause, Error, Stage, VerdictKind};
use crate::event::Skip;
use crate::hand_over::{Begun, HandOver, Relay};
use crate::journal::Journal;
use crate::link::Link;
use crate::object::{ObjectName, ObjectVersion};
use crate::owner::Owner;
use crate::receipt::Outcome;
use crate::remote_path::{RemotePath, TemporaryPath, tag};
use crate::room::Room;
use crate::rules::{Rule, Rules};
use crate::settings::{AfterDelivery, Settings};
use crate::source::{Found, S3, SourceError};
use crate::ssh::Connection;
use crate::timeline::Timeline;
use crate::turns::Turn;
use silence::Silence;

/// How often an object may change under a delivery before it is left to a later attempt.
const ROUNDS: u32 = 3;

/// What a delivery needs besides its object and its link.
#[derive(Debug)]
pub(crate) struct Delivery<'a, R> {
    pub(crate) settings: &'a Settings,
    pub(crate) s3: &'a S3,
    pub(crate) link: &'a Link<'a>,
    pub(crate) turn: Turn<'a>,
    pub(crate) room: &'a Room,
    pub(crate) directories: &'a Directories,
    pub(crate) rules: Rules,
    pub(crate) journal: &'a dyn Journal,
    /// Of the invocation, where it has one.
    pub(crate) request_id: Option<&'a str>,
    /// Who delivers: retries of one delivery have the same owner, twins have not.
    pub(crate) owner: &'a Owner,
    /// Who takes what does not fit into this invocation.
    pub(crate) relay: &'a R,
    /// Whether it has to be begun whatever the time, and until when it is begun otherwise, where there is a next
    /// invocation.
    pub(crate) is_first: bool,
    pub(crate) begin_by: Instant,
    /// From when on a transfer is handed over.
    pub(crate) stop: Instant,
    /// When it has to be published, or is given up.
    pub(crate) deadline: Deadline,
    /// When what follows that has to be over: removing the temporary, deleting the source.
    pub(crate) end: Instant,
}

/// One object to deliver, begun by an earlier invocation or not.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) name: ObjectName,
    /// How many invocations have worked at it.
    pub(crate) hop: u32,
    pub(crate) begun: Option<Begun>,
    /// When the object was put, as its event told.
    pub(crate) put: Option<OffsetDateTime>,
    /// The only version that is delivered; none for whatever is there.
    pub(crate) only: Option<String>,
}

impl Work {
    /// Whatever is under a name.
    pub(crate) fn new(name: ObjectName) -> Self {
        Self {
            name,
            hop: 0,
            begun: None,
            put: None,
            only: None,
        }
    }

    /// Refuses a version that is not asked for.
    fn must_be(&self, version: &ObjectVersion) -> Result<(), Cause> {
        // What was put before a bucket kept versions: S3 names it so, or not at all.
        let found = version.version_id.as_deref().unwrap_or("null");
        match &self.only {
            Some(asked) if asked != found => Err(Cause::OtherVersion {
                asked: asked.clone(),
                found: found.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// Why an attempt ended without a published file.
#[derive(Debug)]
enum Stop {
    /// There is another version now.
    Changed,
    /// There is none any more.
    Gone,
    /// What the server has of the file cannot be gone on with.
    Anew,
    /// The same, and no write is to be sent before the one before is answered.
    AnewOneAtATime,
    /// What the server has cannot be gone on with, nor can the connection.
    AnewOverAnother,
    /// The next invocation goes on.
    HandedOver {
        offset: u64,
    },
    /// `SSH_ON_CONFLICT=skip`, and there is a file.
    Skipped(String),
    Failed(Cause),
}

impl Stop {
    fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Failed(cause) if cause.is_broken_connection())
    }
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        match cause {
            // Whoever was faster has delivered this object or a newer one: what is in S3 now tells.
            Cause::Overtaken(_) => Self::Changed,
            Cause::Source(error) => error.into(),
            Cause::Sftp { request, source } => match source {
                // Once more, with writes that every server stores whole, or through one channel.
                sftp::Error::NotTold | sftp::Error::NotShared => Self::Anew,
                sftp::Error::NotGoneOnWith(_) => {
                    tracing::warn!(error = %source, "{request} failed");
                    Self::Anew
                }
                // What it makes of requests on this connection from now on, nobody knows.
                sftp::Error::SeveralRefused(_) => {
                    tracing::warn!(error = %source, "{request} failed");
                    Self::AnewOverAnother
                }
                sftp::Error::TogetherRefused(_) => {
                    tracing::warn!(error = %source, "{request} failed");
                    Self::AnewOneAtATime
                }
                source => Self::Failed(Cause::Sftp { request, source }),
            },
            cause => Self::Failed(cause),
        }
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Replaced => Self::Changed,
            SourceError::Vanished => Self::Gone,
            error => Self::Failed(Cause::Source(error)),
        }
    }
}

impl<R: Relay> Delivery<'_, R> {
    /// Delivers what is under the work's name now.
    pub(crate) async fn run(&self, work: Work) -> Outcome {
        let name = work.name.clone();
        let mut timeline = Timeline::new(Stage::OpenSource);
        match self.rounds(work, &mut timeline).await {
            Ok(outcome) => outcome,
            Err(cause) => {
                // What is outstanding on the connection must not outlive the invocation. It is not cut here: other
                // deliveries may be at work on it, or clean up.
                if matches!(cause, Cause::Deadline) || cause.is_broken_connection() {
                    self.link.spoil();
                }
                Outcome::Failed(Error {
                    stage: timeline.stage(),
                    object: Some(name),
                    cause,
                })
            }
        }
    }

    /// Leaves an object to the next invocation as it came: its turn did not come in this one.
    pub(crate) async fn hand_back(&self, work: Work) -> Outcome {
        let Work {
            name,
            hop,
            begun,
            put,
            ..
        } = work;
        let offset = begun.as_ref().map(|begun| begun.from.offset());
        let hand_over = HandOver::unchanged(&name, hop, begun).put_at(put);
        match self.send(&hand_over).await {
            Ok(()) => Outcome::Continued(name, offset),
            Err(cause) => Outcome::Failed(Error {
                stage: Stage::HandOver,
                object: Some(name),
                cause,
            }),
        }
    }

    async fn rounds(&self, work: Work, timeline: &mut Timeline) -> Result<Outcome, Cause> {
        let name = work.name.clone();
        if let Some(own) = self.settings.names(&name) {
            return Err(Cause::OwnObject(own));
        }
        if let Some(why) = self.settings.skip(&name) {
            return Ok(Outcome::Skipped(Some(name), why));
        }
        timeline.enter(Stage::Turn);
        if self.wait(self.turn.of_object(), true).await?.is_none() {
            return Ok(self.hand_back(work).await);
        }
        let hop = work.hop;
        let handed_over = work.begun.clone();
        let mut begun = handed_over.as_ref();
        let mut mismatch = false;
        let mut is_old_file_removed = false;
        let mut silence = Silence::default();
        let mut is_one_at_a_time = self.link.is_one_at_a_time();
        let mut last = Cause::KeepsChanging(ROUNDS);
        for round in 0..ROUNDS {
            if round > 0 {
                timeline.try_again();
            }
            timeline.enter(Stage::OpenSource);
            // Side by side: neither needs the other's answer.
            let opened = async {
                let connecting = self.link.connect_until(silence.until());
                tokio::join!(self.open_source(&name, begun), connecting)
            };
            let (found, connected) = self.deadline.within(opened).await?;
            let (version, mut body) = match found? {
                Found::Object(version, body) => (version, body),
                Found::Nothing => {
                    if let Ok(connection) = connected {
                        self.forget(&name, begun, &connection).await;
                    }
                    return Ok(Outcome::Gone(name));
                }
            };
            work.must_be(&version)?;
            // Not every event tells the size.
            if name.key.ends_with('/') && version.size == 0 {
                return Ok(Outcome::Skipped(Some(name), Skip::FolderMarker));
            }
            let connection = connected.map_err(|(at, cause)| {
                timeline.enter(at);
                cause
            })?;
            // Of another version it is nothing to go on with, nor to be compared with.
            let of_this = handed_over
                .as_ref()
                .filter(|begun| begun.version(&name).as_ref() == Some(&version));
            let from = begun
                .and(of_this)
                .filter(|begun| body.offset() == begun.from.offset());
            if begun.is_some() && from.is_none() {
                tracing::warn!(object = %name, "what was handed over is of another version, or not to be read: begun anew");
                self.forget(&name, begun, &connection).await;
            }
            if let AfterDelivery::Move(archive) = &self.settings.after_delivery {
                self.s3.archivable(&version, archive)?;
            }
            timeline.enter(Stage::RemotePath);
            let path = self.resolve(&version)?;
            timeline.enter(Stage::Turn);
            // Nothing is held here that another delivery may wait for, but its turn.
            let waiting = async {
                self.turn.of_path(path.full()).await;
                let limits = async { connection.sftp().limits().await.open_handles };
                self.room.share(version.size, limits).await
            };
            let Some(share) = self.wait(waiting, round == 0).await? else {
                return Ok(self.hand_back(work).await);
            };
            timeline.enter(Stage::Connect);
            // It may have broken meanwhile, which is nothing that this delivery has to fail for.
            let connection = self
                .deadline
                .within(self.link.connect_until(silence.until()))
                .await?
                .map_err(|(at, cause)| {
                    timeline.enter(at);
                    cause
                })?;
            let attempt = attempt::Attempt {
                delivery: self,
                version: &version,
                path: &path,
                window: share.bytes,
                hop,
                put: work.put,
                begun: from,
                handed_over: of_this,
                is_old_file_removed,
                is_one_at_a_time,
            };
            let running = attempt.run(&mut body, connection, timeline, &mut silence);
            match running.await {
                Ok(receipt) => {
                    return Ok(self.dispose(version, receipt, body.own_digest()).await);
                }
                Err(Stop::Gone) => return Ok(Outcome::Gone(name)),
                Err(Stop::HandedOver { offset }) => {
                    return Ok(Outcome::Continued(name, Some(offset)));
                }
                Err(Stop::Skipped(path)) => {
                    return Ok(Outcome::Skipped(Some(name), Skip::Exists(path)));
                }
                Err(stop @ (Stop::Anew | Stop::AnewOverAnother | Stop::AnewOneAtATime)) => {
                    is_one_at_a_time |= matches!(stop, Stop::AnewOneAtATime);
                    tracing::warn!(object = %name, "begun anew from the first byte");
                    last = Cause::BrokenAnew(ROUNDS);
                }
                Err(Stop::Changed) => {
                    tracing::info!(object = %name, "begun anew with what is there now: the object or its target changed meanwhile");
                    last = Cause::KeepsChanging(ROUNDS);
                }
                // Once more from the beginning, in case it was chance. Not a second time.
                Err(Stop::Failed(cause)) if cause.is_mismatch() && !mismatch => {
                    tracing::warn!(object = %name, error = %cause, "verification failed; once more");
                    mismatch = true;
                    is_old_file_removed = matches!(cause, Cause::LongerFile(_));
                }
                Err(Stop::Failed(cause)) => return Err(cause),
            }
            begun = None;
        }
        Err(last)
    }

    /// Waits for what other deliveries hold. None: its turn does not come in this invocation, and there is a next one.
    async fn wait<T>(
        &self,
        waiting: impl Future<Output = T>,
        may_hand_back: bool,
    ) -> Result<Option<T>, Cause> {
        if may_hand_back && !self.is_first && self.relay.is_there() {
            return Ok(timeout_at(self.begin_by, waiting).await.ok());
        }
        let waited = self.deadline.within(waiting).await;
        waited.map(Some)
    }

    /// The object where an earlier invocation stopped, or from its beginning.
    async fn open_source(
        &self,
        name: &ObjectName,
        begun: Option<&Begun>,
    ) -> Result<Found, SourceError> {
        let version = begun.and_then(|begun| Some((begun, begun.version(name)?)));
        match version {
            Some((begun, version)) => match self.s3.reopen(&version, &begun.from).await {
                // A message that was changed on its way, or is of a store that forgot.
                Err(SourceError::Checkpoint) => {
                    tracing::warn!(object = %name, "the hand-over cannot be gone on with");
                    self.s3.open(name).await
                }
                found => found,
            },
            None => self.s3.open(name).await,
        }
    }

    fn temporary(&self, version: &ObjectVersion, owner: &str) -> Option<TemporaryPath> {
        let path = self.resolve(version).ok()?;
        Some(path.temporary(
            &self.settings.temporary_name,
            &self.tag(version, &path, owner),
        ))
    }

    fn tag(&self, version: &ObjectVersion, path: &RemotePath, owner: &str) -> String {
        let owner = if self.rules.hold(Rule::OneWriterPerTemporary) {
            owner
        } else {
            ""
        };
        tag(version, path.full(), owner)
    }

    fn resolve(&self, version: &ObjectVersion) -> Result<RemotePath, Cause> {
        let settings = self.settings;
        let prefix = settings.strip_prefix.as_deref();
        RemotePath::resolve(&settings.filename, prefix, settings.dir.as_deref(), version)
            .map_err(Cause::Path)
    }

    /// Removes the temporaries of a version that nobody wants any more.
    async fn forget(&self, name: &ObjectName, begun: Option<&Begun>, connection: &Connection) {
        let version = begun.and_then(|begun| Some((begun, begun.version(name)?)));
        let Some((begun, version)) = version else {
            return;
        };
        let predecessors = self.owner.predecessors().map(|owner| owner.to_string());
        for owner in predecessors.chain([begun.owner.clone(), self.owner.to_string()]) {
            if let Some(left) = self.temporary(&version, &owner) {
                remove_unopened(connection.sftp(), &left.full, self.end).await;
            }
        }
    }

    /// How long what is on its way may take to arrive, when this invocation stops: half of what is left then,
    /// the other half is for syncing and closing.
    fn drain_time(&self) -> Option<Duration> {
        let reserve = self.deadline.instant().saturating_duration_since(self.stop);
        self.relay.is_there().then_some(reserve / 2)
    }

    /// Until when bytes are moved: where there is a next invocation, this one leaves it the rest in time.
    fn until(&self) -> Deadline {
        if self.relay.is_there() {
            Deadline::at(self.stop)
        } else {
            self.deadline.clone()
        }
    }

    /// Hands what is left to the next invocation.
    async fn send(&self, hand_over: &HandOver) -> Result<(), Cause> {
        timeout_at(self.end, self.relay.send(&hand_over.message()))
            .await
            .map_err(|_| Cause::Deadline)?
            .map_err(Cause::HandOver)
    }
}

/// Whether a failed attempt's temporary is left for the next one: where an invocation before has handed it
/// over, its work is in there, and the message that this one was started by comes again. Not one that is
/// wrong.
fn is_left_for_the_next(stop: &Stop, begun: Option<&Begun>) -> bool {
    match stop {
        Stop::HandedOver { .. } => true,
        Stop::Failed(cause) => {
            begun.is_some() && cause.kind() == VerdictKind::Retry && !cause.is_mismatch()
        }
        _ => false,
    }
}
