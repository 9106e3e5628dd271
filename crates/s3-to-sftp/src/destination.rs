//! The server's side of one delivery: a temporary of its own, verified, then renamed.
//!
//! A delivery writes, renames and removes only names that it owns; the one exception is the final
//! name, which a rename replaces. Nothing is believed of a file's length but what the server says.

mod publish;

use std::time::Duration;

use bytes::Bytes;
use sftp::{Attributes, OpenFlags, Session, StatusCode, Upload};
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::Cause;
use crate::receipt::SizeCheck;
use crate::remote_path::{RemotePath, TemporaryPath};
use crate::transfer;

pub(crate) use publish::LastLook;

/// Servers that store elsewhere tell a file's length late: it is asked again after these.
const LATE_SIZE: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// How long the removal of a temporary may take at most when a delivery has failed already.
const DISCARD: Duration = Duration::from_secs(5);

/// A file under a name that only this delivery uses.
#[derive(Debug)]
pub(crate) struct Temporary<'a> {
    session: &'a Session,
    path: &'a RemotePath,
    name: &'a TemporaryPath,
    upload: Upload<'a>,
    /// A closed handle is the server's to give to another file: it is not closed twice.
    is_closed: bool,
    /// Where the old file lies from the moment that it may have been moved aside until another one
    /// has its name.
    old_file: Option<&'a str>,
}

/// What the verification found.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) size: SizeCheck,
    /// What stands under the final name; none where nothing does, or the server does not tell.
    final_file: Option<Attributes>,
}

impl<'a> Temporary<'a> {
    /// Opens the temporary, and makes the directories that the key asks for where they are missing.
    /// `dir` is `SSH_DIR`, which is never made: a typo must not create a folder and deliver into it.
    pub(crate) async fn open(
        session: &'a Session,
        dir: Option<&str>,
        path: &'a RemotePath,
        name: &'a TemporaryPath,
    ) -> Result<Self, Cause> {
        // Some servers make whatever directory a path names, so SSH_DIR is looked at in the flight
        // of the OPEN, and judged first.
        let directory = dir.map(|dir| session.stat(dir));
        let opened = open_new(session, &name.full);
        let missing = match directory {
            Some(reply) => is_missing(&reply.await)?,
            None => false,
        };
        let opened = opened.await;
        if let (true, Some(dir)) = (missing, dir) {
            if let Ok(handle) = opened {
                let (close, remove) = (session.close(&handle), session.remove(&name.full));
                // The refusal below is the answer, whatever became of these.
                _ = (close.await, remove.await);
            }
            return Err(Cause::NoDirectory(dir.to_owned()));
        }
        let handle = match opened {
            Ok(handle) => handle,
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                let mkdir = make_directories(session, path, name).await;
                open_new(session, &name.full)
                    .await
                    .map_err(|error| match (mkdir, error) {
                        // The directory is missing still: why it could not be made is the reason.
                        (Err(refused), error) if error.is(StatusCode::NO_SUCH_FILE) => refused,
                        (_, error) => Cause::sftp(format!("OPEN of {}", name.full))(error),
                    })?
            }
            // ProFTPD without AllowOverwrite and Azure refuse a name that exists, even one's own: an
            // earlier attempt of this very delivery may have left it.
            Err(error) if error.status().is_some() => {
                if session.remove(&name.full).await.is_err() {
                    return Err(Cause::sftp(format!("OPEN of {}", name.full))(error));
                }
                open_new(session, &name.full)
                    .await
                    .map_err(Cause::sftp(format!("OPEN of {}", name.full)))?
            }
            Err(error) => return Err(Cause::sftp(format!("OPEN of {}", name.full))(error)),
        };
        let upload = Upload::new(session, handle).await;
        Ok(Self {
            session,
            path,
            name,
            upload,
            is_closed: false,
            old_file: None,
        })
    }

    /// Makes the file durable, closes it, and compares its length. Nothing is judged before all
    /// answers are in, and a refused FSYNC or CLOSE fails the delivery whatever STAT says: servers
    /// report late write errors there.
    pub(crate) async fn verify(&mut self, expected: u64) -> Result<Verified, Cause> {
        let session = self.session;
        let handle = self.upload.handle();
        let name = self.name.full.as_str();
        let fsync = session.has_fsync().then(|| session.fsync(handle));
        let fstat = session.fstat(handle);
        let close = session.close(handle);
        self.is_closed = true;
        let stat = session.stat(name);
        let final_stat = session.stat(self.path.full());

        let fsync = match fsync {
            Some(reply) => reply.await,
            None => Ok(()),
        };
        let (fstat, close) = (fstat.await, close.await);
        let (stat, final_stat) = (stat.await, final_stat.await);
        fsync.map_err(Cause::sftp(format!("FSYNC of {name}")))?;
        close.map_err(Cause::sftp(format!("CLOSE of {name}")))?;
        let fstat = answered(fstat)?;
        let size = match stat {
            Ok(stat) => {
                self.compare(stat.size.or(fstat.and_then(|it| it.size)), expected)
                    .await?
            }
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                return Err(Cause::TemporaryGone(name.to_owned()));
            }
            Err(error) if error.status().is_some() => {
                self.compare(fstat.and_then(|it| it.size), expected).await?
            }
            Err(error) => return Err(Cause::sftp(format!("STAT of {name}"))(error)),
        };
        Ok(Verified {
            size,
            final_file: answered(final_stat)?,
        })
    }

    async fn compare(&self, told: Option<u64>, expected: u64) -> Result<SizeCheck, Cause> {
        let Some(mut found) = told else {
            return Ok(SizeCheck::NotTold);
        };
        for wait in LATE_SIZE {
            if found >= expected {
                break;
            }
            sleep(wait).await;
            let again = self.session.stat(&self.name.full).await;
            found = answered(again)?.and_then(|it| it.size).unwrap_or(found);
        }
        if found == expected {
            Ok(SizeCheck::Equal)
        } else {
            Err(Cause::Size { expected, found })
        }
    }

    /// Takes back what a delivery that failed has done: the temporary is removed, and an old file that
    /// was moved aside gets its name back, if that does not take beyond `end`. What cannot be taken
    /// back is said in the log.
    pub(crate) async fn discard(self, end: Instant) {
        let name = &self.name.full;
        // In the order in which the server has to do it: all are queued before the first is awaited.
        let close = (!self.is_closed).then(|| self.session.close(self.upload.handle()));
        let remove = self.session.remove(name);
        let taken_back = timeout_at(end.min(Instant::now() + DISCARD), async {
            if let Some(close) = close {
                // The file is not wanted: what became of it does not matter.
                _ = close.await;
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
                if let Some(aside) = self.old_file {
                    self.complain_of_old_file(aside, &"no answer in time");
                }
            }
        }
    }
}

impl transfer::Destination for Temporary<'_> {
    type Error = Cause;

    async fn write(&mut self, bytes: Bytes) -> Result<(), Cause> {
        self.upload
            .write(bytes)
            .await
            .map_err(|error| write_failed(&self.name.full, error))
    }

    async fn drain(&mut self) -> Result<(), Cause> {
        self.upload
            .drain()
            .await
            .map_err(|error| write_failed(&self.name.full, error))
    }
}

/// Removes the temporary of a delivery that was given up while its OPEN was on its way.
pub(crate) async fn remove_unopened(session: &Session, name: &str, end: Instant) {
    let removed = timeout_at(end.min(Instant::now() + DISCARD), session.remove(name));
    if removed.await.is_err() {
        tracing::warn!(name, "a temporary file may be left on the server");
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

/// The first OPEN of a delivery, and the only one with CREAT. Never with TRUNC: the name is ours, so
/// what lies there is ours, is not longer than the object, and is written over from its beginning.
fn open_new(session: &Session, name: &str) -> sftp::Reply<sftp::Handle> {
    session.open(
        name,
        OpenFlags::WRITE | OpenFlags::CREAT,
        Attributes::default(),
    )
}

/// Makes the directories, outermost first. Their statuses are not judged, for servers answer
/// FAILURE, or worse, for what exists already: the OPEN behind them tells. What is handed back is
/// the first refusal that is no FAILURE, to explain that OPEN's.
async fn make_directories(
    session: &Session,
    path: &RemotePath,
    name: &TemporaryPath,
) -> Result<(), Cause> {
    let names: Vec<&str> = path
        .directories()
        .chain(name.directories.iter().map(String::as_str))
        .collect();
    let replies: Vec<_> = names.iter().map(|name| session.mkdir(name)).collect();
    let mut refusal = Ok(());
    for (name, reply) in names.iter().zip(replies) {
        let answer = reply.await;
        if refusal.is_ok() && !matches!(&answer, Err(error) if error.is(StatusCode::FAILURE)) {
            refusal = answer.map_err(Cause::sftp(format!("MKDIR of {name}")));
        }
    }
    refusal
}

/// What a server says when it is asked for attributes; none where it refuses to say.
fn answered(stat: sftp::Result<Attributes>) -> Result<Option<Attributes>, Cause> {
    match stat {
        Ok(attributes) => Ok(Some(attributes)),
        Err(error) if error.status().is_some() => Ok(None),
        Err(error) => Err(Cause::sftp("STAT")(error)),
    }
}

fn is_missing(stat: &sftp::Result<Attributes>) -> Result<bool, Cause> {
    match stat {
        Ok(_) => Ok(false),
        Err(error) if error.status().is_some() => Ok(error.is(StatusCode::NO_SUCH_FILE)),
        Err(error) => Err(Cause::sftp("STAT of SSH_DIR")(error.clone())),
    }
}
