//! The rename that gives a verified file its final name.

use std::future::Future;

use sftp::{Attributes, Error, StatusCode};

use super::{Temporary, Verified, answered};
use crate::error::Cause;
use crate::receipt::Published;

/// The source's say before a rename.
pub(crate) trait LastLook: Send {
    /// Makes sure that what was read is still what is there.
    fn confirm(&mut self) -> impl Future<Output = Result<(), Cause>> + Send;
}

impl<'a> Temporary<'a> {
    /// Renames the temporary to the final name, over whatever file is there.
    ///
    /// Done is: the RENAME was answered OK. Where its answer is lost the delivery has failed, and its
    /// source is kept: a duplicate is harmless, a loss is not.
    ///
    /// `aside` is a name of this delivery's own, for the old file where the server cannot rename
    /// over it. `look` has to agree before each rename that gives the new file the final name.
    pub(crate) async fn publish(
        &mut self,
        verified: &Verified,
        aside: &'a str,
        look: &mut impl LastLook,
    ) -> Result<Published, Cause> {
        let (from, to) = (self.name.full.as_str(), self.path.full());
        if verified.final_file.is_some_and(|file| file.is_directory()) {
            return Err(Cause::IsDirectory(to.to_owned()));
        }
        if self.session.has_posix_rename() {
            look.confirm().await?;
            match self.session.posix_rename(from, to).await {
                Ok(()) => return Ok(Published::PosixRename),
                Err(error) if may_try_otherwise(&error) => {}
                Err(error) => return Err(rename_failed(from, to, error)),
            }
        }
        look.confirm().await?;
        let refused = match self.session.rename(from, to).await {
            Ok(()) => {
                self.forget_old_file(aside).await;
                return Ok(Published::Rename);
            }
            Err(error) => error,
        };
        // The draft has RENAME fail where the target exists. Only the very file that was seen there
        // may be moved: one that appeared since is somebody else's, perhaps this object's own twin
        // from another environment, whose source is deleted already.
        let now = answered(self.session.stat(to).await)?;
        match now {
            Some(_) if !is_same_file(now, verified.final_file) => {
                Err(Cause::Overtaken(to.to_owned()))
            }
            Some(_) if may_try_otherwise(&refused) => {
                look.confirm().await?;
                self.move_aside(from, to, aside, look).await
            }
            _ => Err(rename_failed(from, to, refused)),
        }
    }

    /// Moves the old file aside, renames, and removes the old one. Where that fails, or is given up
    /// half way, [`Self::discard`] moves the old file back.
    async fn move_aside(
        &mut self,
        from: &str,
        to: &str,
        aside: &'a str,
        look: &mut impl LastLook,
    ) -> Result<Published, Cause> {
        self.old_file = Some(aside);
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
                self.old_file = None;
            }
            return Err(if error.is(StatusCode::NO_SUCH_FILE) {
                Cause::Overtaken(to.to_owned())
            } else {
                Cause::sftp(format!("RENAME of {to} to {aside}"))(error)
            });
        }
        look.confirm().await?;
        self.session
            .rename(from, to)
            .await
            .map_err(|error| rename_failed(from, to, error))?;
        self.old_file = None;
        self.forget_old_file(aside).await;
        Ok(Published::MovedAside)
    }

    /// Removes the file that was replaced, where this attempt or an earlier one of the same owner,
    /// whose connection broke, has moved it aside.
    async fn forget_old_file(&self, aside: &str) {
        match self.session.remove(aside).await {
            Err(error) if !error.is(StatusCode::NO_SUCH_FILE) => {
                tracing::warn!(name = aside, %error, "the replaced file is left on the server");
            }
            _ => {}
        }
    }

    /// Gives an old file that was moved aside its name back, unless another file has it by now.
    pub(super) async fn move_back(&self) {
        let Some(aside) = self.old_file else { return };
        let to = self.path.full();
        let moved = match self.session.stat(to).await {
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                self.session.rename(aside, to).await
            }
            // Replaced after all: by us, where only the answer was lost, or by a twin.
            Ok(_) => return self.forget_old_file(aside).await,
            Err(error) => Err(error),
        };
        match moved {
            Ok(()) => {}
            Err(error) => self.complain_of_old_file(aside, &error),
        }
    }

    pub(super) fn complain_of_old_file(&self, aside: &str, error: &dyn std::fmt::Display) {
        tracing::error!(
            aside, to = self.path.full(), %error,
            "the old file was moved aside and may not be back; where nothing has its name, rename it \
             by hand"
        );
    }
}

/// Whether two looks saw the same file. When it was read last does not count: partners read.
fn is_same_file(one: Option<Attributes>, other: Option<Attributes>) -> bool {
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
