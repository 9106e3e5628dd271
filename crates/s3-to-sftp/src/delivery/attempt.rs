//! One version, over as many connections as it takes, or as far as this invocation's time goes.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::owned::Left;
use super::silence::Silence;
use super::watched::Watched;
use super::{Delivery, Stop, is_left_for_the_next};
use crate::destination::{Done, Place, Verified, file_digest};
use crate::error::Cause;
use crate::hand_over::{Begun, ReadbackState, Relay};
use crate::object::ObjectVersion;
use crate::receipt::{Durable, Published, Receipt, Server, SizeCheck};
use crate::remote_path::RemotePath;
use crate::settings::{OnConflict, UploadMode};
use crate::source::Body;
use crate::ssh::Connection;
use crate::timeline::Timeline;
use crate::transfer::Source;

/// One version on its way.
#[derive(Debug)]
pub(super) struct Attempt<'a, R> {
    pub(super) delivery: &'a Delivery<'a, R>,
    pub(super) version: &'a ObjectVersion,
    pub(super) path: &'a RemotePath,
    /// Bytes that may be written and not acknowledged.
    pub(super) window: usize,
    /// How many invocations have worked at it.
    pub(super) hop: u32,
    /// When the object was put, as its event told.
    pub(super) put: Option<OffsetDateTime>,
    /// What the one before has handed over, if that can be gone on with.
    pub(super) begun: Option<&'a Begun>,
    /// What it has handed over, in any case.
    pub(super) handed_over: Option<&'a Begun>,
    /// Whether an attempt before has removed the old file, since it was longer and the server cuts none.
    pub(super) is_old_file_removed: bool,
    /// Whether a write waits for the answer to the one before.
    pub(super) is_one_at_a_time: bool,
}

/// How far the temporary is.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) phase: Phase,
    /// All below is acknowledged.
    pub(super) acknowledged: u64,
    /// The same when this connection began.
    before: u64,
    /// Up to here the file is what was sent, and stays so whatever happens to the server; none: nothing of it.
    pub(super) proven: Option<ReadbackState>,
    /// Whether what lies between that and `acknowledged` was written by a connection that broke.
    pub(super) is_suspect: bool,
    /// What earlier attempts may have left.
    pub(super) left: Left,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing is open, and an earlier invocation may have left a file or not.
    Beginning,
    /// It is there.
    Writing,
    /// A RENAME may have been sent.
    Renaming(Arc<Verified>),
    /// Its answer was lost once: it is not tried a third time.
    RenamingAgain(Arc<Verified>),
}

/// What became of the file, for the receipt.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) published: Published,
    pub(super) size: SizeCheck,
    pub(super) is_synced: bool,
    pub(super) is_name_synced: bool,
    pub(super) is_read_back: bool,
    pub(super) channels: usize,
}

impl Finished {
    pub(super) fn new(done: Done, verified: &Verified, is_read_back: bool) -> Self {
        Self {
            published: done.how,
            size: verified.size,
            is_synced: verified.is_synced,
            is_name_synced: done.is_synced,
            is_read_back,
            channels: verified.channels,
        }
    }
}

impl Progress {
    /// Whether a connection that broke is made again: it has brought something, or a rename has to be
    /// settled.
    fn may_go_on(&self) -> bool {
        self.acknowledged > self.before || matches!(self.phase, Phase::Renaming(_))
    }

    /// The connection broke.
    fn begin_again(&mut self) {
        self.before = self.acknowledged;
        self.is_suspect = true;
        let phase = std::mem::replace(&mut self.phase, Phase::Writing);
        self.phase = match phase {
            Phase::Renaming(verified) => Phase::RenamingAgain(verified),
            phase => phase,
        };
    }
}

impl<R: Relay> Attempt<'_, R> {
    /// Brings the version under its final name, or leaves nothing behind that nobody needs.
    pub(super) async fn run(
        &self,
        body: &mut Body,
        mut connection: Arc<Connection>,
        timeline: &mut Timeline,
        silence: &mut Silence,
    ) -> Result<Receipt, Stop> {
        let Self {
            delivery,
            version,
            path,
            ..
        } = self;
        let settings = delivery.settings;
        let tag = delivery.tag(version, path, &self.owner());
        let name = path.temporary(&settings.temporary_name, &tag);
        let aside = path.aside(&settings.temporary_name, &tag).full;
        let left_aside = self.left_aside(path);
        let place = Place {
            dir: settings.dir.as_deref(),
            path,
            name: &name,
            aside: &aside,
            left_aside: &left_aside,
            mode: settings.file_mode,
            window: self.window,
            is_one_at_a_time: self.is_one_at_a_time,
            directories: delivery.directories,
            profile: delivery.link.profile(),
            drain_time: delivery.drain_time(),
            rules: delivery.rules,
        };
        let result = match settings.upload {
            UploadMode::Direct => self.direct(&place, body, &connection, timeline).await,
            UploadMode::Temporary => {
                self.over_connections(&place, body, &mut connection, timeline, silence)
                    .await
            }
        };
        let finished = match result {
            Err(Stop::Failed(Cause::Conflict(path))) => {
                self.conflict(path, body, &connection).await?
            }
            result => result?,
        };
        if self.is_one_at_a_time {
            // It is known only now: a full disk refuses writes that come one by one as well.
            delivery.link.go_on_one_at_a_time();
        }
        Ok(self.receipt(&place, &finished, body, &connection, timeline))
    }

    async fn over_connections(
        &self,
        place: &Place<'_>,
        body: &mut Body,
        connection: &mut Arc<Connection>,
        timeline: &mut Timeline,
        silence: &mut Silence,
    ) -> Result<Finished, Stop> {
        let delivery = self.delivery;
        let handed_over = self.begun.map_or(0, |begun| begun.from.offset());
        let mut progress = Progress {
            phase: Phase::Beginning,
            acknowledged: handed_over,
            before: handed_over,
            proven: self.begun.map(Begun::proven),
            is_suspect: self.begun.is_some_and(|begun| begun.readback.is_some()),
            left: self.left(),
        };
        loop {
            let uploaded = self.upload(connection, place, body, &mut progress, timeline);
            match uploaded.await {
                Err(Stop::Failed(cause)) if cause.is_broken_connection() => {
                    let until = silence.after(&cause, progress.acknowledged);
                    let is_over = until.is_some_and(|until| until <= Instant::now());
                    if is_over || !progress.may_go_on() {
                        return Err(Stop::Failed(cause));
                    }
                    tracing::warn!(
                        object = %self.version.name, error = %cause,
                        acknowledged = progress.acknowledged,
                        "the connection broke; going on over another one"
                    );
                    progress.begin_again();
                    timeline.try_again();
                    let connecting = delivery.link.reconnect(connection, until);
                    *connection =
                        delivery
                            .deadline
                            .within(connecting)
                            .await?
                            .map_err(|(at, cause)| {
                                timeline.enter(at);
                                cause
                            })?;
                    if !connection.sftp().has_fsync() {
                        // Nothing was synced, so a server that was restarted may have lost any of it.
                        progress.proven = None;
                    }
                }
                Err(Stop::AnewOverAnother) => {
                    silence.behind(connection);
                    delivery.link.cut(connection).await;
                    return Err(Stop::AnewOverAnother);
                }
                other => {
                    silence.behind(connection);
                    return other;
                }
            }
        }
    }

    /// The final name is taken, and may not be replaced. A file that is equal is this object, brought there
    /// by an earlier attempt that could not say so any more.
    async fn conflict(
        &self,
        path: String,
        body: &mut Body,
        connection: &Connection,
    ) -> Result<Finished, Stop> {
        let delivery = self.delivery;
        let size = self.version.size;
        let comparing = async {
            let session = connection.sftp();
            let told = session.stat(&path).await.ok().and_then(|it| it.size);
            if told.is_some_and(|told| told != size) {
                return Ok::<_, Stop>(false);
            }
            while body.next().await?.is_some() {}
            let theirs = file_digest(session, &path, size).await?;
            Ok(theirs.is_some_and(|it| it.checksum() == body.own_digest().checksum()))
        };
        let is_equal = delivery.deadline.within(comparing).await??;
        if is_equal {
            return Ok(Finished {
                published: Published::Before,
                size: SizeCheck::Equal,
                is_synced: false,
                is_name_synced: false,
                is_read_back: true,
                channels: 0,
            });
        }
        Err(match delivery.settings.on_conflict {
            OnConflict::Skip => Stop::Skipped(path),
            OnConflict::Fail | OnConflict::Replace => Stop::Failed(Cause::Conflict(path)),
        })
    }

    fn receipt(
        &self,
        place: &Place<'_>,
        finished: &Finished,
        body: &Body,
        connection: &Connection,
        timeline: &Timeline,
    ) -> Receipt {
        let version = self.version;
        Receipt {
            name: version.name.clone(),
            etag: version.etag.trim_matches('"').to_owned(),
            version_id: version.version_id.clone(),
            bytes: version.size,
            server: Server::of(connection, place.profile),
            remote_path: place.path.full().to_owned(),
            published: finished.published,
            size: finished.size,
            checksum: body.checksum(),
            checksum_s3: body.told_checksum(),
            crc64nvme: body.own_digest().checksum().to_string(),
            read_back: finished.is_read_back,
            durable: match (finished.is_synced, finished.is_name_synced) {
                (true, true) => Durable::FileAndName,
                (true, false) => Durable::File,
                (false, _) => Durable::NotKnown,
            },
            channels: finished.channels,
            hops: self.hop,
            // Where it was there before, bytes were read to compare it, and none were sent.
            bytes_sent: if finished.published == Published::Before {
                0
            } else {
                body.given_out()
            },
            bytes_resumed: self.begun.map_or(0, |begun| begun.from.offset()),
            at: OffsetDateTime::now_utc(),
            put: self.put,
            retries: timeline.retries(),
            time: timeline.into(),
        }
    }

    /// The object's bytes, under the eyes of the journal.
    pub(super) fn watched<'b>(&'b self, body: &'b mut Body) -> Watched<'b> {
        Watched {
            body,
            version: self.version,
            journal: self.delivery.journal,
        }
    }

    /// Whether what an attempt has written stays on the server.
    pub(super) fn keeps(&self, stop: &Stop) -> bool {
        is_left_for_the_next(stop, self.begun)
    }
}
