//! An object's bytes in order, whatever happens to the connection that brings them, and compared
//! with S3's checksum as they pass.
//!
//! The SDK's own comparison is off: it covers one GET without a range, and neither a body that broke
//! off nor an object in parts. The one here goes on through ranges, rewinds and other processes.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::time::Instant;

use super::checksum::{ChecksumCheck, Told, compare};
use super::digest::{Algorithm, Checksum, Digest};
use super::error::SourceError;
use super::parts::Parts;
use super::pinned::Pinned;
use super::place::{Checkpoint, Fit, Place, Trail};
use super::ranges::{Ranges, ReadAhead};
use super::stream::Stream;
use crate::transfer;

/// The bytes of one version.
#[derive(Debug)]
pub struct Body {
    pinned: Arc<Pinned>,
    /// From the offset on, or closed while ranges bring the bytes.
    stream: Stream,
    ranges: Ranges,
    /// Came already, and belongs to the next part.
    ahead: Bytes,
    place: Place,
    trail: Trail,
    compared: Compared,
    checked: Option<ChecksumCheck>,
    given_out: u64,
}

/// What the digests are compared with.
#[derive(Debug)]
enum Compared {
    Nothing,
    Whole(Algorithm, Checksum),
    ByPart(Parts),
}

impl Compared {
    fn new(pinned: &Pinned, told: Told) -> Self {
        match told {
            Told::Nothing => Self::Nothing,
            Told::Whole(algorithm, expected) => Self::Whole(algorithm, expected),
            Told::Composite {
                algorithm,
                value,
                parts,
            } => Self::ByPart(Parts::new(
                pinned.client.clone(),
                pinned.version.clone(),
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
        pinned: Pinned,
        told: Told,
        read_ahead: ReadAhead,
        answer: ByteStream,
    ) -> Self {
        let mut compared = Compared::new(&pinned, told);
        if let Compared::ByPart(parts) = &mut compared {
            parts.ask(1);
        }
        let place = Place::start(compared.other());
        let body = Self::at(pinned, compared, place, read_ahead);
        Self {
            stream: body.stream.answered(answer),
            ..body
        }
    }

    /// From a checkpoint; nothing is asked for before the first byte is wanted.
    pub(super) fn resumed(
        pinned: Pinned,
        told: Told,
        read_ahead: ReadAhead,
        from: &Checkpoint,
    ) -> Result<Self, SourceError> {
        let mut compared = Compared::new(&pinned, told);
        let place = from.place(pinned.version.size, compared.fit())?;
        if matches!(compared, Compared::ByPart(_)) && place.other.is_none() {
            compared = Compared::Nothing;
        }
        Ok(Self::at(pinned, compared, place, read_ahead))
    }

    fn at(pinned: Pinned, compared: Compared, place: Place, read_ahead: ReadAhead) -> Self {
        let pinned = Arc::new(pinned);
        Self {
            stream: Stream::new(Arc::clone(&pinned), place.offset, None),
            ranges: Ranges::new(Arc::clone(&pinned), read_ahead),
            pinned,
            ahead: Bytes::new(),
            trail: Trail::new(place.clone()),
            place,
            compared,
            checked: None,
            given_out: 0,
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

    /// What S3 told to compare with, as it writes it; none where it told nothing, or what cannot be compared.
    pub fn told_checksum(&self) -> Option<String> {
        match &self.compared {
            Compared::Nothing => None,
            Compared::Whole(_, checksum) => Some(checksum.to_string()),
            Compared::ByPart(parts) => Some(parts.told()),
        }
    }

    /// Bytes given out, those included that were given out anew after [`Body::rewind`].
    pub fn given_out(&self) -> u64 {
        self.given_out
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
            self.stream = Stream::new(Arc::clone(&self.pinned), self.place.offset, None);
            self.ranges.reset();
            self.ahead = Bytes::new();
            self.checked = None;
        }
        self.place.offset
    }

    /// The next bytes as they come, of whatever part.
    async fn receive(&mut self) -> Result<Bytes, SourceError> {
        if !self.ahead.is_empty() {
            return Ok(std::mem::take(&mut self.ahead));
        }
        let part = match &self.compared {
            Compared::ByPart(parts) => parts.size(self.place.part.number, self.place.part.start),
            Compared::Nothing | Compared::Whole(..) => None,
        };
        self.ranges.fill(self.place.offset, part);
        let begun = Instant::now();
        let bytes = self.wait().await?;
        self.ranges.waited(bytes.len(), begun.elapsed());
        Ok(bytes)
    }

    /// Waits for them, from wherever they come.
    async fn wait(&mut self) -> Result<Bytes, SourceError> {
        let offset = self.place.offset;
        if self.ranges.has(offset) {
            match self.ranges.next(offset).await {
                Ok(bytes) => {
                    // Not before: a store that knows no ranges goes on sending all of it.
                    self.stream.close();
                    return Ok(bytes);
                }
                Err(error) if error.is_of_the_object() => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        object = %self.pinned.version.name, offset, error = %error,
                        "reading ahead failed; going on with one stream"
                    );
                    self.ranges.give_up();
                }
            }
        }
        if self.stream.offset() != offset {
            self.stream = Stream::new(Arc::clone(&self.pinned), offset, None);
        }
        self.stream.next().await
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
                        object = %self.pinned.version.name,
                        part = part.number,
                        "the store does not tell the object's parts as S3 does: its checksum is \
                         not compared"
                    );
                    self.compared = Compared::Nothing;
                    self.place.other = None;
                }
            }
        }
        Ok(self.pinned.version.size)
    }

    /// Everything is given out: whether it was the object. Changes nothing that calling it again
    /// would miss.
    async fn finish(&mut self) -> Result<(), SourceError> {
        self.stream.finish().await?;
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
            let here = usize::try_from(limit - self.place.offset).unwrap_or(usize::MAX);
            if bytes.len() > here {
                self.ahead = bytes.split_off(here);
            }
            self.given_out += bytes.len() as u64;
            self.place.pass(&bytes);
            self.trail.pass(&self.place);
            return Ok(Some(bytes));
        }
    }
}
