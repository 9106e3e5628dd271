//! S3: the object that is there now, pinned, streamed in order; and what becomes of it.
//!
//! The SDK tries each request three times within its own backoff; what it does not do is go on
//! with a body that broke off. That is done here, with a range pinned to the same version, and so
//! is the comparison with S3's checksum, which the SDK gives up wherever there is a range.
//!
//! # Layout
//!
//! | file | what it holds |
//! |---|---|
//! | `source` | [`S3`]: open, reopen; the private key |
//! | `body` | [`Body`]: the bytes, resumed and compared |
//! | `stream`, `pinned` | a stretch of them, gone on with where it breaks off; the range that asks for it |
//! | `ranges`, `range` | [`ReadAhead`]: several ranges at once, where S3 is the slower end; one of them |
//! | `place` | where a body can go back to, and [`Checkpoint`] |
//! | `digest` | [`Digest`]: S3's algorithms, with states that can be written down |
//! | `checksum`, `parts` | what S3 tells of an object's checksum, and of those of its parts |
//! | `last_look` | [`LastLook`]: whether it is still there, directly before it is published |
//! | `delete` | the delete of what is delivered, and [`Disposal`]: what became of a source |
//! | `archive` | the move after a delivery |
//! | `listing` | what lies below a prefix |
//! | `disposable` | whether sources could be deleted, or moved, asked beforehand |

mod archive;
mod body;
mod checksum;
mod delete;
mod digest;
mod disposable;
mod error;
mod last_look;
mod listing;
mod parts;
mod pinned;
mod place;
mod range;
mod ranges;
mod stream;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ChecksumMode;
use aws_types::SdkConfig;
use aws_types::service_config::ServiceConfigKey;
use time::OffsetDateTime;

pub use body::Body;
pub use checksum::ChecksumCheck;
pub use delete::Disposal;
pub use digest::{Algorithm, Checksum, Digest};
pub(crate) use disposable::directory;
pub use error::SourceError;
pub use last_look::{LastLook, Look};
pub use listing::{Listed, Page};
pub use place::Checkpoint;
pub use ranges::ReadAhead;

use crate::object::{ObjectName, ObjectVersion};
use crate::rules::{Rule, Rules};
use crate::secret::Secret;
use checksum::{Headers, Told};
use pinned::{Pinned, unchecked};

/// How long S3 may take to begin an answer. The SDK has no such limit of its own, and a body is
/// watched by its stalled-stream protection.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may take with the SDK's three tries and the pauses between them, which S3 can
/// stretch by asking for longer ones. Until a GET's headers: its body may take until the deadline.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(35);

/// The largest private key that is read: an RSA key of 16,384 bits takes 13 KiB in PEM.
const SMALL_OBJECT: u64 = 64 * 1024;

/// A client of S3.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
    /// Whether this is AWS's own S3, where `If-Match` on a DELETE is known to hold.
    is_aws: bool,
    read_ahead: ReadAhead,
    rules: Rules,
}

/// What the first GET found.
#[derive(Debug)]
pub enum Found {
    /// The object, and its bytes.
    Object(ObjectVersion, Box<Body>),
    /// Nothing: delivered already, or deleted.
    Nothing,
}

impl S3 {
    /// A client with time-outs, by path wherever an endpoint is set: emulators have no names for
    /// buckets.
    pub fn new(config: &SdkConfig) -> Self {
        // The same look-up as the SDK's own, which does not tell its result.
        let endpoint = config
            .service_config()
            .and_then(|service| {
                let key = ServiceConfigKey::builder()
                    .service_id("S3")
                    .env("AWS_ENDPOINT_URL")
                    .profile("endpoint_url")
                    .build()
                    .ok()?;
                service.load_config(key)
            })
            .or_else(|| config.endpoint_url().map(str::to_owned));
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let client = Client::from_conf(
            aws_sdk_s3::config::Builder::from(config)
                .force_path_style(endpoint.is_some())
                .timeout_config(timeouts)
                .build(),
        );
        Self {
            client,
            is_aws: endpoint.is_none(),
            read_ahead: ReadAhead::default(),
            rules: Rules::default(),
        }
    }

    /// A client that is ready made, of an endpoint that is not AWS's.
    pub fn with_client(client: Client) -> Self {
        Self {
            client,
            is_aws: false,
            read_ahead: ReadAhead::default(),
            rules: Rules::default(),
        }
    }

    /// The same with other limits to what a body reads ahead.
    #[must_use]
    pub fn with_read_ahead(self, read_ahead: ReadAhead) -> Self {
        Self { read_ahead, ..self }
    }

    /// The same with other rules than ship, for the tests that have to notice.
    #[cfg(feature = "take-out-rules")]
    pub(crate) fn with_rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// Puts a receipt, within these times and not in those of a source.
    ///
    /// # Errors
    ///
    /// S3 refused, or did not answer.
    pub(crate) async fn put_receipt(
        &self,
        name: &ObjectName,
        record: String,
        timeouts: TimeoutConfig,
    ) -> Result<(), SourceError> {
        let put = self.client.put_object().bucket(&name.bucket).key(&name.key);
        let timeouts = aws_sdk_s3::config::Builder::new().timeout_config(timeouts);
        put.content_type("application/json")
            .body(record.into_bytes().into())
            .customize()
            .config_override(timeouts)
            .send()
            .await
            .map(drop)
            .map_err(SourceError::from_sdk)
    }

    /// Opens the object that is there now: no version is asked for, whatever an event said. The
    /// answer pins every later request.
    ///
    /// # Errors
    ///
    /// Everything but an object and a key without one.
    pub async fn open(&self, name: &ObjectName) -> Result<Found, SourceError> {
        let answer = self
            .client
            .get_object()
            .bucket(&name.bucket)
            .key(&name.key)
            .customize()
            .config_override(unchecked())
            // By hand: with the SDK's own `checksum_mode` it compares whatever its configuration
            // says.
            .mutate_request(|request| {
                let headers = request.headers_mut();
                headers.insert("x-amz-checksum-mode", ChecksumMode::Enabled.as_str());
            })
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let told = self.told(&Headers::from(&answer));
                let (version, stream) = pin(name, answer)?;
                let body = Body::new(self.pinned(&version), told, self.read_ahead, stream);
                Ok(Found::Object(version, Box::new(body)))
            }
            Err(error) if is_missing_key(&error) => Ok(Found::Nothing),
            Err(error) => Err(SourceError::from_sdk(error)),
        }
    }

    /// Opens `version` again at a checkpoint, by one HEAD; the bytes are asked for when they are
    /// wanted. Where another version is there now, or none, that is found as [`S3::open`] finds it.
    ///
    /// # Errors
    ///
    /// [`SourceError::Checkpoint`] where the checkpoint is none of this version: nothing is lost but
    /// time by opening it from the beginning. Otherwise as [`S3::open`].
    pub async fn reopen(
        &self,
        version: &ObjectVersion,
        from: &Checkpoint,
    ) -> Result<Found, SourceError> {
        let name = &version.name;
        let answer = self
            .client
            .head_object()
            .bucket(&name.bucket)
            .key(&name.key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match answer {
            Ok(head) if is_version(&head, version) && size_of(&head) == Some(version.size) => {
                let told = self.told(&Headers::from(&head));
                let body = Body::resumed(self.pinned(version), told, self.read_ahead, from)?;
                Ok(Found::Object(version.clone(), Box::new(body)))
            }
            Ok(_) => self.open(name).await,
            // An answer to HEAD has no body, and so no code: a GET tells a missing object from a
            // missing bucket.
            Err(error) if status(&error) == Some(404) => self.open(name).await,
            Err(error) => Err(SourceError::from_sdk(error)),
        }
    }

    fn pinned(&self, version: &ObjectVersion) -> Pinned {
        Pinned {
            client: self.client.clone(),
            version: version.clone(),
        }
    }

    fn told(&self, headers: &Headers<'_>) -> Told {
        if self.rules.hold(Rule::CompareChecksum) {
            headers.told()
        } else {
            Told::Nothing
        }
    }

    /// Whether there is an object under this name.
    ///
    /// # Errors
    ///
    /// S3 refused or did not answer.
    pub async fn is_there(&self, name: &ObjectName) -> Result<bool, SourceError> {
        Ok(self.head(name).await?.is_some())
    }

    /// None: nothing is there, or no such bucket; an answer to HEAD has no body and so no code.
    async fn head(&self, name: &ObjectName) -> Result<Option<HeadObjectOutput>, SourceError> {
        let answer = self
            .client
            .head_object()
            .bucket(&name.bucket)
            .key(&name.key)
            .send()
            .await;
        match answer {
            Ok(head) => Ok(Some(head)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(SourceError::from_sdk(error)),
        }
    }

    /// Reads a small object whole: a private key.
    ///
    /// # Errors
    ///
    /// Says why it cannot be had.
    pub async fn read_small(&self, name: &ObjectName) -> Result<Secret<String>, SourceError> {
        let answer = self
            .client
            .get_object()
            .bucket(&name.bucket)
            .key(&name.key)
            .send()
            .await
            .map_err(|error| {
                if is_missing_key(&error) {
                    SourceError::Missing
                } else {
                    SourceError::from_sdk(error)
                }
            })?;
        let mut bytes = Vec::new();
        let mut body = answer.body;
        while let Some(chunk) = body
            .try_next()
            .await
            .map_err(|error| SourceError::Body(error.into()))?
        {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > SMALL_OBJECT {
                drop(Secret::new(bytes));
                return Err(SourceError::TooLarge {
                    limit: SMALL_OBJECT,
                });
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Secret::new(text)),
            Err(error) => {
                // The bytes may be a key in a binary format: they are wiped, not shown.
                drop(Secret::new(error.into_bytes()));
                Err(SourceError::NotText)
            }
        }
    }
}

fn pin(
    name: &ObjectName,
    answer: GetObjectOutput,
) -> Result<(ObjectVersion, ByteStream), SourceError> {
    let missing = |header| SourceError::Malformed { header };
    let version = ObjectVersion {
        name: name.clone(),
        etag: answer.e_tag().ok_or_else(|| missing("ETag"))?.to_owned(),
        version_id: answer.version_id().map(str::to_owned),
        size: answer
            .content_length()
            .and_then(|size| u64::try_from(size).ok())
            .ok_or_else(|| missing("Content-Length"))?,
        last_modified: answer
            .last_modified()
            .and_then(to_time)
            .ok_or_else(|| missing("Last-Modified"))?,
    };
    Ok((version, answer.body))
}

fn is_version(head: &HeadObjectOutput, version: &ObjectVersion) -> bool {
    head.e_tag() == Some(version.etag.as_str())
        && head.version_id() == version.version_id.as_deref()
        && head.last_modified().and_then(to_time) == Some(version.last_modified)
}

fn size_of(head: &HeadObjectOutput) -> Option<u64> {
    head.content_length()
        .and_then(|size| u64::try_from(size).ok())
}

fn to_time(time: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.secs()).ok()
}

/// The HTTP status of an answer; none where there was none.
fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error
        .raw_response()
        .map(|response| response.status().as_u16())
}

/// A key without an object: by S3's code and nothing else. A bucket that does not exist, or a
/// proxy, answers 404 as well.
fn is_missing_key<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion"))
        || error
            .raw_response()
            .is_some_and(|response| response.headers().get("x-amz-delete-marker") == Some("true"))
}
