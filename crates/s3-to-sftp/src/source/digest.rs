//! The checksums that S3 keeps beside an object, computed in steps: a digest can be copied, and its
//! state written down and read again by another process.

use std::fmt;

use aws_smithy_types::base64;
use crc_fast::CrcAlgorithm;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;
use sha2::digest::Digest as _;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

/// What a checksum is computed with. S3 knows more (MD5, SHA-512, XXHash); objects with those alone
/// count as without a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// CRC-64/NVME, what S3 computes where the uploader sends nothing.
    Crc64Nvme,
    /// CRC-32, what SDKs send by themselves.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Algorithm {
    /// As S3 spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "CRC64NVME",
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The bytes of a checksum.
    fn size(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A finished checksum.
#[derive(Clone, PartialEq, Eq)]
pub struct Checksum(Vec<u8>);

impl Checksum {
    /// Reads what S3 sends: Base64 of as many bytes as the algorithm has. A checksum of checksums,
    /// `…-N`, is none of bytes.
    pub(super) fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        let bytes = base64::decode(text).ok()?;
        (bytes.len() == algorithm.size()).then_some(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As S3 writes it.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(&self.0))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A checksum under way. Small, and cheap to clone.
#[derive(Debug, Clone)]
pub struct Digest(State);

#[derive(Debug, Clone)]
enum State {
    // The register alone: what crc-fast keeps beside it are constants, and a count that only
    // combining needs.
    Crc(Crc, u64),
    Sha1(Sha1),
    Sha256(Sha256),
}

#[derive(Debug, Clone, Copy)]
enum Crc {
    Crc64Nvme,
    Crc32,
    Crc32c,
}

impl Crc {
    fn known(self) -> CrcAlgorithm {
        match self {
            Self::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
            Self::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Self::Crc32c => CrcAlgorithm::Crc32Iscsi,
        }
    }
}

impl Digest {
    /// Of no bytes yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let crc = |crc: Crc| State::Crc(crc, crc_fast::Digest::new(crc.known()).get_state());
        Self(match algorithm {
            Algorithm::Crc64Nvme => crc(Crc::Crc64Nvme),
            Algorithm::Crc32 => crc(Crc::Crc32),
            Algorithm::Crc32c => crc(Crc::Crc32c),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
        })
    }

    /// Of no bytes yet, with the algorithm that every body is hashed with: what is read from
    /// elsewhere compares with [`Body::own_digest`](super::Body::own_digest).
    pub fn crc64nvme() -> Self {
        Self::new(Algorithm::Crc64Nvme)
    }

    /// What it computes.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Crc(Crc::Crc64Nvme, _) => Algorithm::Crc64Nvme,
            State::Crc(Crc::Crc32, _) => Algorithm::Crc32,
            State::Crc(Crc::Crc32c, _) => Algorithm::Crc32c,
            State::Sha1(_) => Algorithm::Sha1,
            State::Sha256(_) => Algorithm::Sha256,
        }
    }

    /// Takes the next bytes in order.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Crc(crc, register) => {
                let mut digest = crc_fast::Digest::new_with_init_state(crc.known(), *register);
                digest.update(bytes);
                *register = digest.get_state();
            }
            State::Sha1(sha) => sha.update(bytes),
            State::Sha256(sha) => sha.update(bytes),
        }
    }

    /// The checksum of what was taken so far. More may follow.
    pub fn checksum(&self) -> Checksum {
        Checksum(match &self.0 {
            State::Crc(crc, register) => {
                let sum = crc_fast::Digest::new_with_init_state(crc.known(), *register).finalize();
                let bytes = sum.to_be_bytes();
                bytes[bytes.len() - self.algorithm().size()..].to_vec()
            }
            State::Sha1(sha) => sha.clone().finalize().to_vec(),
            State::Sha256(sha) => sha.clone().finalize().to_vec(),
        })
    }

    /// The state as a short text (a SHA's has up to 210 characters), for [`Digest::resume`].
    pub fn state(&self) -> String {
        match &self.0 {
            State::Crc(Crc::Crc64Nvme, register) => format!("{register:016x}"),
            State::Crc(Crc::Crc32 | Crc::Crc32c, register) => format!("{register:08x}"),
            State::Sha1(sha) => hex(&sha.serialize()),
            State::Sha256(sha) => hex(&sha.serialize()),
        }
    }

    /// Goes on from a written state that `hashed` bytes led to. None where the text is not one:
    /// it may come from anywhere.
    pub fn resume(algorithm: Algorithm, state: &str, hashed: u64) -> Option<Self> {
        let state = unhex(state)?;
        let crc = |crc: Crc| {
            let size = algorithm.size();
            let mut register = [0; 8];
            register[8 - size..].copy_from_slice((state.len() == size).then_some(&state)?);
            Some(State::Crc(crc, u64::from_be_bytes(register)))
        };
        Some(Self(match algorithm {
            Algorithm::Crc64Nvme => crc(Crc::Crc64Nvme)?,
            Algorithm::Crc32 => crc(Crc::Crc32)?,
            Algorithm::Crc32c => crc(Crc::Crc32c)?,
            Algorithm::Sha1 => State::Sha1(sha(&state, algorithm, hashed)?),
            Algorithm::Sha256 => State::Sha256(sha(&state, algorithm, hashed)?),
        }))
    }
}

/// A SHA's state is its chaining value, the number of whole blocks, and the bytes of the last block
/// behind their number. The numbers have to be those of `hashed`: with others, finishing overflows.
fn sha<S: SerializableState>(state: &[u8], algorithm: Algorithm, hashed: u64) -> Option<S> {
    const BLOCK: u64 = 64;
    let (blocks, buffer) = state.get(algorithm.size()..)?.split_at_checked(8)?;
    let blocks = u64::from_le_bytes(blocks.try_into().ok()?);
    let fits = hashed <= u64::MAX / 16
        && blocks == hashed / BLOCK
        && u64::from(*buffer.first()?) == hashed % BLOCK;
    let state = <&SerializedState<S>>::try_from(state)
        .ok()
        .filter(|_| fits)?;
    S::deserialize(state).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    // `from_str_radix` takes a sign, too.
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Algorithm; 5] = [
        Algorithm::Crc64Nvme,
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Sha1,
        Algorithm::Sha256,
    ];

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let mut digest = Digest::new(algorithm);
        digest.update(bytes);
        digest
    }

    /// The check values of the CRC catalogue, and FIPS 180's; by another's hand.
    #[test]
    fn the_check_values() {
        for (algorithm, expected) in [
            (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (
                Algorithm::Sha256,
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
        ] {
            let found = of(algorithm, b"123456789").checksum().to_string();
            assert_eq!(found, expected, "{algorithm}");
        }
    }

    #[test]
    fn states_are_short() {
        for algorithm in ALL {
            assert!(of(algorithm, &[7; 63]).state().len() <= 210, "{algorithm}");
        }
    }

    proptest! {
        #[test]
        fn a_state_that_was_written_goes_on_as_if_nothing_had_been(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
        ) {
            let at = at.index(bytes.len() + 1);
            for algorithm in ALL {
                let before = of(algorithm, &bytes[..at]);
                let mut after = Digest::resume(algorithm, &before.state(), at as u64)
                    .expect("it was just written");
                after.update(&bytes[at..]);
                prop_assert_eq!(after.checksum(), of(algorithm, &bytes).checksum());
                prop_assert_eq!(before.checksum(), of(algorithm, &bytes[..at]).checksum());
            }
        }

        #[test]
        fn a_state_of_anybody_never_panics(state in "\\PC{0,20}|[0-9a-f]{0,220}|[0-9a-f]{40,56}0{16,160}", hashed in any::<u64>()) {
            for algorithm in ALL {
                if let Some(mut digest) = Digest::resume(algorithm, &state, hashed) {
                    digest.update(b"more");
                    prop_assert_eq!(digest.checksum().as_bytes().len(), algorithm.size());
                }
            }
        }

        #[test]
        fn a_state_of_another_number_of_bytes_is_none(real in 0..500_u64, other in any::<u64>()) {
            prop_assume!(real != other);
            for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
                let bytes = vec![1; usize::try_from(real).expect("small")];
                let state = of(algorithm, &bytes).state();
                prop_assert!(Digest::resume(algorithm, &state, other).is_none());
                // As many in the last block.
                prop_assert!(Digest::resume(algorithm, &state, real + 64).is_none());
            }
        }
    }

    /// A count of blocks near the largest number would overflow when the length is appended.
    #[test]
    fn a_count_of_blocks_that_overflows_is_none() {
        let mut state = of(Algorithm::Sha256, b"").state();
        state.replace_range(64..80, "ffffffffffffffff");
        assert!(Digest::resume(Algorithm::Sha256, &state, 0).is_none());
    }

    #[test]
    fn checksums_are_read_as_s3_writes_them() {
        for algorithm in ALL {
            let sum = of(algorithm, b"abc").checksum();
            assert_eq!(
                Checksum::parse(algorithm, &sum.to_string()),
                Some(sum.clone())
            );
            assert_eq!(Checksum::parse(algorithm, &format!("{sum}-2")), None);
            assert_eq!(Checksum::parse(algorithm, ""), None);
        }
    }
}
