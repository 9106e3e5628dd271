//! `SSH_UPLOAD=direct`: the file is written under its final name, for servers that forbid renaming.
//!
//! A reader may see half a file, and a delivery that fails leaves one. What can be kept is kept: the
//! old file is written over and only then cut to length, so that twins of one version only ever write
//! equal bytes; nothing is truncated or removed first; what the server has is compared as everywhere.

use bytes::Bytes;
use sftp::{Attributes, OpenFlags, Session, StatusCode, Upload};

use super::open::is_missing;
use super::{Place, answered, may_be_together, present, write_failed};
use crate::error::Cause;
use crate::profile::Finding;
use crate::receipt::SizeCheck;
use crate::rules::Rule;
use crate::settings::OnConflict;
use crate::transfer;

/// A file that is being written under its final name.
#[derive(Debug)]
pub(crate) struct Direct<'a> {
    session: &'a Session,
    place: &'a Place<'a>,
    upload: Upload<'a>,
    /// Whether what is there may be written over, should that be necessary.
    may_begin_anew: bool,
}

/// What a direct upload found in the end.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) size: SizeCheck,
    pub(crate) is_synced: bool,
}

impl<'a> Direct<'a> {
    /// Opens the final name. With `skip` and `fail` only where nothing has it: by a look, and by EXCL for
    /// the servers that obey it.
    pub(crate) async fn open(
        session: &'a Session,
        place: &'a Place<'a>,
        on_conflict: OnConflict,
    ) -> Result<Self, Cause> {
        let to = place.path.full();
        let directory = place.dir.map(|dir| session.stat(dir));
        let stat = session.stat(to);
        if let (Some(reply), Some(dir)) = (directory, place.dir)
            && is_missing(&reply.await)?
        {
            return Err(Cause::NoDirectory(dir.to_owned()));
        }
        let found = match on_conflict {
            OnConflict::Replace => answered(stat.await)?,
            // Who does not say whether a file is there may have one, and may ignore EXCL as well.
            OnConflict::Skip | OnConflict::Fail => present(to, stat.await)?,
        };
        if found.is_some_and(|file| file.is_directory()) {
            return Err(Cause::IsDirectory(to.to_owned()));
        }
        let mut flags = OpenFlags::WRITE | OpenFlags::CREAT;
        if on_conflict != OnConflict::Replace {
            if found.is_some() {
                return Err(Cause::Conflict(to.to_owned()));
            }
            flags = flags | OpenFlags::EXCL;
        }
        if !place.rules.hold(Rule::NeverTruncate) {
            flags = flags | OpenFlags::TRUNC;
        }
        let open = || session.open(to, flags, place.attributes());
        let needed = place.directories.needed(place);
        let handle = match open().await {
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                // The last OPEN tells whether that has helped.
                needed.open(session, place, open).await.0
            }
            opened => opened,
        };
        let handle = handle.map_err(Cause::sftp(if found.is_some() {
            format!("OPEN of {to}, which is there")
        } else {
            format!("OPEN of {to}")
        }))?;
        let length = found.and_then(|it| it.size).unwrap_or(0);
        let mut upload = Upload::resume(session, handle, 0, length)
            .await
            .with_window(place.window);
        if place.is_one_at_a_time {
            upload = upload.one_at_a_time();
        }
        Ok(Self {
            session,
            place,
            upload,
            may_begin_anew: on_conflict == OnConflict::Replace,
        })
    }

    /// Cuts what an older, longer file has left behind the new one's end, closes, and compares. Where the server does not
    /// tell how long it is, it may be such a one, unless it `is_new`.
    pub(crate) async fn finish(&self, expected: u64, is_new: bool) -> Result<Written, Cause> {
        let (session, to) = (self.session, self.place.path.full());
        let handle = self.upload.handle();
        let told = answered(session.fstat(handle).await)?.and_then(|it| it.size);
        if told.map_or(!is_new, |found| found > expected) {
            let cut = Attributes {
                size: Some(expected),
                ..Attributes::default()
            };
            let is_cut = match session.fsetstat(handle, cut).await {
                // A server before an object store says OK and does nothing.
                Ok(()) => {
                    let told = answered(session.fstat(handle).await)?.and_then(|it| it.size);
                    told.is_none_or(|found| found <= expected)
                }
                Err(error) if error.status().is_some() => false,
                Err(error) => return Err(Cause::sftp(format!("FSETSTAT of {to}"))(error)),
            };
            if !is_cut {
                self.place.profile.saw(Finding::NoCut);
                // The one way left: the old file goes, and the new one is written once more.
                let (close, remove) = (session.close(handle), session.remove(to));
                _ = close.await;
                remove
                    .await
                    .map_err(Cause::sftp(format!("REMOVE of {to}, which is longer")))?;
                return Err(Cause::LongerFile(to.to_owned()));
            }
        }
        let mode = self
            .place
            .mode
            .map(|_| session.fsetstat(handle, self.place.attributes()));
        let fsync = session.has_fsync().then(|| session.fsync(handle));
        let fstat = session.fstat(handle);
        let close = session.close(handle);
        let stat = session.stat(to);
        if let Some(mode) = mode
            && let Err(error) = mode.await
        {
            self.place.profile.saw(Finding::NoMode);
            tracing::warn!(name = to, %error, "the server does not set SSH_FILE_MODE");
        }
        let is_synced = fsync.is_some();
        let fsync = match fsync {
            Some(reply) => reply.await,
            None => Ok(()),
        };
        let (fstat, close, stat) = (fstat.await, close.await, stat.await);
        fsync.map_err(Cause::sftp(format!("FSYNC of {to}")))?;
        close.map_err(Cause::sftp(format!("CLOSE of {to}")))?;
        // Before the CLOSE, by its own handle: a server may take a file away as soon as it is closed, which
        // is what such servers are for.
        let told = match answered(stat)?.and_then(|it| it.size) {
            Some(size) => Some(size),
            None => answered(fstat)?.and_then(|it| it.size),
        };
        let size = match told {
            None => {
                self.place.profile.saw(Finding::NoSize);
                SizeCheck::NotTold
            }
            Some(found) if found == expected => SizeCheck::Equal,
            Some(found) => return Err(Cause::Size { expected, found }),
        };
        Ok(Written { size, is_synced })
    }
}

impl Direct<'_> {
    fn failed(&self, error: sftp::Error) -> Cause {
        let error = if self.may_begin_anew {
            may_be_together(&self.upload, error)
        } else {
            error
        };
        write_failed(self.place.path.full(), error)
    }
}

impl transfer::Destination for Direct<'_> {
    type Error = Cause;

    async fn write(&mut self, bytes: Bytes) -> Result<(), Cause> {
        let written = self.upload.write(bytes).await;
        written.map_err(|error| self.failed(error))
    }

    /// What is longer is cut only when all of it is there.
    async fn finish_writing(&mut self) -> Result<(), Cause> {
        let drained = self.upload.drain().await;
        drained.map_err(|error| self.failed(error))
    }
}
