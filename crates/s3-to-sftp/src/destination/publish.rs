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
    /// over it.
    pub(crate) async fn publish(
        &mut self,
        verified: &Verified,
        aside: &'a str,
    ) -> Result<Published, Cause> {
        let (from, to) = (self.name.full.as_str(), self.path.full());
        if verified.final_file.is_some_and(|file| file.is_directory()) {
            return Err(Cause::IsDirectory(to.to_owned()));
        }
        if self.session.has_posix_rename() {
            match self.session.posix_rename(from, to).await {
                Ok(()) => return Ok(Published::PosixRename),
                Err(error) if may_try_otherwise(&error) => {}
                Err(error) => return Err(Cause::sftp(format!("RENAME of {from} to {to}"))(error)),
            }
        }
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
            Some(_) if may_try_otherwise(&refused) => self.move_aside(from, to, aside).await,
            _ => Err(Cause::sftp(format!("RENAME of {from} to {to}"))(refused)),
        }
    }

    /// Moves the old file aside, renames, and removes the old one. Where that fails, or is given up
    /// half way, [`Self::discard`] moves the old file back.
    async fn move_aside(
        &mut self,
        from: &str,
        to: &str,
        aside: &'a str,
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
        self.session
            .rename(from, to)
            .await
            .map_err(Cause::sftp(format!("RENAME of {from} to {to}")))?;
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

/// Whether the server refused this kind of rename, rather than any.
fn may_try_otherwise(error: &Error) -> bool {
    error.status().is_some_and(|status| {
        ![StatusCode::PERMISSION_DENIED, StatusCode::NO_SUCH_FILE].contains(&status.code)
    })
}
