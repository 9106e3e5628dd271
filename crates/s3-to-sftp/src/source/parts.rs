//! The parts of an object that was uploaded in parts, where S3 keeps a checksum of each and none of
//! the whole.
//!
//! The bytes come by one GET all the same; the parts are asked after by HEAD, one ahead of the bytes.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::ChecksumMode;
use tokio::task::JoinSet;

use super::checksum::{Headers, compare, of_only_part};
use super::digest::{Algorithm, Checksum, Digest};
use super::error::SourceError;
use super::status;
use crate::object::ObjectVersion;

/// The parts of one version. Dropped, it asks no further.
#[derive(Debug)]
pub(super) struct Parts {
    client: Client,
    version: ObjectVersion,
    algorithm: Algorithm,
    /// The checksum of the parts' checksums.
    value: Checksum,
    count: u32,
    /// Kept, since a body may be taken back: ten thousand at most, of some 50 bytes each.
    known: BTreeMap<u32, Part>,
    /// At most one request: it runs while the bytes before its part are on their way.
    asked: JoinSet<(u32, Result<Option<Part>, SourceError>)>,
}

#[derive(Debug, Clone)]
struct Part {
    size: u64,
    checksum: Checksum,
}

impl Parts {
    pub(super) fn new(
        client: Client,
        version: ObjectVersion,
        algorithm: Algorithm,
        value: Checksum,
        count: u32,
    ) -> Self {
        let mut known = BTreeMap::new();
        if count == 1 {
            // Its value is the checksum of the one part's checksum: there is nothing to ask. What a
            // HEAD of a part that is everything answers, nobody has written down.
            let part = Part {
                size: version.size,
                checksum: value.clone(),
            };
            known.insert(1, part);
        }
        Self {
            client,
            version,
            algorithm,
            value,
            count,
            known,
            asked: JoinSet::new(),
        }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The checksum of all of them, as S3 writes it.
    pub(super) fn told(&self) -> String {
        format!("{}-{}", self.value, self.count)
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Where part `number` ends that begins at `start`. Asks after the next one meanwhile. None
    /// where the store does not answer as S3 does.
    ///
    /// May be dropped and called again.
    pub(super) async fn end(
        &mut self,
        number: u32,
        start: u64,
    ) -> Result<Option<u64>, SourceError> {
        while !self.known.contains_key(&number) {
            self.ask(number);
            let Some(answered) = self.asked.join_next().await else {
                continue;
            };
            match answered.map_err(|error| SourceError::Other(error.into()))? {
                (asked, Ok(Some(part))) => _ = self.known.insert(asked, part),
                (_, Ok(None)) => return Ok(None),
                (_, Err(error)) => return Err(error),
            }
        }
        if number < self.count && !self.known.contains_key(&(number + 1)) {
            self.ask(number + 1);
        }
        let size = self.version.size;
        let end = self
            .known
            .get(&number)
            .and_then(|part| start.checked_add(part.size));
        // The parts have to be the object, no more and no less.
        Ok(end.filter(|end| {
            if number == self.count {
                *end == size
            } else {
                *end <= size
            }
        }))
    }

    /// The size of the parts, as far as part `number` shows it that begins at `start`: where it is one
    /// of many that are equal.
    pub(super) fn size(&self, number: u32, start: u64) -> Option<u64> {
        let size = self.known.get(&number)?.size;
        let before = u64::from(number - 1).checked_mul(size)?;
        (number < self.count && before == start).then_some(size)
    }

    /// Whether all bytes of part `number` have its checksum.
    pub(super) fn compare(&self, number: u32, digest: &Digest) -> Result<(), SourceError> {
        let found = if self.count == 1 {
            of_only_part(digest)
        } else {
            digest.checksum()
        };
        match self.known.get(&number) {
            Some(part) => compare(self.algorithm, &part.checksum, &found),
            None => Ok(()),
        }
    }

    /// Begins to ask, unless a question is on its way.
    pub(super) fn ask(&mut self, number: u32) {
        if !self.asked.is_empty() || self.known.contains_key(&number) {
            return;
        }
        let request = Question {
            client: self.client.clone(),
            version: self.version.clone(),
            algorithm: self.algorithm,
            value: self.value.clone(),
            count: self.count,
        };
        self.asked
            .spawn(async move { (number, request.put(number).await) });
    }
}

struct Question {
    client: Client,
    version: ObjectVersion,
    algorithm: Algorithm,
    value: Checksum,
    count: u32,
}

impl Question {
    async fn put(self, number: u32) -> Result<Option<Part>, SourceError> {
        let Some(part_number) = i32::try_from(number).ok() else {
            return Ok(None);
        };
        let answer = self
            .client
            .head_object()
            .bucket(&self.version.name.bucket)
            .key(&self.version.name.key)
            .set_version_id(self.version.version_id.clone())
            .if_match(&self.version.etag)
            .part_number(part_number)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let head = match answer {
            Ok(head) => head,
            Err(error) => {
                return match status(&error) {
                    Some(412) => Err(SourceError::Replaced),
                    // An answer to HEAD has no code; the GET before has shown the bucket.
                    Some(404) => Err(SourceError::Vanished),
                    // It knows no parts.
                    Some(400 | 405 | 416 | 501) => Ok(None),
                    _ => Err(SourceError::from_sdk(error)),
                };
            }
        };
        if head.e_tag() != Some(self.version.etag.as_str()) {
            return Err(SourceError::Replaced);
        }
        let count = head.parts_count().map(u32::try_from);
        if count.is_some_and(|count| count != Ok(self.count)) {
            return Ok(None);
        }
        let size = head
            .content_length()
            .and_then(|size| u64::try_from(size).ok());
        // The checksum of checksums without its `-N` is what S3 itself sends for a range that is
        // everything, and what a store may send here that does not know parts.
        let checksum = Headers::from(&head)
            .part(self.algorithm)
            .filter(|checksum| *checksum != self.value);
        Ok(size
            .zip(checksum)
            .map(|(size, checksum)| Part { size, checksum }))
    }
}
