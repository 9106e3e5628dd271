//! What is asked behind the last write, in the flight of it, and what the answers tell.

use std::time::Duration;

use sftp::{Attributes, OpenFlags, Reply, StatusCode, Upload};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::{Temporary, answered, may_be_together};
use crate::error::{Cause, Stage};
use crate::profile::Finding;
use crate::receipt::SizeCheck;
use crate::rules::Rule;
use crate::timeline::Timeline;

/// Servers that store elsewhere tell a file's length late: it is asked again after these.
pub(super) const LATE_SIZE: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// What the verification found.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) size: SizeCheck,
    /// Whether the file was made durable.
    pub(crate) is_synced: bool,
    /// Channels that wrote it.
    pub(crate) channels: usize,
    /// The temporary, after its CLOSE.
    pub(super) temporary: Option<Attributes>,
    /// What stands under the final name; none where nothing does, or the server does not tell.
    pub(super) final_file: Option<Attributes>,
    /// Whether the server does tell.
    pub(super) is_final_told: bool,
}

impl Temporary<'_> {
    /// Makes the file durable, closes it, and compares its length. Nothing is judged before all
    /// answers are in, those to the last writes among them, and a refused WRITE, FSYNC or CLOSE fails the delivery
    /// whatever STAT says: servers report late write errors there. `timeline` tells what failed.
    ///
    /// `written` is told when the last write is acknowledged, which is early enough to look at the source beside the
    /// rest of the flight; it is dropped when one was refused.
    pub(crate) async fn verify(
        &mut self,
        expected: u64,
        timeline: &mut Timeline,
        written: oneshot::Sender<()>,
    ) -> Result<Verified, Cause> {
        let session = self.session;
        let name = self.name();
        let channels = self.upload.as_ref().map_or(0, Upload::channels);
        let Some(mut upload) = self.upload.take() else {
            return Err(Cause::sftp(format!("CLOSE of {name}"))(sftp::Error::Closed));
        };
        // In the same flight: what they wrote is acknowledged, so the first one's FSYNC makes it durable.
        let further = upload.narrow();
        let handle = upload.handle();
        let mode = self.place.mode.map(|_| {
            // A server's umask takes bits out of OPEN's.
            session.fsetstat(handle, self.place.attributes())
        });
        let fsync = session.has_fsync().then(|| session.fsync(handle));
        let fstat = session.fstat(handle);
        let before = session.stat(name);
        let close = session.close(handle);
        let stat = session.stat(name);
        let final_stat = session.stat(self.place.path.full());
        let directory = session.has_fsync().then(|| {
            let directory = self.place.path.directory();
            session.open(directory, OpenFlags::READ, Attributes::default())
        });

        let drained = upload.drain().await;
        self.acknowledged = upload.acknowledged();
        if drained.is_ok() {
            // Whoever does not wait for it needs no look.
            _ = written.send(());
        } else {
            drop(written);
        }
        let mode = match mode {
            Some(reply) => reply.await,
            None => Ok(()),
        };
        let is_synced = fsync.is_some();
        let fsync = match fsync {
            Some(reply) => reply.await,
            None => Ok(()),
        };
        let (fstat, before, close) = (fstat.await, before.await, all(close, further).await);
        let (stat, final_stat) = (stat.await, final_stat.await);
        if let Some(reply) = directory {
            // Only OpenSSH and its like open a directory for this; ProFTPD and AsyncSSH refuse.
            self.directory = reply.await.ok();
        }
        if let Err(error) = drained {
            timeline.enter(Stage::Transfer);
            return Err(self.failed(may_be_together(&upload, error)));
        }
        let is_mode_refused = mode.is_err();
        if let Err(error) = mode {
            self.place.profile.saw(Finding::NoMode);
            tracing::warn!(name, %error, "the server does not set SSH_FILE_MODE");
        }
        if self.place.rules.hold(Rule::JudgeClose) {
            fsync.map_err(Cause::sftp(format!("FSYNC of {name}")))?;
            close.map_err(Cause::sftp(format!("CLOSE of {name}")))?;
        }
        let fstat = answered(fstat)?;
        let (size, temporary) = match stat {
            Ok(stat) => {
                let told = stat.size.or(fstat.and_then(|it| it.size));
                (self.compare(told, expected).await?, Some(stat))
            }
            // Gone before the CLOSE: a later attempt of the chain has it now, or somebody removed it.
            // Gone by the CLOSE: this server takes files as soon as they are closed.
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                return Err(match before {
                    Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                        Cause::TemporaryLost(name.to_owned())
                    }
                    _ => Cause::TemporaryGone(name.to_owned()),
                });
            }
            Err(error) if error.status().is_some() => {
                let told = fstat.and_then(|it| it.size);
                (self.compare(told, expected).await?, None)
            }
            Err(error) => return Err(Cause::sftp(format!("STAT of {name}"))(error)),
        };
        if let (Some(asked), Some(found)) =
            (self.place.mode, temporary.and_then(|it| it.permissions))
            && asked != found & 0o7777
            && !is_mode_refused
        {
            self.place.profile.saw(Finding::NoMode);
            tracing::warn!(
                name,
                "the server says that it sets SSH_FILE_MODE={asked:o}, and the file has {:o}",
                found & 0o7777
            );
        }
        let is_final_told = match &final_stat {
            Ok(_) => true,
            Err(error) => error.is(StatusCode::NO_SUCH_FILE),
        };
        Ok(Verified {
            size,
            is_synced,
            channels,
            temporary,
            final_file: answered(final_stat)?,
            is_final_told,
        })
    }

    /// Makes what is acknowledged durable, in the middle; nothing where the server cannot.
    pub(crate) async fn sync(&mut self) -> Result<(), Cause> {
        let Some(upload) = self.upload.as_ref().filter(|_| self.session.has_fsync()) else {
            return Ok(());
        };
        let fsync = self.session.fsync(upload.handle()).await;
        fsync.map_err(Cause::sftp(format!("FSYNC of {}", self.name())))
    }

    /// Stops in the middle: what is acknowledged is made durable and closed, for the next invocation.
    pub(crate) async fn park(&mut self) -> Result<(), Cause> {
        let session = self.session;
        let name = self.name();
        let Some(mut upload) = self.upload.take() else {
            return Ok(());
        };
        let further = upload.narrow();
        let handle = upload.handle();
        let fsync = session.has_fsync().then(|| session.fsync(handle));
        let fstat = session.fstat(handle);
        let close = session.close(handle);
        if let Some(fsync) = fsync {
            fsync
                .await
                .map_err(Cause::sftp(format!("FSYNC of {name}")))?;
        }
        let fstat = answered(fstat.await)?;
        all(close, further)
            .await
            .map_err(Cause::sftp(format!("CLOSE of {name}")))?;
        let expected = upload.acknowledged();
        match fstat.and_then(|it| it.size) {
            Some(found) if found < expected => Err(Cause::Size { expected, found }),
            _ => Ok(()),
        }
    }

    async fn compare(&self, told: Option<u64>, expected: u64) -> Result<SizeCheck, Cause> {
        let Some(mut found) = told else {
            self.place.profile.saw(Finding::NoSize);
            return Ok(SizeCheck::NotTold);
        };
        let is_late = found < expected;
        for wait in LATE_SIZE {
            if found >= expected {
                break;
            }
            sleep(wait).await;
            let again = self.session.stat(self.name()).await;
            found = answered(again)?.and_then(|it| it.size).unwrap_or(found);
        }
        if is_late && found == expected {
            self.place.profile.saw(Finding::LateSize);
        }
        if found == expected || !self.place.rules.hold(Rule::CompareSize) {
            Ok(SizeCheck::Equal)
        } else {
            Err(Cause::Size { expected, found })
        }
    }
}

/// The answers to all CLOSEs of one file: the first refusal counts.
async fn all(close: Reply<()>, further: Vec<Reply<()>>) -> sftp::Result<()> {
    let mut closed = close.await;
    for reply in further {
        closed = closed.and(reply.await);
    }
    closed
}
