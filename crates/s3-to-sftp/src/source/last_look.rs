//! Whether a source is still what was read, directly before its file is published.

use std::time::Duration;

use tokio::time::Instant;

use super::error::SourceError;
use super::{S3, is_version};
use crate::object::ObjectVersion;

/// The last look at a source before its file is published.
#[derive(Debug)]
pub struct LastLook<'a> {
    s3: &'a S3,
    version: &'a ObjectVersion,
    /// When S3 was last asked and found the version there. Not when its answer was read: that may have lain in the
    /// socket of a process that was stopped.
    confirmed: Option<Instant>,
}

/// How long ago the question may have been asked when a rename goes out.
const LOOK_AGE: Duration = Duration::from_secs(2);
/// So many answers in a row may take longer than that.
const LOOK_TRIES: u32 = 5;

impl<'a> LastLook<'a> {
    /// Looks after `version`; nothing is asked yet.
    pub fn new(s3: &'a S3, version: &'a ObjectVersion) -> Self {
        Self {
            s3,
            version,
            confirmed: None,
        }
    }

    /// Makes sure that the version was there less than 2 s ago.
    ///
    /// # Errors
    ///
    /// [`SourceError::Replaced`], [`SourceError::Vanished`], or S3 did not say in time.
    pub async fn confirm(&mut self) -> Result<(), SourceError> {
        let mut tries = 0;
        while self.confirmed.is_none_or(|at| at.elapsed() >= LOOK_AGE) {
            if tries == LOOK_TRIES {
                let slow = format!("each of {tries} HEAD requests took longer than {LOOK_AGE:?}");
                return Err(SourceError::Other(slow.into()));
            }
            tries += 1;
            let asked = Instant::now();
            match self.s3.look(self.version).await? {
                Look::Same => self.confirmed = Some(asked),
                Look::Replaced => return Err(SourceError::Replaced),
                Look::Gone => return Err(SourceError::Vanished),
            }
        }
        Ok(())
    }
}

/// What a last look saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// The very version that was read.
    Same,
    /// Another one.
    Replaced,
    /// None.
    Gone,
}

impl S3 {
    /// Whether what lies under the key is still `version`: the last look before a rename.
    ///
    /// # Errors
    ///
    /// S3 did not say.
    pub async fn look(&self, version: &ObjectVersion) -> Result<Look, SourceError> {
        Ok(match self.head(&version.name).await? {
            Some(head) if is_version(&head, version) => Look::Same,
            Some(_) => Look::Replaced,
            None => Look::Gone,
        })
    }
}
