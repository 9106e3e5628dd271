//! The receipt, and only then the source.

use tokio::time::timeout_at;

use super::Delivery;
use crate::error::{Cause, Error, Stage};
use crate::hand_over::Relay;
use crate::journal::{Entry, News};
use crate::object::ObjectVersion;
use crate::receipt::{Outcome, Receipt};
use crate::settings::AfterDelivery;
use crate::source::{Digest, Disposal};

impl<R: Relay> Delivery<'_, R> {
    /// Writes the receipt, and only then touches the source.
    pub(super) async fn dispose(
        &self,
        version: ObjectVersion,
        receipt: Receipt,
        own: &Digest,
    ) -> Outcome {
        let object = &version.name;
        self.write(News::Delivered(&receipt));
        let disposal = match self.remove_source(&version, own).await {
            Ok(disposal) => disposal,
            Err(cause) => {
                let error = Error {
                    stage: Stage::Dispose,
                    object: Some(object.clone()),
                    cause,
                };
                self.write(News::NotDeleted(&receipt, &error));
                return Outcome::Delivered(Box::new(receipt), Disposal::NotDeleted);
            }
        };
        match disposal {
            Disposal::AlreadyGone => {
                tracing::warn!(object = %object, "the source was gone already")
            }
            Disposal::Replaced => tracing::info!(object = %object, "a newer object stays in S3"),
            Disposal::Deleted => tracing::info!(object = %object, "the source is deleted"),
            Disposal::Archived => tracing::info!(object = %object, "the source is in the archive"),
            Disposal::Kept | Disposal::NotDeleted => {}
        }
        Outcome::Delivered(Box::new(receipt), disposal)
    }

    fn write(&self, news: News<'_>) {
        self.journal.write(&Entry {
            news,
            request_id: self.request_id,
        });
    }

    /// Deletes the source, or moves it away. An S3 that takes too long must not fail an invocation whose
    /// file is delivered: Lambda would have it sent again.
    async fn remove_source(
        &self,
        version: &ObjectVersion,
        own: &Digest,
    ) -> Result<Disposal, Cause> {
        let removing = async {
            match &self.settings.after_delivery {
                AfterDelivery::Delete => self.s3.delete(version).await,
                AfterDelivery::Keep => Ok(Disposal::Kept),
                AfterDelivery::Move(archive) => self.s3.archive(version, own, archive).await,
            }
        };
        timeout_at(self.end, removing)
            .await
            .map_err(|_| Cause::Deadline)?
            .map_err(Cause::from)
    }
}
