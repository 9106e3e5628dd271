//! What one version of an object is made of.

use std::collections::HashMap;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::Stream;
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};

use super::checksum::{Algorithm, Checksum, Coverage, Crc, Hasher, base64, hex, md5};
use crate::payload::ramp_at;

/// Bodies go out in chunks of this size: large enough for speed, small enough for a hook in the middle.
const CHUNK: u64 = 256 * 1024;

/// A stretch of bytes, kept or computed while it is sent.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Stored(Bytes),
    /// The ramp of [`crate::payload`] from `offset` on.
    Ramp {
        offset: u64,
        size: u64,
    },
}

impl Piece {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Stored(bytes) => bytes.len() as u64,
            Self::Ramp { size, .. } => *size,
        }
    }

    fn slice(&self, range: Range<u64>) -> Self {
        match self {
            Self::Stored(bytes) => Self::Stored(bytes.slice(index(range.start)..index(range.end))),
            Self::Ramp { offset, .. } => Self::Ramp {
                offset: offset + range.start,
                size: range.end - range.start,
            },
        }
    }

    fn bytes(&self) -> Bytes {
        match self {
            Self::Stored(bytes) => bytes.clone(),
            Self::Ramp { offset, size } => ramp_at(*offset, index(*size)),
        }
    }

    fn crc(&self, kind: CrcAlgorithm) -> Crc {
        match self {
            Self::Stored(bytes) => Crc::of(kind, bytes),
            Self::Ramp { offset, size } => Crc::of_ramp(kind, *offset, *size),
        }
    }

    /// Stands in for the MD5 of a generated piece: an ETag is opaque, and MD5 takes seconds for a gigabyte.
    fn digest(&self) -> Vec<u8> {
        match self {
            Self::Stored(bytes) => md5(bytes),
            Self::Ramp { offset, size } => md5(format!("ramp {offset} {size}").as_bytes()),
        }
    }
}

/// A body of one or more pieces; cutting and sending it copies nothing.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pieces: Vec<Piece>,
    /// How far the first piece has been sent.
    sent: u64,
    size: u64,
}

impl Content {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        let size = pieces.iter().map(Piece::size).sum();
        Self {
            pieces,
            sent: 0,
            size,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn slice(&self, range: Range<u64>) -> Self {
        let mut start = 0;
        let mut pieces = Vec::new();
        for piece in &self.pieces {
            let end = start + piece.size();
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                pieces.push(piece.slice(from - start..to - start));
            }
            start = end;
        }
        Self::new(pieces)
    }

    /// The whole in one buffer; for tests that look, not for sending.
    pub(super) fn to_bytes(&self) -> Bytes {
        match &self.pieces[..] {
            [piece] => piece.bytes(),
            pieces => pieces.iter().flat_map(|piece| piece.bytes()).collect(),
        }
    }

    /// The checksum of all bytes, as S3 spells it.
    pub(super) fn checksum(&self, algorithm: Algorithm) -> String {
        base64(&self.digest(algorithm))
    }

    fn digest(&self, algorithm: Algorithm) -> Vec<u8> {
        if let Some(kind) = Crc::kind(algorithm) {
            let none = Crc::of(kind, b"");
            return self
                .pieces
                .iter()
                .fold(none, |crc, piece| crc.then(piece.crc(kind)))
                .to_bytes();
        }
        let mut hasher = Hasher::new(algorithm);
        for chunk in self.clone() {
            hasher.update(&chunk);
        }
        hasher.finish()
    }
}

impl Iterator for Content {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self
            .pieces
            .first()
            .is_some_and(|piece| piece.size() == self.sent)
        {
            self.pieces.remove(0);
            self.sent = 0;
        }
        let piece = self.pieces.first()?;
        let end = piece.size().min(self.sent + CHUNK);
        let chunk = piece.slice(self.sent..end).bytes();
        self.size -= end - self.sent;
        self.sent = end;
        Some(chunk)
    }
}

impl Stream for Content {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.next().map(Ok))
    }
}

impl ByteStream for Content {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(index(self.size))
    }
}

/// One part of a multipart object.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) size: u64,
    /// Of the object's algorithm; kept for composite objects alone, as on AWS.
    pub(super) checksum: Option<String>,
}

/// One version of an object, without its name and date.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// Without quotes.
    pub(super) etag: String,
    pub(super) content: Content,
    /// Empty for what came by one PUT.
    pub(super) parts: Vec<Part>,
    pub(super) checksum: Option<Checksum>,
    pub(super) content_type: Option<String>,
    pub(super) metadata: HashMap<String, String>,
    /// None: STANDARD.
    pub(super) storage_class: Option<String>,
}

impl Object {
    /// What one PUT makes: the ETag is the MD5, the checksum covers everything.
    pub(super) fn single(piece: Piece, algorithm: Algorithm) -> Self {
        let etag = hex(&piece.digest());
        let content = Content::new(vec![piece]);
        let value = content.checksum(algorithm);
        Self {
            etag,
            content,
            parts: Vec::new(),
            checksum: Some(Checksum {
                algorithm,
                coverage: Coverage::FullObject,
                value,
            }),
            content_type: None,
            metadata: HashMap::new(),
            storage_class: None,
        }
    }

    /// What a multipart upload makes: the ETag is the MD5 of the MD5s, with the number of parts behind it.
    pub(super) fn multipart(pieces: Vec<Piece>, algorithm: Algorithm, coverage: Coverage) -> Self {
        let count = pieces.len();
        let md5s: Vec<u8> = pieces.iter().flat_map(Piece::digest).collect();
        let etag = format!("{}-{count}", hex(&md5(&md5s)));
        let mut digests = Hasher::new(algorithm);
        let mut parts = Vec::with_capacity(count);
        for piece in &pieces {
            let checksum = (coverage == Coverage::Composite).then(|| {
                let digest = Content::new(vec![piece.clone()]).digest(algorithm);
                digests.update(&digest);
                base64(&digest)
            });
            let size = piece.size();
            parts.push(Part { size, checksum });
        }
        let content = Content::new(pieces);
        let mut value = match coverage {
            Coverage::FullObject => content.checksum(algorithm),
            Coverage::Composite => base64(&digests.finish()),
        };
        if coverage == Coverage::Composite {
            value = format!("{value}-{count}");
        }
        Self {
            etag,
            content,
            parts,
            checksum: Some(Checksum {
                algorithm,
                coverage,
                value,
            }),
            content_type: None,
            metadata: HashMap::new(),
            storage_class: None,
        }
    }

    /// What CopyObject makes of it: one piece of its own, whatever it was uploaded as.
    /// `named` is the checksum that the request asks for; otherwise the source's goes on.
    pub(super) fn copied(&self, named: Option<Algorithm>) -> Self {
        let kept = self.checksum.as_ref().map(|checksum| checksum.algorithm);
        let algorithm = named.or(kept).unwrap_or(Algorithm::Crc64Nvme);
        let content = self.content.clone();
        let whole = Checksum {
            algorithm,
            coverage: Coverage::FullObject,
            value: content.checksum(algorithm),
        };
        let etag = match &content.pieces[..] {
            _ if self.parts.is_empty() => self.etag.clone(),
            [Piece::Ramp { .. }, ..] => hex(&Piece::Ramp {
                offset: 0,
                size: content.size(),
            }
            .digest()),
            _ => hex(&md5(&content.to_bytes())),
        };
        Self {
            etag,
            content,
            parts: Vec::new(),
            checksum: Some(whole),
            ..self.clone()
        }
    }

    pub(super) fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }
}

/// A position within a buffer in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("what is in memory is addressable")
}
