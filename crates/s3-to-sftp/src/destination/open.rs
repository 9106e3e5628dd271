//! The temporary: made, gone on with after a broken link, or taken over from an earlier attempt.
//!
//! What a server truly has of a file is told by FSTAT on the handle behind the OPEN, and by nothing
//! else: `rclone serve sftp` cuts a file to nothing on every OPEN for writing, whatever the flags.

use sftp::{Attributes, Handle, OpenFlags, Reply, Session, StatusCode};

use super::Place;
use crate::error::Cause;
use crate::profile::Finding;
use crate::remote_path::TemporaryPath;
use crate::rules::Rule;

/// A temporary that may be written to.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(super) handle: Handle,
    /// Its length before anything is written.
    pub(super) length: u64,
    /// All below is there, as far as acknowledgements and FSTAT tell: writing may begin here.
    pub(crate) start: u64,
}

impl Opened {
    /// A file that an earlier handle has acknowledged bytes of. One of a server that has lost some, or does
    /// not tell, is none to go on with: it is removed.
    async fn gone_on_with(
        session: &Session,
        place: &Place<'_>,
        handle: Handle,
        told: Option<u64>,
        acknowledged: u64,
    ) -> Option<Self> {
        let length = told.unwrap_or(0);
        if length >= acknowledged || !place.rules.hold(Rule::BelieveOnlyFstat) {
            return Some(Self {
                handle,
                length,
                start: acknowledged,
            });
        }
        place.profile.saw(Finding::NoResume);
        tracing::warn!(
            name = place.name.full,
            acknowledged,
            length,
            "the server has less than it acknowledged"
        );
        ignore([session.close(&handle), session.remove(&place.name.full)]).await;
        None
    }
}

impl Opened {
    /// Makes the temporary, and the directories that the key asks for where they are missing. `before`
    /// are the temporaries that earlier attempts of this chain may have left: they are removed.
    pub(crate) async fn make(
        session: &Session,
        place: &Place<'_>,
        before: &[TemporaryPath],
    ) -> Result<Self, Cause> {
        let name = &place.name.full;
        // Some servers make whatever directory a path names, so SSH_DIR is looked at in the flight
        // of the OPEN, and judged first.
        let directory = place.dir.map(|dir| session.stat(dir));
        let removed = remove_all(session, place, before);
        // An earlier attempt of the same owner may have left one.
        let left = session.stat(name);
        let needed = place.directories.needed(place);
        let opened = open_new(session, place);
        let missing = match directory {
            Some(reply) => is_missing(&reply.await)?,
            None => false,
        };
        ignore(removed).await;
        let mut length = left.await.ok().and_then(|it| it.size).unwrap_or(0);
        let opened = opened.await;
        if let (true, Some(dir)) = (missing, place.dir) {
            if let Ok(handle) = opened {
                let (close, remove) = (session.close(&handle), session.remove(name));
                // The refusal below is the answer, whatever became of these.
                _ = (close.await, remove.await);
            }
            return Err(Cause::NoDirectory(dir.to_owned()));
        }
        let handle = match opened {
            Ok(handle) => handle,
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                let open = || open_new(session, place);
                let (opened, made) = needed.open(session, place, open).await;
                opened.map_err(|error| match made {
                    // The directory is missing still: why it could not be made is the reason.
                    Err(refused) if error.is(StatusCode::NO_SUCH_FILE) => refused,
                    _ => open_failed(place, error),
                })?
            }
            // ProFTPD without AllowOverwrite and Azure refuse a name that exists, even one's own: an
            // earlier attempt of this very delivery may have left it.
            Err(error) if error.status().is_some() => {
                if session.remove(name).await.is_err() {
                    return Err(open_failed(place, error));
                }
                length = 0;
                let opened = open_new(session, place).await;
                let opened = opened.map_err(|error| open_failed(place, error))?;
                place.profile.saw(Finding::NoReopen);
                opened
            }
            Err(error) => return Err(open_failed(place, error)),
        };
        Ok(Self {
            handle,
            length,
            start: 0,
        })
    }

    /// Goes on with the temporary on another connection, from `acknowledged` on. A name that is gone
    /// means that another attempt of the chain has taken the file over, or somebody removed it: this
    /// delivery has lost it, and must not make it anew and publish a file that begins with a hole. None: it
    /// has to be begun anew, and is removed.
    pub(crate) async fn again(
        session: &Session,
        place: &Place<'_>,
        acknowledged: u64,
    ) -> Result<Option<Self>, Cause> {
        let name = &place.name.full;
        match open_own(session, place).await {
            Ok(handle) => {
                let told = told(&session.fstat(&handle).await)?;
                Ok(Self::gone_on_with(session, place, handle, told, acknowledged).await)
            }
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                Err(Cause::TemporaryLost(name.clone()))
            }
            // A server that opens no file twice.
            Err(error) if error.status().is_some() => match session.remove(name).await {
                Ok(()) => {
                    place.profile.saw(Finding::NoResume);
                    Ok(None)
                }
                Err(_) => Err(open_failed(place, error)),
            },
            Err(error) => Err(open_failed(place, error)),
        }
    }

    /// Takes the file over that an earlier invocation has handed over at `offset`: by a rename to this
    /// attempt's own name, which is also what stops an earlier attempt that is still alive. `from` are
    /// the names that it may have, oldest first; `others` are what earlier attempts may have left besides.
    /// None: there is nothing that can be gone on with, and nothing is left.
    pub(crate) async fn take_over(
        session: &Session,
        place: &Place<'_>,
        from: &[TemporaryPath],
        others: &[TemporaryPath],
        offset: u64,
    ) -> Result<Option<Self>, Cause> {
        let name = &place.name.full;
        let renames = from.iter().filter(|it| it.full != *name);
        let renames: Vec<_> = renames.map(|it| session.rename(&it.full, name)).collect();
        let opened = open_own(session, place);
        // Which of them it was does not matter: the OPEN behind them tells whether there is a file.
        ignore(renames).await;
        let opened = opened.await;
        // What was not renamed away by now is in nobody's way any more.
        let removed = [
            remove_all(session, place, from),
            remove_all(session, place, others),
        ];
        let taken = match opened {
            Ok(handle) => {
                let told = told(&session.fstat(&handle).await)?;
                Self::gone_on_with(session, place, handle, told, offset).await
            }
            Err(error) if error.status().is_some() => {
                tracing::warn!(name, %error, "the handed-over file cannot be gone on with");
                // Not to be opened a second time, or not there.
                ignore([session.remove(name)]).await;
                None
            }
            Err(error) => return Err(open_failed(place, error)),
        };
        ignore(removed.into_iter().flatten()).await;
        Ok(taken)
    }
}

/// The OPEN that begins a file, and the only one with CREAT. Never with TRUNC: the name is ours, so
/// what lies there is ours, is not longer than the object, and is written over from its beginning.
fn open_new(session: &Session, place: &Place<'_>) -> Reply<Handle> {
    let flags = OpenFlags::WRITE | OpenFlags::CREAT;
    session.open(&place.name.full, flags, place.attributes())
}

/// An OPEN that goes on with a file.
fn open_own(session: &Session, place: &Place<'_>) -> Reply<Handle> {
    let flags = if place.rules.hold(Rule::CreateOnlyAtTheBeginning) {
        OpenFlags::WRITE
    } else {
        OpenFlags::WRITE | OpenFlags::CREAT
    };
    session.open(&place.name.full, flags, Attributes::default())
}

/// Removes what earlier attempts may have left. Most of it is not there.
fn remove_all(session: &Session, place: &Place<'_>, names: &[TemporaryPath]) -> Vec<Reply<()>> {
    if !place.rules.hold(Rule::RemovePredecessors) {
        return Vec::new();
    }
    let others = names.iter().filter(|it| it.full != place.name.full);
    others.map(|it| session.remove(&it.full)).collect()
}

/// Waits for answers that change nothing.
async fn ignore(replies: impl IntoIterator<Item = Reply<()>>) {
    for reply in replies {
        _ = reply.await;
    }
}

fn told(fstat: &sftp::Result<Attributes>) -> Result<Option<u64>, Cause> {
    match fstat {
        Ok(attributes) => Ok(attributes.size),
        Err(error) if error.status().is_some() => Ok(None),
        Err(error) => Err(Cause::sftp("FSTAT")(error.clone())),
    }
}

fn open_failed(place: &Place<'_>, error: sftp::Error) -> Cause {
    Cause::sftp(format!("OPEN of {}", place.name.full))(error)
}

pub(super) fn is_missing(stat: &sftp::Result<Attributes>) -> Result<bool, Cause> {
    match stat {
        Ok(_) => Ok(false),
        Err(error) if error.status().is_some() => Ok(error.is(StatusCode::NO_SUCH_FILE)),
        Err(error) => Err(Cause::sftp("STAT of SSH_DIR")(error.clone())),
    }
}
