//! An object's bytes in order, whatever happens to the connection that brings them, and compared
//! with S3's checksum as they pass.
//!
//! The SDK's own comparison is off: it covers one GET without a range, and neither a body that broke
//! off nor an object in parts. The one here goes on through ranges, rewinds and other processes.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::checksum::{ChecksumCheck, Told, compare};
use super::digest::{Algorithm, Checksum, Digest};
use super::error::SourceError;
use super::parts::Parts;
use super::place::{Checkpoint, Fit, Place, Trail};
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
    /// None where the next bytes have to be asked for.
    stream: Option<ByteStream>,
    /// Came already, and belongs to the next part.
    ahead: Bytes,
    resumes_left: u32,
    place: Place,
    trail: Trail,
    compared: Compared,
    checked: Option<ChecksumCheck>,
}

/// What the digests are compared with.
#[derive(Debug)]
enum Compared {
    Nothing,
    Whole(Algorithm, Checksum),
    ByPart(Parts),
}

impl Compared {
    fn new(client: &Client, version: &ObjectVersion, told: Told) -> Self {
        match told {
            Told::Nothing => Self::Nothing,
            Told::Whole(algorithm, expected) => Self::Whole(algorithm, expected),
            Told::Composite {
                algorithm,
                value,
                parts,
            } => Self::ByPart(Parts::new(
                client.clone(),
                version.clone(),
                algorithm,
                value,
                parts,
            )),
        }
    }

    fn fit(&self) -> Fit {
        match self {
            Self::Nothing | Self::Whole(Algorithm::Crc64Nvme, _) => Fit::Own,
            Self::Whole(algorithm, _) => Fit::Whole(*algorithm),
            Self::ByPart(parts) => Fit::Parts(parts.algorithm(), parts.count()),
        }
    }

    /// The digest that is computed besides the body's own.
    fn other(&self) -> Option<Algorithm> {
        match self.fit() {
            Fit::Own => None,
            Fit::Whole(algorithm) | Fit::Parts(algorithm, _) => Some(algorithm),
        }
    }
}

impl Body {
    /// From the first byte, which is on its way.
    pub(super) fn new(
        client: Client,
        version: ObjectVersion,
        told: Told,
        stream: ByteStream,
    ) -> Self {
        let mut compared = Compared::new(&client, &version, told);
        if let Compared::ByPart(parts) = &mut compared {
            parts.ask(1);
        }
        let place = Place::start(compared.other());
        Self::at(client, version, compared, place, Some(stream))
    }

    /// From a checkpoint; nothing is asked for before the first byte is wanted.
    pub(super) fn resumed(
        client: Client,
        version: ObjectVersion,
        told: Told,
        from: &Checkpoint,
    ) -> Result<Self, SourceError> {
        let mut compared = Compared::new(&client, &version, told);
        let place = from.place(version.size, compared.fit())?;
        if matches!(compared, Compared::ByPart(_)) && place.other.is_none() {
            compared = Compared::Nothing;
        }
        Ok(Self::at(client, version, compared, place, None))
    }

    fn at(
        client: Client,
        version: ObjectVersion,
        compared: Compared,
        place: Place,
        stream: Option<ByteStream>,
    ) -> Self {
        Self {
            client,
            version,
            stream,
            ahead: Bytes::new(),
            resumes_left: RESUMES_WITHOUT_PROGRESS,
            trail: Trail::new(place.clone()),
            place,
            compared,
            checked: None,
        }
    }

    /// Bytes given out.
    pub fn offset(&self) -> u64 {
        self.place.offset
    }

    /// The CRC-64/NVME of all bytes from the first one to [`Body::offset`], for comparing with what
    /// is read back from the server.
    pub fn own_digest(&self) -> &Digest {
        &self.place.own
    }

    /// What came of the comparison with S3's checksum; [`ChecksumCheck::NotTold`] before the end.
    pub fn checksum(&self) -> ChecksumCheck {
        self.checked.unwrap_or(ChecksumCheck::NotTold)
    }

    /// Where another process can go on, by [`S3::reopen`](super::S3::reopen).
    pub fn checkpoint(&self) -> Checkpoint {
        let by_part = matches!(self.compared, Compared::ByPart(_));
        Checkpoint::of(&self.place, by_part)
    }

    /// Goes back to a place at or below `acknowledged`, and gives its offset: the next bytes are
    /// those from there, asked for again. The digests go back as well, so that what is sent is what
    /// is compared.
    pub fn rewind(&mut self, acknowledged: u64) -> u64 {
        if acknowledged < self.place.offset {
            self.place = self.trail.back_to(acknowledged).unwrap_or_else(|| {
                // Below where this body began there is the object's beginning.
                let start = Place::start(self.compared.other());
                self.trail = Trail::new(start.clone());
                start
            });
            if matches!(self.compared, Compared::Nothing) {
                // Given up since.
                self.place.other = None;
            }
            self.stream = None;
            self.ahead = Bytes::new();
            self.resumes_left = RESUMES_WITHOUT_PROGRESS;
            self.checked = None;
        }
        self.place.offset
    }

    /// The next bytes as they come, of whatever part.
    async fn receive(&mut self) -> Result<Bytes, SourceError> {
        if !self.ahead.is_empty() {
            return Ok(std::mem::take(&mut self.ahead));
        }
        loop {
            let Some(stream) = &mut self.stream else {
                self.stream = Some(self.ask().await?);
                continue;
            };
            let broken = match stream.try_next().await {
                Ok(Some(bytes)) if bytes.is_empty() => continue,
                Ok(Some(bytes)) => {
                    self.resumes_left = RESUMES_WITHOUT_PROGRESS;
                    return Ok(bytes);
                }
                Ok(None) => self.wrong_length(0),
                Err(error) => SourceError::Body(error.into()),
            };
            self.stream = None;
            if self.resumes_left == 0 {
                return Err(broken);
            }
            self.resumes_left -= 1;
            tracing::warn!(
                object = %self.version.name,
                offset = self.place.offset,
                "the body broke off; going on from there"
            );
        }
    }

    /// Asks for the rest, pinned to the version that was begun.
    async fn ask(&self) -> Result<ByteStream, SourceError> {
        let offset = self.place.offset;
        let request = self
            .client
            .get_object()
            .bucket(&self.version.name.bucket)
            .key(&self.version.name.key)
            .set_version_id(self.version.version_id.clone())
            .if_match(&self.version.etag)
            .range(format!("bytes={offset}-"))
            .customize()
            // No checksum is asked for: that of a range is none to compare with.
            .config_override(unchecked());
        match request.send().await {
            Ok(answer) => {
                // A store that ignores the range would send the beginning again, as if it were the
                // rest; one that ignores If-Match, another object's.
                let from = format!("bytes {offset}-");
                if !answer
                    .content_range()
                    .is_some_and(|range| range.starts_with(&from))
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

    /// Where the current part ends, or the object.
    async fn limit(&mut self) -> Result<u64, SourceError> {
        if let Compared::ByPart(parts) = &mut self.compared {
            let part = self.place.part;
            match parts.end(part.number, part.start).await? {
                // Before what was given out: a checkpoint that was changed, or the store's parts are.
                Some(end) if end >= self.place.offset => return Ok(end),
                _ => {
                    tracing::warn!(
                        object = %self.version.name,
                        part = part.number,
                        "the store does not tell the object's parts as S3 does: its checksum is \
                         not compared"
                    );
                    self.compared = Compared::Nothing;
                    self.place.other = None;
                }
            }
        }
        Ok(self.version.size)
    }

    /// Everything is given out: whether it was the object. Changes nothing that calling it again
    /// would miss.
    async fn finish(&mut self) -> Result<(), SourceError> {
        // A body that is longer than it was said to be is another one.
        if let Some(stream) = &mut self.stream {
            // That it breaks off behind the last byte harms nobody.
            if let Ok(Some(more)) = stream.try_next().await
                && !more.is_empty()
            {
                return Err(self.wrong_length(more.len()));
            }
            self.stream = None;
        }
        self.checked = Some(match &self.compared {
            Compared::Nothing => ChecksumCheck::NotTold,
            Compared::Whole(algorithm, expected) => {
                let digest = self.place.other.as_ref().unwrap_or(&self.place.own);
                compare(*algorithm, expected, &digest.checksum())?;
                ChecksumCheck::Equal {
                    algorithm: *algorithm,
                }
            }
            // Each was compared at its end.
            Compared::ByPart(parts) => ChecksumCheck::EqualByPart {
                algorithm: parts.algorithm(),
                parts: parts.count(),
            },
        });
        Ok(())
    }

    /// Compares the part that is complete; true if there is another one.
    fn finish_part(&mut self) -> Result<bool, SourceError> {
        let (Compared::ByPart(parts), Some(digest)) = (&self.compared, &self.place.other) else {
            return Ok(false);
        };
        let number = self.place.part.number;
        parts.compare(number, digest)?;
        let more = number < parts.count();
        if more {
            self.place.begin_next_part();
        }
        Ok(more)
    }

    fn wrong_length(&self, more: usize) -> SourceError {
        SourceError::Length {
            expected: self.version.size,
            got: self.place.offset.saturating_add(more as u64),
        }
    }
}

impl transfer::Source for Body {
    type Error = SourceError;

    /// May be dropped and called again: no byte is lost by that.
    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        loop {
            let limit = self.limit().await?;
            if self.place.offset == limit {
                if self.finish_part()? {
                    continue;
                }
                self.finish().await?;
                return Ok(None);
            }
            let mut bytes = self.receive().await?;
            if self.place.offset + bytes.len() as u64 > self.version.size {
                return Err(self.wrong_length(bytes.len()));
            }
            let here = usize::try_from(limit - self.place.offset).unwrap_or(usize::MAX);
            if bytes.len() > here {
                self.ahead = bytes.split_off(here);
            }
            self.place.pass(&bytes);
            self.trail.pass(&self.place);
            return Ok(Some(bytes));
        }
    }
}

/// The SDK compares nothing by itself.
pub(super) fn unchecked() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new()
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
}
