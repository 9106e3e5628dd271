//! The delete of a source, if it is still what was delivered.

use super::error::SourceError;
use super::{Look, S3, status};
use crate::object::ObjectVersion;
use crate::rules::Rule;

/// A delete that met a concurrent write is tried this often.
const DELETE_TRIES: usize = 3;

/// What became of a source after its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposal {
    /// The object is deleted.
    Deleted,
    /// The object is in the archive, and no longer where it was.
    Archived,
    /// Kept, as asked.
    Kept,
    /// A newer object has the key; its own event is on the way.
    Replaced,
    /// Somebody else had deleted it.
    AlreadyGone,
    /// S3 refused the delete: the delivery stands.
    NotDeleted,
}

impl S3 {
    /// Deletes the object, if it is still the one that was delivered.
    ///
    /// # Errors
    ///
    /// S3 refused or did not answer. The delivery stands all the same.
    pub async fn delete(&self, version: &ObjectVersion) -> Result<Disposal, SourceError> {
        // Stores that do not know `If-Match` on DELETE just delete, and no probe tells them apart.
        let may_be_another = !self.is_aws || version.version_id.is_some();
        if may_be_another && self.rules.hold(Rule::LookBeforeDelete) {
            match self.look(version).await? {
                Look::Same => {}
                Look::Replaced => return Ok(Disposal::Replaced),
                Look::Gone => return Ok(Disposal::AlreadyGone),
            }
        }
        let is_conditional = self.rules.hold(Rule::DeleteWithIfMatch);
        let mut condition = is_conditional.then(|| version.etag.clone());
        for _ in 0..DELETE_TRIES {
            let answer = self
                .client
                .delete_object()
                .bucket(&version.name.bucket)
                .key(&version.name.key)
                .set_if_match(condition.clone())
                .send()
                .await;
            match answer {
                Ok(_) => return Ok(Disposal::Deleted),
                Err(error) => match status(&error) {
                    Some(412) => return Ok(Disposal::Replaced),
                    Some(404) => return Ok(Disposal::AlreadyGone),
                    // Somebody wrote at the same moment: which of the two was first shows now.
                    Some(409) => {}
                    // A store that knows no condition on a DELETE, and says so. The look has just
                    // passed, and nothing better is to be had there.
                    Some(400 | 501) if !self.is_aws && condition.is_some() => condition = None,
                    _ => return Err(SourceError::from_sdk(error).of_delete()),
                },
            }
        }
        Err(SourceError::Busy)
    }
}
