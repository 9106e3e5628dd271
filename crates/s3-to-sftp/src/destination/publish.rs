//! The rename that gives a verified file its final name.

use sftp::{Attributes, Error, StatusCode};

use super::{Temporary, Verified, answered};
use crate::error::Cause;
use crate::receipt::Published;

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
        mut look: impl AsyncFnMut() -> Result<(), Cause>,
    ) -> Result<Published, Cause> {
        let (from, to) = (self.name.full.as_str(), self.path.full());
        if verified.final_file.is_some_and(|file| file.is_directory()) {
            return Err(Cause::IsDirectory(to.to_owned()));
        }
        if self.session.has_posix_rename() {
            look().await?;
            match self.session.posix_rename(from, to).await {
                Ok(()) => return Ok(Published::PosixRename),
                Err(error) if may_try_otherwise(&error) => {}
                Err(error) => return Err(rename_failed(from, to, error)),
            }
        }
        look().await?;
        let refused = match self.session.rename(from, to).await {
            Ok(()) => return Ok(Published::Rename),
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
                look().await?;
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
        mut look: impl AsyncFnMut() -> Result<(), Cause>,
    ) -> Result<Published, Cause> {
        self.old_file = Some(aside);
        if let Err(error) = self.session.rename(to, aside).await {
            if error.status().is_some() {
                self.old_file = None;
            }
            return Err(if error.is(StatusCode::NO_SUCH_FILE) {
                Cause::Overtaken(to.to_owned())
            } else {
                Cause::sftp(format!("RENAME of {to} to {aside}"))(error)
            });
        }
        look().await?;
        self.session
            .rename(from, to)
            .await
            .map_err(|error| rename_failed(from, to, error))?;
        self.old_file = None;
        if let Err(error) = self.session.remove(aside).await {
            tracing::warn!(name = aside, %error, "the replaced file is left on the server");
        }
        Ok(Published::MovedAside)
    }

    /// Gives an old file that was moved aside its name back, unless another file has it by now: ours,
    /// where only the answer was lost, or somebody else's.
    pub(super) async fn move_back(&self) {
        let Some(aside) = self.old_file else { return };
        let to = self.path.full();
        let moved = match self.session.stat(to).await {
            Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                self.session.rename(aside, to).await
            }
            Ok(_) => {
                tracing::warn!(name = aside, "the replaced file may be left on the server");
                return;
            }
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
