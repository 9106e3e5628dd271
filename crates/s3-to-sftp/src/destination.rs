//! The server's side of one delivery: a temporary of its own, verified, then renamed.
//!
//! A delivery writes, renames and removes only names that it owns; the one exception is the final
//! name, which a rename replaces. Nothing is believed of a file's length but what the server says.
//!
//! # Layout
//!
//! | module | step |
//! |---|---|
//! | `channels` | how many channels write to a file |
//! | `directories` | those that keys ask for, made once for all files |
//! | `open` | the temporary: made, gone on with, or taken over from an earlier attempt |
//! | `verify` | one flight behind the last write, and what it tells |
//! | `readback` | the file is read once more, where that is asked for |
//! | `publish` | the rename, and what servers need in its place |
//! | `settle` | whether a rename whose answer was lost has happened |
//! | `direct` | none of these: for servers that forbid renaming |

mod channels;
mod direct;
mod directories;
mod open;
mod publish;
mod readback;
mod settle;
mod verify;

use std::time::Duration;

use bytes::Bytes;
use sftp::{Attributes, Handle, Reply, Session, StatusCode, Upload};
use tokio::time::{Instant, timeout_at};

use crate::error::Cause;
use crate::profile::Profile;
use crate::remote_path::{RemotePath, TemporaryPath};
use crate::rules::{Rule, Rules};
use crate::settings::Channels;
use crate::ssh::Connection;
use crate::transfer;

use channels::Further;
pub(crate) use direct::Direct;
pub(crate) use directories::Directories;
pub(crate) use open::Opened;
pub(crate) use publish::{Done, LastLook, put_back, refuse_if_taken, remove_old_file};
pub(crate) use readback::{Compared, file_digest, read_back};
pub(crate) use settle::{Settled, settle};
pub(crate) use verify::Verified;

/// How long the removal of a temporary may take at most when a delivery has failed already.
const DISCARD: Duration = Duration::from_secs(5);

/// Where a delivery writes, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// `SSH_DIR`, which is never made: a typo must not create a folder and deliver into it.
    pub(crate) dir: Option<&'a str>,
    pub(crate) path: &'a RemotePath,
    pub(crate) name: &'a TemporaryPath,
    /// A name of this delivery's own, for the old file where the server cannot rename over it.
    pub(crate) aside: &'a str,
    /// The same names of earlier attempts, which may have died before they could clean up.
    pub(crate) left_aside: &'a [String],
    /// `SSH_FILE_MODE`.
    pub(crate) mode: Option<u32>,
    /// Bytes that may be written and not yet acknowledged: this file's share of the memory.
    pub(crate) window: usize,
    /// Whether a write waits for the answer to the one before.
    pub(crate) is_one_at_a_time: bool,
    /// What has been made of the directories that keys ask for.
    pub(crate) directories: &'a Directories,
    /// What is seen of the server on the way.
    pub(crate) profile: &'a Profile,
    /// How long these may take to be acknowledged; none where nobody has to stop in time.
    pub(crate) drain_time: Option<Duration>,
    pub(crate) rules: Rules,
}

impl Place<'_> {
    /// Permissions for OPEN, so that the file is not open to others while it is written.
    fn attributes(&self) -> Attributes {
        Attributes {
            permissions: self.mode,
            ..Attributes::default()
        }
    }
}

/// A file under a name that only this delivery uses.
#[derive(Debug)]
pub(crate) struct Temporary<'a> {
    session: &'a Session,
    place: &'a Place<'a>,
    /// None once its handle is closed: a closed handle is the server's to give to another file.
    upload: Option<Upload<'a>>,
    /// Where further channels come from, and how many bytes they are for; none where one channel is enough.
    further: Option<Further<'a>>,
    /// What was acknowledged before this handle was opened.
    start: u64,
    /// What was acknowledged when the handle was closed.
    acknowledged: u64,
    /// The final name's directory, to make the rename durable; where the server opens one.
    directory: Option<Handle>,
    /// Whether the old file may have been moved aside, and no other has its name yet.
    is_old_file_aside: bool,
}

impl<'a> Temporary<'a> {
    /// Writes to what was opened, from `offset` on.
    pub(crate) async fn write_from(
        session: &'a Session,
        place: &'a Place<'a>,
        opened: Opened,
        offset: u64,
    ) -> Self {
        let mut upload = Upload::resume(session, opened.handle, offset, opened.length)
            .await
            // More than that does not make one channel faster.
            .with_window(place.window);
        if place.is_one_at_a_time {
            upload = upload.one_at_a_time();
        }
        if !place.rules.hold(Rule::MistrustLargeWrites) {
            upload = upload.believing_the_first_write();
        }
        if !place.rules.hold(Rule::OneFileForAllChannels) {
            upload = upload.believing_all_channels();
        }
        if let Some(time) = place.drain_time {
            upload = upload.with_drain_time(time);
        }
        Self {
            session,
            place,
            upload: Some(upload),
            further: None,
            start: offset,
            acknowledged: offset,
            directory: None,
            is_old_file_aside: false,
        }
    }

    /// Has further channels of the connection write as well, where that is worth it for a file of `size` bytes.
    pub(crate) fn over_channels(
        mut self,
        connection: &'a Connection,
        setting: Channels,
        size: u64,
    ) -> Self {
        if self.place.is_one_at_a_time {
            return self;
        }
        self.further = Some(Further {
            connection,
            setting,
            size,
            ask_again_at: 0,
            are_in_use: false,
            opening: None,
        });
        self
    }

    /// One that is written and closed already, by an earlier connection.
    pub(crate) fn closed(session: &'a Session, place: &'a Place<'a>) -> Self {
        Self {
            session,
            place,
            upload: None,
            further: None,
            start: 0,
            acknowledged: 0,
            directory: None,
            // Where the link broke between two renames it is; where it did not, moving back does nothing.
            is_old_file_aside: true,
        }
    }

    /// Bytes from the beginning of the file that the server has acknowledged without a gap.
    pub(crate) fn acknowledged(&self) -> u64 {
        let upload = self.upload.as_ref();
        upload.map_or(self.acknowledged, Upload::acknowledged)
    }

    /// Waits until everything is acknowledged: whoever hands over has to know where.
    pub(crate) async fn drain(&mut self) -> Result<(), Cause> {
        let drained = match &mut self.upload {
            Some(upload) => upload.drain().await,
            None => Ok(()),
        };
        drained.map_err(|error| self.failed(error))
    }

    /// Whether no byte was taken since the file was opened to be gone on with.
    fn has_brought_nothing_to_what_was_there(&self) -> bool {
        self.start > 0 && self.acknowledged() == self.start
    }

    fn name(&self) -> &'a str {
        &self.place.name.full
    }

    /// Leaves the file as it is, for an attempt that goes on with it. An old file that was moved aside gets
    /// its name back.
    pub(crate) async fn leave(self, end: Instant) {
        let closing = self.close();
        let closed = async {
            for reply in closing {
                _ = reply.await;
            }
            self.move_back().await;
        };
        if timeout_at(end.min(Instant::now() + DISCARD), closed)
            .await
            .is_err()
        {
            tracing::warn!(name = self.name(), "a handle may be left open");
        }
    }

    /// Closes what is open: servers have few handles for each connection.
    fn close(&self) -> Vec<Reply<()>> {
        let files = self.upload.iter().flat_map(Upload::close);
        let directory = self.directory.iter();
        files
            .chain(directory.map(|handle| self.session.close(handle)))
            .collect()
    }

    /// Takes back what a delivery that failed has done: the temporary is removed, and an old file that
    /// was moved aside gets its name back, if that does not take beyond `end`. What cannot be taken
    /// back is said in the log.
    pub(crate) async fn discard(self, end: Instant) {
        if !self.place.rules.hold(Rule::RemoveOwn) {
            return;
        }
        let name = self.name();
        // In the order in which the server has to do it: all are queued before the first is awaited.
        let closing = self.close();
        let remove = self.session.remove(name);
        let taken_back = timeout_at(end.min(Instant::now() + DISCARD), async {
            for reply in closing {
                // The file is not wanted: what became of it does not matter.
                _ = reply.await;
            }
            let removed = remove.await;
            self.move_back().await;
            removed
        });
        match taken_back.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is(StatusCode::NO_SUCH_FILE) => {}
            Ok(Err(error)) => {
                tracing::warn!(name, %error, "a temporary file is left on the server")
            }
            Err(_) => {
                tracing::warn!(name, "a temporary file may be left on the server");
                if self.is_old_file_aside {
                    self.complain_of_old_file(&"no answer in time");
                }
            }
        }
    }
}

impl transfer::Destination for Temporary<'_> {
    type Error = Cause;

    async fn write(&mut self, bytes: Bytes) -> Result<(), Cause> {
        let written = self.write_or_widen(bytes).await;
        written.map_err(|error| self.failed(error))
    }

    /// Sends the last write and waits for none: over one channel a server carries out in order what follows, and the
    /// verification asks for the answers. That spares a small file a round trip. Several channels are no order, and
    /// neither is a server that carries requests out side by side.
    async fn finish_writing(&mut self) -> Result<(), Cause> {
        let sent = match &mut self.upload {
            Some(upload) if upload.is_wide() || !is_in_order(self.session) => upload.drain().await,
            Some(upload) => upload.send_rest().await,
            None => Ok(()),
        };
        sent.map_err(|error| self.failed(error))
    }
}

/// Whether a server carries out FSYNC behind the writes that were sent before it. The draft asks for that (section
/// 6.1), and pkg/sftp does it for CLOSE alone; OpenSSH's program does one request at a time. Who has no FSYNC
/// promises nothing by it.
fn is_in_order(session: &Session) -> bool {
    !session.has_fsync() || session.extensions().are_those_of_openssh()
}

/// Removes the temporary of a delivery that was given up while its OPEN was on its way.
pub(crate) async fn remove_unopened(session: &Session, name: &str, end: Instant) {
    let removed = timeout_at(end.min(Instant::now() + DISCARD), session.remove(name));
    if removed.await.is_err() {
        tracing::warn!(name, "a temporary file may be left on the server");
    }
}

/// A refusal that may be because of other writes on their way. It is a FAILURE: who may not write is told otherwise.
fn may_be_together(upload: &Upload<'_>, error: sftp::Error) -> sftp::Error {
    match error {
        sftp::Error::Status(status)
            if status.code == StatusCode::FAILURE && upload.may_suffer_from_others() =>
        {
            sftp::Error::TogetherRefused(status)
        }
        error => error,
    }
}

fn write_failed(name: &str, error: sftp::Error) -> Cause {
    match error {
        sftp::Error::CutShort { sent, stored } => Cause::Size {
            expected: sent,
            found: stored,
        },
        error => Cause::sftp(format!("WRITE to {name}"))(error),
    }
}

/// What a server says when it is asked for attributes; none where it refuses to say.
fn answered(stat: sftp::Result<Attributes>) -> Result<Option<Attributes>, Cause> {
    match stat {
        Ok(attributes) => Ok(Some(attributes)),
        Err(error) if error.status().is_some() => Ok(None),
        Err(error) => Err(Cause::sftp("STAT")(error)),
    }
}

/// The same, where a name that is not there is told apart from a server that does not say.
fn present(name: &str, stat: sftp::Result<Attributes>) -> Result<Option<Attributes>, Cause> {
    match stat {
        Ok(attributes) => Ok(Some(attributes)),
        Err(error) if error.is(StatusCode::NO_SUCH_FILE) => Ok(None),
        Err(error) => Err(Cause::sftp(format!("STAT of {name}"))(error)),
    }
}
