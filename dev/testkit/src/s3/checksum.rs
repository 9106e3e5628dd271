//! The checksums that S3 keeps beside an object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};

use crate::payload::{PERIOD, ramp_at};

/// What a checksum is computed with; the five that the Rust SDK knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32, what SDKs send by default.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME, what S3 computes when the uploader sends nothing.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// As `x-amz-checksum-algorithm` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [
            Self::Crc32,
            Self::Crc32c,
            Self::Crc64Nvme,
            Self::Sha1,
            Self::Sha256,
        ]
        .into_iter()
        .find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str()))
    }

    /// What S3 makes of a multipart upload that names the algorithm and no type.
    pub(super) fn default_coverage(self) -> Coverage {
        if self == Self::Crc64Nvme {
            Coverage::FullObject
        } else {
            Coverage::Composite
        }
    }
}

/// What the checksum of a multipart object covers: S3's *checksum type*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// All bytes of the object, in order.
    FullObject,
    /// The parts' checksums, one after the other; its value ends in `-N` (parts).
    Composite,
}

impl Coverage {
    /// As `x-amz-checksum-type` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// An object's checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// What it was computed with.
    pub algorithm: Algorithm,
    /// What it covers.
    pub coverage: Coverage,
    /// As S3 answers it to HEAD: Base64, and `-N` behind a composite one.
    pub value: String,
}

/// A CRC, and of how many bytes. Those of two neighbours make that of both, whatever lies in them.
#[derive(Clone, Copy)]
pub(super) struct Crc {
    kind: CrcAlgorithm,
    value: u64,
    size: u64,
}

impl Crc {
    /// None where the algorithm is no CRC.
    pub(super) fn kind(algorithm: Algorithm) -> Option<CrcAlgorithm> {
        match algorithm {
            Algorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 | Algorithm::Sha256 => None,
        }
    }

    pub(super) fn of(kind: CrcAlgorithm, data: &[u8]) -> Self {
        Self {
            kind,
            value: crc_fast::checksum(kind, data),
            size: data.len() as u64,
        }
    }

    /// Of `size` bytes of the ramp from `offset` on, put together from that of one period: no size takes time.
    pub(super) fn of_ramp(kind: CrcAlgorithm, offset: u64, size: u64) -> Self {
        let piece = |size: u64| {
            let size = usize::try_from(size).expect("less than a period");
            Self::of(kind, &ramp_at(offset, size))
        };
        // Whole periods from `offset` on are all alike, wherever in the ramp they begin.
        let mut periods = size / PERIOD as u64;
        let mut doubled = piece(PERIOD as u64);
        let mut whole = piece(0);
        while periods > 0 {
            if periods % 2 == 1 {
                whole = whole.then(doubled);
            }
            doubled = doubled.then(doubled);
            periods /= 2;
        }
        whole.then(piece(size % PERIOD as u64))
    }

    pub(super) fn then(self, next: Self) -> Self {
        Self {
            kind: self.kind,
            value: crc_fast::checksum_combine(self.kind, self.value, next.value, next.size),
            size: self.size + next.size,
        }
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let bytes = self.value.to_be_bytes();
        match self.kind {
            CrcAlgorithm::Crc64Nvme => bytes.to_vec(),
            _ => bytes[4..].to_vec(),
        }
    }
}

pub(super) enum Hasher {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(data),
            Self::Crc32c(hasher) => hasher.update(data),
            Self::Crc64Nvme(hasher) => hasher.update(data),
            Self::Sha1(hasher) => hasher.update(data),
            Self::Sha256(hasher) => hasher.update(data),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => hasher.finalize().as_ref().to_vec(),
            Self::Crc32c(hasher) => hasher.finalize().as_ref().to_vec(),
            Self::Crc64Nvme(hasher) => hasher.finalize().as_ref().to_vec(),
            Self::Sha1(hasher) => hasher.finalize().as_ref().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().as_ref().to_vec(),
        }
    }
}

pub(crate) fn md5(data: &[u8]) -> Vec<u8> {
    Md5::checksum(data).as_ref().to_vec()
}

pub(super) fn base64(digest: &[u8]) -> String {
    BASE64.encode(digest)
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sets the one field of an s3s output that belongs to the algorithm; every output has the same five.
macro_rules! set_checksum {
    ($output:expr, $algorithm:expr, $value:expr) => {
        match $algorithm {
            $crate::s3::checksum::Algorithm::Crc32 => $output.checksum_crc32 = Some($value),
            $crate::s3::checksum::Algorithm::Crc32c => $output.checksum_crc32c = Some($value),
            $crate::s3::checksum::Algorithm::Crc64Nvme => $output.checksum_crc64nvme = Some($value),
            $crate::s3::checksum::Algorithm::Sha1 => $output.checksum_sha1 = Some($value),
            $crate::s3::checksum::Algorithm::Sha256 => $output.checksum_sha256 = Some($value),
        }
    };
}
pub(super) use set_checksum;

/// The checksum that the client sent in a header, if any: `Option<(Algorithm, String)>`.
macro_rules! sent_checksum {
    ($input:expr) => {
        [
            (
                $crate::s3::checksum::Algorithm::Crc32,
                $input.checksum_crc32.clone(),
            ),
            (
                $crate::s3::checksum::Algorithm::Crc32c,
                $input.checksum_crc32c.clone(),
            ),
            (
                $crate::s3::checksum::Algorithm::Crc64Nvme,
                $input.checksum_crc64nvme.clone(),
            ),
            (
                $crate::s3::checksum::Algorithm::Sha1,
                $input.checksum_sha1.clone(),
            ),
            (
                $crate::s3::checksum::Algorithm::Sha256,
                $input.checksum_sha256.clone(),
            ),
        ]
        .into_iter()
        .find_map(|(algorithm, value)| Some((algorithm, value?)))
    };
}
pub(super) use sent_checksum;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crc_that_was_put_together_is_that_of_the_bytes() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let kind = Crc::kind(algorithm).expect("a CRC");
            for offset in [0, 1, 250, 251, (1 << 40) + 5] {
                for size in [0, 1, 250, 251, 252, 251 * 7, 1_000_003] {
                    let mut hasher = Hasher::new(algorithm);
                    hasher.update(&ramp_at(offset, size));
                    assert_eq!(
                        Crc::of_ramp(kind, offset, size as u64).to_bytes(),
                        hasher.finish(),
                        "{algorithm:?} of {size} from {offset}"
                    );
                }
            }
        }
    }
}
