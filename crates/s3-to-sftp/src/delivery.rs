//! One object, end to end: the only place that decides to begin anew.

use tokio::time::{Instant, timeout_at};

use crate::destination::{self, Temporary, remove_unopened};
use crate::error::{Cause, Error, Stage};
use crate::link::Link;
use crate::object::{ObjectName, ObjectVersion};
use crate::receipt::{Outcome, Published, Receipt, SizeCheck, seconds};
use crate::remote_path::{RemotePath, tag};
use crate::settings::Settings;
use crate::source::{Body, Disposal, Found, LastLook, S3, SourceError};
use crate::transfer::{TransferError, transfer};

/// How often an object may change under a delivery before it is left to a later attempt.
const ROUNDS: u32 = 3;

/// What happens to a source that is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDelivery {
    /// It is deleted: what the function does.
    Delete,
    /// It is kept: what a person at a terminal expects.
    Keep,
}

/// What a delivery needs besides its object and its link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) s3: &'a S3,
    pub(crate) after: AfterDelivery,
    /// Who delivers: retries of one delivery have the same owner, twins have not.
    pub(crate) owner: &'a str,
    /// When it has to be published, or is given up.
    pub(crate) deadline: Instant,
    /// When what follows that has to be over: removing the temporary, deleting the source.
    pub(crate) end: Instant,
}

/// Why an attempt ended without a published file.
enum Stop {
    /// There is another version now.
    Changed,
    /// There is none any more.
    Gone,
    Failed(Cause),
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        match cause {
            // Whoever was faster has delivered this object or a newer one: what is in S3 now tells.
            Cause::Overtaken(_) => Self::Changed,
            Cause::Source(error) => error.into(),
            cause => Self::Failed(cause),
        }
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Replaced => Self::Changed,
            SourceError::Vanished => Self::Gone,
            error => Self::Failed(Cause::Source(error)),
        }
    }
}

impl destination::LastLook for LastLook<'_> {
    async fn confirm(&mut self) -> Result<(), Cause> {
        Ok(LastLook::confirm(self).await?)
    }
}

impl Delivery<'_> {
    /// Delivers what is under `name` now.
    pub(crate) async fn run(&self, name: &ObjectName, link: &mut Link) -> Outcome {
        let mut stage = Stage::OpenSource;
        match self.rounds(name, link, &mut stage).await {
            Ok(outcome) => outcome,
            Err(cause) => {
                // What is outstanding on the connection, or broken, must not outlive this.
                if is_about_the_connection(&cause) {
                    link.cut().await;
                }
                Outcome::Failed(Error {
                    stage,
                    object: Some(name.clone()),
                    cause,
                })
            }
        }
    }

    async fn rounds(
        &self,
        name: &ObjectName,
        link: &mut Link,
        stage: &mut Stage,
    ) -> Result<Outcome, Cause> {
        if self.settings.names(name) {
            return Err(Cause::OwnObject("private key (SSH_PRIVATE_KEY)"));
        }
        let mut mismatch = None;
        for _ in 0..ROUNDS {
            let started = Instant::now();
            *stage = Stage::OpenSource;
            // Side by side: neither needs the other's answer.
            let opened =
                async { tokio::join!(self.s3.open(name), link.connect(self.settings, self.s3)) };
            let (found, connected) = timeout_at(self.deadline, opened)
                .await
                .map_err(|_| Cause::Deadline)?;
            let (version, mut body) = match found? {
                Found::Object(version, body) => (version, body),
                Found::Nothing => return Ok(Outcome::Gone(name.clone())),
            };
            connected.map_err(|(at, cause)| {
                *stage = at;
                cause
            })?;
            match self.attempt(&version, &mut body, link, stage).await {
                Ok(receipt) => {
                    let receipt = Receipt {
                        seconds: seconds(started.elapsed()),
                        ..receipt
                    };
                    return Ok(self.dispose(version, receipt).await);
                }
                Err(Stop::Gone) => return Ok(Outcome::Gone(name.clone())),
                Err(Stop::Changed) => {
                    tracing::info!(object = %name, "begun anew with what is there now: the object or its target changed meanwhile");
                }
                // Once more from the beginning, in case it was chance. Not a second time.
                Err(Stop::Failed(cause @ Cause::Size { .. })) if mismatch.is_none() => {
                    tracing::warn!(object = %name, error = %cause, "verification failed; once more");
                    mismatch = Some(cause);
                }
                Err(Stop::Failed(cause)) => return Err(cause),
            }
        }
        Err(Cause::KeepsChanging(ROUNDS))
    }

    /// Brings one version under its final name, or leaves nothing behind.
    async fn attempt(
        &self,
        version: &ObjectVersion,
        body: &mut Body,
        link: &Link,
        stage: &mut Stage,
    ) -> Result<Receipt, Stop> {
        *stage = Stage::RemotePath;
        let settings = self.settings;
        let dir = settings.dir.as_deref();
        let prefix = settings.strip_prefix.as_deref();
        let path =
            RemotePath::resolve(&settings.filename, prefix, dir, version).map_err(Cause::Path)?;
        let tag = tag(version, path.full(), self.owner);
        let name = path.temporary(&settings.temporary_name, &tag);
        let aside = path.aside(&settings.temporary_name, &tag).full;

        *stage = Stage::OpenTemporary;
        let connection = link.connection()?;
        let opening = Temporary::open(connection.sftp(), dir, &path, &name);
        let mut temporary = match timeout_at(self.deadline, opening).await {
            Ok(opened) => opened?,
            Err(_) => {
                remove_unopened(connection.sftp(), &name.full, self.end).await;
                return Err(Cause::Deadline.into());
            }
        };
        let publishing = self.publish(version, body, &mut temporary, &aside, stage);
        let (published, size) = match timeout_at(self.deadline, publishing).await {
            Ok(Ok(published)) => published,
            Ok(Err(stop)) => {
                temporary.discard(self.end).await;
                return Err(stop);
            }
            Err(_) => {
                temporary.discard(self.end).await;
                return Err(Cause::Deadline.into());
            }
        };
        Ok(Receipt {
            bucket: version.name.bucket.clone(),
            key: version.name.key.clone(),
            etag: version.etag.trim_matches('"').to_owned(),
            version_id: version.version_id.clone(),
            bytes: version.size,
            server: connection.address().to_string(),
            host_key: connection.host_key().to_owned(),
            remote_path: path.full().to_owned(),
            published,
            size,
            seconds: 0.0,
        })
    }

    /// Moves the bytes, verifies, looks once more, and renames.
    async fn publish<'a>(
        &self,
        version: &ObjectVersion,
        body: &mut Body,
        temporary: &mut Temporary<'a>,
        aside: &'a str,
        stage: &mut Stage,
    ) -> Result<(Published, SizeCheck), Stop> {
        *stage = Stage::Transfer;
        match transfer(body, temporary).await {
            Ok(_) => {}
            Err(TransferError::Source(error)) => return Err(error.into()),
            Err(TransferError::Destination(cause)) => return Err(cause.into()),
        }
        *stage = Stage::Verify;
        let mut look = LastLook::new(self.s3, version);
        let (verified, looked) = tokio::join!(temporary.verify(version.size), look.confirm());
        let verified = verified?;
        *stage = Stage::LastLook;
        looked?;
        *stage = Stage::Publish;
        // Each rename asks for a look that is fresh: a server may take its time for the close, and
        // for a rename that it then refuses.
        let published = temporary.publish(&verified, aside, &mut look).await?;
        Ok((published, verified.size))
    }

    /// Writes the receipt, and only then touches the source.
    async fn dispose(&self, version: ObjectVersion, receipt: Receipt) -> Outcome {
        let object = &version.name;
        tracing::info!(
            object = %object,
            receipt = %serde_json::to_string(&receipt).unwrap_or_default(),
            "{receipt}"
        );
        let disposal = match self.after {
            AfterDelivery::Keep => Disposal::Kept,
            AfterDelivery::Delete => match self.delete(&version).await {
                Ok(disposal) => disposal,
                Err(cause) => {
                    let error = Error {
                        stage: Stage::Dispose,
                        object: Some(object.clone()),
                        cause,
                    };
                    tracing::error!(
                        object = %object,
                        outcome = "SourceNotDeleted",
                        "the file is delivered and its source is not deleted, so it may be sent \
                         again: {}",
                        error.report()
                    );
                    return Outcome::Delivered(Box::new(receipt), Disposal::NotDeleted);
                }
            },
        };
        match disposal {
            Disposal::AlreadyGone => {
                tracing::warn!(object = %object, "the source was gone already")
            }
            Disposal::Replaced => tracing::info!(object = %object, "a newer object stays in S3"),
            Disposal::Deleted => tracing::info!(object = %object, "the source is deleted"),
            Disposal::Kept | Disposal::NotDeleted => {}
        }
        Outcome::Delivered(Box::new(receipt), disposal)
    }

    /// Deletes the source. An S3 that takes too long must not fail an invocation whose file is
    /// delivered: Lambda would have it sent again.
    async fn delete(&self, version: &ObjectVersion) -> Result<Disposal, Cause> {
        timeout_at(self.end, self.s3.delete(version))
            .await
            .map_err(|_| Cause::Deadline)?
            .map_err(Cause::from)
    }
}

/// Whether what failed is the connection itself, or leaves requests outstanding on it.
fn is_about_the_connection(cause: &Cause) -> bool {
    match cause {
        Cause::Deadline => true,
        Cause::Sftp { source, .. } => source.status().is_none(),
        _ => false,
    }
}
