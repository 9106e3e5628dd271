//! What lies below a prefix, page by page.

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;
use time::OffsetDateTime;

use super::error::SourceError;
use super::{S3, to_time};

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its ETag, with quotes.
    pub etag: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by S3's clock.
    pub last_modified: OffsetDateTime,
}

/// Up to a thousand objects, in the order of their keys.
#[derive(Debug)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Listed>,
    /// What the next page is asked for by; none where this is the last.
    pub next: Option<String>,
}

impl S3 {
    /// Lists what is current below a prefix.
    ///
    /// # Errors
    ///
    /// S3 refused or did not answer, or its answer lacks what every S3 sends.
    pub async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        page: Option<String>,
    ) -> Result<Page, SourceError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .set_continuation_token(page)
            // Keys may hold what XML cannot, and then the whole answer cannot be read.
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| SourceError::from_sdk(error).of_listing())?;
        let is_encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let missing = |header| SourceError::Malformed { header };
        let mut objects = Vec::with_capacity(answer.contents().len());
        for object in answer.contents() {
            let key = object.key().ok_or_else(|| missing("Key"))?;
            let key = if is_encoded {
                decode(key).ok_or_else(|| missing("Key in UTF-8"))?
            } else {
                key.to_owned()
            };
            objects.push(Listed {
                key,
                etag: object.e_tag().map(str::to_owned),
                size: object
                    .size()
                    .and_then(|size| u64::try_from(size).ok())
                    .ok_or_else(|| missing("Size"))?,
                last_modified: object
                    .last_modified()
                    .and_then(to_time)
                    .ok_or_else(|| missing("LastModified"))?,
            });
        }
        let next = match answer.is_truncated() {
            Some(true) => Some(
                answer
                    .next_continuation_token
                    .ok_or_else(|| missing("NextContinuationToken"))?,
            ),
            _ => None,
        };
        Ok(Page { objects, next })
    }
}

/// As a form: a blank is a plus, and a plus is `%2B`.
fn decode(encoded: &str) -> Option<String> {
    let blanks = encoded.replace('+', " ");
    let decoded = percent_decode_str(&blanks).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
