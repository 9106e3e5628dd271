//! Bytes of one version, asked for by range.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::primitives::ByteStream;

use super::error::SourceError;
use super::{is_missing_key, status};
use crate::object::ObjectVersion;

/// A version, and whom to ask for it.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) client: Client,
    pub(super) version: ObjectVersion,
}

impl Pinned {
    /// Asks for the bytes from `from` on, up to `end` or to the object's.
    pub(super) async fn get(&self, from: u64, end: Option<u64>) -> Result<ByteStream, SourceError> {
        let (asked, answered) = match end {
            None => (format!("bytes={from}-"), format!("bytes {from}-")),
            Some(end) => {
                let last = end - 1;
                (
                    format!("bytes={from}-{last}"),
                    format!("bytes {from}-{last}/"),
                )
            }
        };
        let request = self
            .client
            .get_object()
            .bucket(&self.version.name.bucket)
            .key(&self.version.name.key)
            .set_version_id(self.version.version_id.clone())
            .if_match(&self.version.etag)
            .range(asked)
            .customize()
            // No checksum is asked for: that of a range is none to compare with.
            .config_override(unchecked());
        match request.send().await {
            Ok(answer) => {
                // A store that ignores the range would send the beginning again, as if it were the
                // rest; one that ignores If-Match, another object's.
                if !answer
                    .content_range()
                    .is_some_and(|range| range.starts_with(&answered))
                {
                    return Err(SourceError::Malformed {
                        header: "Content-Range",
                    });
                }
                if answer.e_tag() != Some(self.version.etag.as_str()) {
                    return Err(SourceError::Replaced);
                }
                Ok(answer.body)
            }
            Err(error) if status(&error) == Some(412) => Err(SourceError::Replaced),
            Err(error) if is_missing_key(&error) => Err(SourceError::Vanished),
            Err(error) => Err(SourceError::from_sdk(error)),
        }
    }
}

/// The SDK compares nothing by itself.
pub(super) fn unchecked() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new()
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
}
