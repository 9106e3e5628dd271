//! The rename that gives a verified file its final name.

use std::future::Future;

use sftp::{Attributes, Error, Reply, Session, StatusCode};

use super::{Place, Temporary, Verified, answered, present};
use crate::error::Cause;
use crate::profile::Finding;
use crate::receipt::Published;
use crate::rules::Rule;
use crate::settings::OnConflict;

/// The source's say before a rename.
pub(crate) trait LastLook: Send {
    /// Makes sure that what was read is still what is there.
    fn confirm(&mut self) -> impl Future<Output = Result<(), Cause>> + Send;
}

/// How a file was published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) how: Published,
    /// Whether the directory was made durable behind the rename.
    pub(crate) is_synced: bool,
}

impl Temporary<'_> {
    /// Renames the temporary to the final name: over whatever file is there, or, with `skip` and `fail`, only
    /// where nothing is.
    ///
    /// `look` has to agree before each rename that gives the new file the final name.
    pub(crate) async fn publish(
        &mut self,
        verified: &Verified,
        on_conflict: OnConflict,
        look: &mut impl LastLook,
    ) -> Result<Done, Cause> {
        let to = self.place.path.full();
        if verified.final_file.is_some_and(|file| file.is_directory()) {
            return Err(Cause::IsDirectory(to.to_owned()));
        }
        match on_conflict {
            OnConflict::Replace => self.replace(verified, look).await,
            OnConflict::Skip | OnConflict::Fail => self.publish_new(look).await,
        }
    }

    async fn replace(
        &mut self,
        verified: &Verified,
        look: &mut impl LastLook,
    ) -> Result<Done, Cause> {
        let (from, to) = (self.place.name.full.as_str(), self.place.path.full());
        if self.session.has_posix_rename() {
            look.confirm().await?;
            let renamed = self.session.posix_rename(from, to);
            match self.with_directory(renamed).await {
                (Ok(()), is_synced) => {
                    let how = Published::PosixRename;
                    return Ok(Done { how, is_synced });
                }
                (Err(error), _) if may_try_otherwise(&error) => {}
                (Err(error), _) => return Err(rename_failed(from, to, error)),
            }
        }
        look.confirm().await?;
        let renamed = self.session.rename(from, to);
        let refused = match self.with_directory(renamed).await {
            (Ok(()), is_synced) => {
                remove_old_file(self.session, self.place).await;
                let how = Published::Rename;
                return Ok(Done { how, is_synced });
            }
            (Err(error), _) => error,
        };
        // The draft has RENAME fail where the target exists. Only the very file that was seen there
        // may be moved: one that appeared since is somebody else's, perhaps this object's own twin
        // from another environment, whose source is deleted already.
        let now = answered(self.session.stat(to).await)?;
        let was_seen = is_same_file(now, verified.final_file)
            || !self.place.rules.hold(Rule::MoveAsideOnlyWhatWasSeen);
        match now {
            Some(_) if !was_seen => Err(Cause::Overtaken(to.to_owned())),
            Some(_) if may_try_otherwise(&refused) => {
                look.confirm().await?;
                self.move_aside(look).await
            }
            _ => Err(rename_failed(from, to, refused)),
        }
    }

    /// By a plain RENAME only, which fails where something is; and, since some servers' does not, directly
    /// behind a look at the name.
    async fn publish_new(&mut self, look: &mut impl LastLook) -> Result<Done, Cause> {
        let (from, to) = (self.place.name.full.as_str(), self.place.path.full());
        look.confirm().await?;
        let holds = self.place.rules.hold(Rule::ConflictNeverReplaces);
        if holds {
            refuse_if_taken(self.session, self.place).await?;
        }
        let renamed = if holds {
            self.session.rename(from, to)
        } else {
            self.session.posix_rename(from, to)
        };
        match self.with_directory(renamed).await {
            (Ok(()), is_synced) => {
                let how = Published::Rename;
                Ok(Done { how, is_synced })
            }
            (Err(error), _) => {
                let is_there = answered(self.session.stat(to).await)?.is_some();
                Err(if is_there && may_try_otherwise(&error) {
                    Cause::Conflict(to.to_owned())
                } else {
                    rename_failed(from, to, error)
                })
            }
        }
    }

    /// Moves the old file aside, renames, and removes the old one. Where that fails, or is given up
    /// half way, the old file is moved back.
    async fn move_aside(&mut self, look: &mut impl LastLook) -> Result<Done, Cause> {
        let (from, to) = (self.place.name.full.as_str(), self.place.path.full());
        let aside = self.place.aside;
        if !self.place.rules.hold(Rule::MoveAsideNotRemove) {
            return self.remove_and_rename(look).await;
        }
        self.is_old_file_aside = true;
        let mut moved = self.session.rename(to, aside).await;
        if moved.as_ref().is_err_and(may_try_otherwise) && self.session.remove(aside).await.is_ok()
        {
            // An earlier attempt of the same owner has moved a file there, and published its own: the
            // answer to that was lost. What stands under the final name is complete, so the older one
            // is not needed any more.
            moved = self.session.rename(to, aside).await;
        }
        if let Err(error) = moved {
            if error.status().is_some() {
                self.is_old_file_aside = false;
            }
            return Err(if error.is(StatusCode::NO_SUCH_FILE) {
                Cause::Overtaken(to.to_owned())
            } else {
                Cause::sftp(format!("RENAME of {to} to {aside}"))(error)
            });
        }
        look.confirm().await?;
        let renamed = self.session.rename(from, to);
        let (renamed, is_synced) = self.with_directory(renamed).await;
        renamed.map_err(|error| rename_failed(from, to, error))?;
        self.is_old_file_aside = false;
        remove_old_file(self.session, self.place).await;
        self.place.profile.saw(Finding::NoReplace);
        let how = Published::MovedAside;
        Ok(Done { how, is_synced })
    }

    /// What [`Rule::MoveAsideNotRemove`] forbids.
    async fn remove_and_rename(&mut self, look: &mut impl LastLook) -> Result<Done, Cause> {
        let (from, to) = (self.place.name.full.as_str(), self.place.path.full());
        _ = self.session.remove(to).await;
        look.confirm().await?;
        let renamed = self.session.rename(from, to).await;
        renamed.map_err(|error| rename_failed(from, to, error))?;
        Ok(Done {
            how: Published::MovedAside,
            is_synced: false,
        })
    }

    /// A rename, and in its flight the FSYNC of its directory: without, a power cut may undo the name of a
    /// file whose source is deleted.
    async fn with_directory(&mut self, renamed: Reply<()>) -> (sftp::Result<()>, bool) {
        let directory = self.directory.take();
        let synced = directory
            .as_ref()
            .map(|handle| (self.session.fsync(handle), self.session.close(handle)));
        let renamed = renamed.await;
        let is_synced = match synced {
            Some((fsync, close)) => {
                let is_synced = fsync.await.is_ok();
                // Nothing was written by this handle.
                _ = close.await;
                is_synced
            }
            None => false,
        };
        (renamed, is_synced)
    }

    /// Gives an old file that was moved aside its name back, unless another file has it by now.
    pub(super) async fn move_back(&self) {
        if !self.is_old_file_aside || !self.place.rules.hold(Rule::MoveBack) {
            return;
        }
        let (to, aside) = (self.place.path.full(), self.place.aside);
        let moved = match self.session.stat(to).await {
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                self.session.rename(aside, to).await
            }
            // Replaced after all: by us, where only the answer was lost, or by a twin.
            Ok(_) => return remove_old_file(self.session, self.place).await,
            Err(error) => Err(error),
        };
        match moved {
            Ok(()) => {}
            // It was not moved, or the partner has taken it: there is nothing to give back.
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {}
            Err(error) => self.complain_of_old_file(&error),
        }
    }

    pub(super) fn complain_of_old_file(&self, error: &dyn std::fmt::Display) {
        tracing::error!(
            aside = self.place.aside, to = self.place.path.full(), %error,
            "the old file was moved aside and may not be back; where nothing has its name, rename it \
             by hand"
        );
    }
}

/// With `skip` and `fail`: something has the final name; or nobody says so, and a plain RENAME may replace it.
pub(crate) async fn refuse_if_taken(session: &Session, place: &Place<'_>) -> Result<(), Cause> {
    let to = place.path.full();
    match present(to, session.stat(to).await)? {
        Some(_) => Err(Cause::Conflict(to.to_owned())),
        None => Ok(()),
    }
}

/// Removes the file that was replaced, where this attempt or an earlier one of the same owner, whose
/// connection broke, has moved it aside.
pub(crate) async fn remove_old_file(session: &Session, place: &Place<'_>) {
    let name = place.aside;
    match session.remove(name).await {
        Err(error) if !error.is(StatusCode::NO_SUCH_FILE) => {
            tracing::warn!(name, %error, "the replaced file is left on the server");
        }
        _ => {}
    }
}

/// Deals with old files that earlier attempts have moved aside and left there: where nothing has the final
/// name, the old file gets it back; else a newer one has it. Only before this attempt publishes: an earlier one
/// that is still alive may move aside whatever stands there.
pub(crate) async fn put_back(session: &Session, place: &Place<'_>) -> Result<(), Cause> {
    let to = place.path.full();
    for aside in place.left_aside {
        let settled = match session.stat(to).await {
            Ok(_) => session.remove(aside).await,
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => session.rename(aside, to).await,
            // A server that does not tell: it is `clean`'s.
            Err(error) => Err(error),
        };
        match settled {
            Err(error) if error.status().is_none() => {
                return Err(Cause::sftp(format!("RENAME of {aside}"))(error));
            }
            Err(error) if !error.is(StatusCode::NO_SUCH_FILE) => {
                tracing::warn!(name = aside, %error, "an old file is left on the server");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether two looks saw the same file. When it was read last does not count: partners read.
pub(super) fn is_same_file(one: Option<Attributes>, other: Option<Attributes>) -> bool {
    let told = |it: Attributes| (it.size, it.modified(), it.owner, it.permissions);
    one.map(told) == other.map(told)
}

/// Of the two names only the temporary's can be missing: somebody took it, or this attempt is one that
/// was overtaken by its own retry.
fn rename_failed(from: &str, to: &str, error: Error) -> Cause {
    if error.is(StatusCode::NO_SUCH_FILE) {
        Cause::TemporaryLost(from.to_owned())
    } else {
        Cause::sftp(format!("RENAME of {from} to {to}"))(error)
    }
}

/// Whether the server refused this kind of rename, rather than any.
fn may_try_otherwise(error: &Error) -> bool {
    error.status().is_some_and(|status| {
        ![StatusCode::PERMISSION_DENIED, StatusCode::NO_SUCH_FILE].contains(&status.code)
    })
}
