//! An object's bytes in order, whatever happens to the connection that brings them.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::error::SourceError;
use super::{is_missing_key, status};
use crate::object::ObjectVersion;
use crate::transfer;

/// A body that breaks off is gone on with this often without a byte in between.
const RESUMES_WITHOUT_PROGRESS: u32 = 3;

/// The bytes of one version.
#[derive(Debug)]
pub struct Body {
    client: Client,
    version: ObjectVersion,
    stream: ByteStream,
    offset: u64,
    resumes_left: u32,
}

impl Body {
    pub(super) fn new(client: Client, version: ObjectVersion, stream: ByteStream) -> Self {
        Self {
            client,
            version,
            stream,
            offset: 0,
            resumes_left: RESUMES_WITHOUT_PROGRESS,
        }
    }

    /// Asks for the rest, pinned to the version that was begun.
    async fn resume(&mut self) -> Result<(), SourceError> {
        let request = self
            .client
            .get_object()
            .bucket(&self.version.name.bucket)
            .key(&self.version.name.key)
            .set_version_id(self.version.version_id.clone())
            .if_match(&self.version.etag)
            .range(format!("bytes={}-", self.offset))
            .customize()
            // The SDK would check a range against the checksum of the whole object, if S3 sent it.
            .config_override(aws_sdk_s3::config::Builder::new().response_checksum_validation(
                ResponseChecksumValidation::WhenRequired,
            ));
        match request.send().await {
            Ok(answer) => {
                // A store that ignores the range would send the beginning again, as if it were the
                // rest.
                let from = format!("bytes {}-", self.offset);
                if !answer
                    .content_range()
                    .is_some_and(|range| range.starts_with(&from))
                {
                    return Err(SourceError::Malformed {
                        header: "Content-Range",
                    });
                }
                self.stream = answer.body;
                Ok(())
            }
            Err(error) if status(&error) == Some(412) => Err(SourceError::Replaced),
            Err(error) if is_missing_key(&error) => Err(SourceError::Vanished),
            Err(error) => Err(SourceError::from_sdk(error)),
        }
    }
}

impl transfer::Source for Body {
    type Error = SourceError;

    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        loop {
            let expected = self.version.size;
            let broken = match self.stream.try_next().await {
                Ok(Some(bytes)) => {
                    self.offset += bytes.len() as u64;
                    if self.offset > expected {
                        return Err(SourceError::Length {
                            expected,
                            got: self.offset,
                        });
                    }
                    self.resumes_left = RESUMES_WITHOUT_PROGRESS;
                    return Ok(Some(bytes));
                }
                Ok(None) if self.offset == expected => return Ok(None),
                Ok(None) => SourceError::Length {
                    expected,
                    got: self.offset,
                },
                // All bytes are here and the SDK found that they are not what S3's checksum says:
                // there is nothing left to go on with.
                Err(error) if self.offset == expected => {
                    return Err(SourceError::Body(error.into()));
                }
                Err(error) => SourceError::Body(error.into()),
            };
            if self.resumes_left == 0 {
                return Err(broken);
            }
            self.resumes_left -= 1;
            tracing::warn!(
                object = %self.version.name,
                offset = self.offset,
                "the body broke off; going on from there"
            );
            self.resume().await?;
        }
    }
}
