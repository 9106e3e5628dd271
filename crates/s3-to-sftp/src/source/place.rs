//! Places in a body that reading can go back to, with the digests as they were there.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::digest::{Algorithm, Digest};
use super::error::SourceError;

/// Places are at least so far from each other.
const SPACING: u64 = 256 * 1024;

/// So far back there is a place within every [`SPACING`] and a chunk of the body. What an upload
/// has unacknowledged is far less.
const REACH: u64 = 64 * 1024 * 1024;

/// How far a body has come, and the digests of what it gave out.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Bytes given out.
    pub(super) offset: u64,
    /// Of all of them.
    pub(super) own: Digest,
    /// What S3's checksum is compared with, where `own` is not: of all bytes, or of those of `part`.
    pub(super) other: Option<Digest>,
    /// The part that `offset` is in or at the end of.
    pub(super) part: Part,
}

/// Which part of a composite object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// From 1.
    pub(super) number: u32,
    /// Its first byte.
    pub(super) start: u64,
}

impl Place {
    /// Before the first byte.
    pub(super) fn start(other: Option<Algorithm>) -> Self {
        Self {
            offset: 0,
            own: Digest::crc64nvme(),
            other: other.map(Digest::new),
            part: Part {
                number: 1,
                start: 0,
            },
        }
    }

    pub(super) fn pass(&mut self, bytes: &[u8]) {
        self.own.update(bytes);
        if let Some(other) = &mut self.other {
            other.update(bytes);
        }
        self.offset += bytes.len() as u64;
    }

    /// The part is complete, and the next byte is another's.
    pub(super) fn begin_next_part(&mut self) {
        self.part = Part {
            number: self.part.number + 1,
            start: self.offset,
        };
        self.other = self
            .other
            .take()
            .map(|digest| Digest::new(digest.algorithm()));
    }
}

/// The places behind a body: the one where it began, and those of the last 64 MiB.
#[derive(Debug)]
pub(super) struct Trail {
    begun: Place,
    /// Ascending.
    recent: VecDeque<Place>,
}

impl Trail {
    pub(super) fn new(begun: Place) -> Self {
        Self {
            begun,
            recent: VecDeque::new(),
        }
    }

    /// Remembers a place, if the last one is far enough.
    pub(super) fn pass(&mut self, place: &Place) {
        let last = self.recent.back().unwrap_or(&self.begun);
        if place.offset - last.offset < SPACING {
            return;
        }
        self.recent.push_back(place.clone());
        // The first one that stays is the last one beyond the reach.
        while self
            .recent
            .get(1)
            .is_some_and(|next| place.offset - next.offset >= REACH)
        {
            self.recent.pop_front();
        }
    }

    /// The last place at or below `offset`; what is behind it is forgotten. None: below even where
    /// the body began.
    pub(super) fn back_to(&mut self, offset: u64) -> Option<Place> {
        while self
            .recent
            .pop_back_if(|place| place.offset > offset)
            .is_some()
        {}
        let place = self.recent.back().unwrap_or(&self.begun);
        (place.offset <= offset).then(|| place.clone())
    }
}

/// A place that another process can go on from: for a hand-over record.
///
/// It comes back from where others may have changed it, so nothing in it is believed before
/// [`S3::reopen`](super::S3::reopen) has looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    offset: u64,
    crc64nvme: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compared: Option<Compared>,
}

/// The second digest, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Compared {
    algorithm: Algorithm,
    state: String,
    /// Of a part, where the object has a checksum by part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
}

/// What S3 tells of an object, as far as a checkpoint has to fit it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fit {
    /// Its own digest is enough.
    Own,
    /// A second one of the whole.
    Whole(Algorithm),
    /// A second one of each of so many parts.
    Parts(Algorithm, u32),
}

impl Checkpoint {
    /// Where the next byte is. Not believed yet, either.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The state of the CRC-64/NVME of all bytes before [`Self::offset`].
    pub(crate) fn own_state(&self) -> &str {
        &self.crc64nvme
    }

    pub(super) fn of(place: &Place, by_part: bool) -> Self {
        Self {
            offset: place.offset,
            crc64nvme: place.own.state(),
            compared: place.other.as_ref().map(|digest| Compared {
                algorithm: digest.algorithm(),
                state: digest.state(),
                part: by_part.then_some(place.part),
            }),
        }
    }

    /// The place, if this is one of an object of `size` bytes.
    pub(super) fn place(&self, size: u64, fit: Fit) -> Result<Place, SourceError> {
        self.read(size, fit).ok_or(SourceError::Checkpoint)
    }

    fn read(&self, size: u64, fit: Fit) -> Option<Place> {
        if self.offset > size {
            return None;
        }
        let mut place = Place::start(None);
        place.offset = self.offset;
        place.own = Digest::resume(Algorithm::Crc64Nvme, &self.crc64nvme, self.offset)?;
        match (fit, &self.compared) {
            // The parts of a composite object were given up: its store tells them differently.
            (Fit::Own | Fit::Parts(..), None) => {}
            (Fit::Whole(algorithm), Some(compared)) => {
                let fits = compared.algorithm == algorithm && compared.part.is_none();
                let digest = Digest::resume(algorithm, &compared.state, self.offset);
                place.other = Some(digest.filter(|_| fits)?);
            }
            (Fit::Parts(algorithm, count), Some(compared)) => {
                let part = compared.part.filter(|part| {
                    compared.algorithm == algorithm && (1..=count).contains(&part.number)
                })?;
                let hashed = self.offset.checked_sub(part.start)?;
                if part.number == 1 && part.start != 0 {
                    return None;
                }
                place.other = Some(Digest::resume(algorithm, &compared.state, hashed)?);
                place.part = part;
            }
            (Fit::Own, Some(_)) | (Fit::Whole(_), None) => return None,
        }
        Some(place)
    }
}
