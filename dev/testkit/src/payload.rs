//! Bytes that tell their own offset.
//!
//! Byte `i` of the ramp is `i % 251`. The period is prime, so no shift by a power of two, a block or a part maps
//! the ramp onto itself: a hole, a swap or a repeated block shows up as a difference, and where.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};

/// The ramp repeats after so many bytes.
pub const PERIOD: usize = 251;

/// Slices up to about a mebibyte are views of this table: serving a generated object costs no copy.
const TABLE_SIZE: usize = PERIOD * 4 * 1024 + PERIOD;

static TABLE: LazyLock<Bytes> = LazyLock::new(|| {
    let period: Vec<u8> = (0..=u8::MAX).take(PERIOD).collect();
    Bytes::from(period.repeat(TABLE_SIZE / PERIOD))
});

/// The first `size` bytes of the ramp.
#[must_use]
pub fn ramp(size: usize) -> Bytes {
    ramp_at(0, size)
}

/// `len` bytes of the ramp from `offset` on; a view, not a copy, up to a mebibyte.
#[must_use]
pub fn ramp_at(offset: u64, len: usize) -> Bytes {
    let start =
        usize::try_from(offset % PERIOD as u64).expect("a remainder of 251 fits any integer");
    if start + len <= TABLE.len() {
        return TABLE.slice(start..start + len);
    }
    let mut bytes = BytesMut::with_capacity(len);
    bytes.extend_from_slice(&TABLE[start..]);
    // TABLE ends where a period ends, so from here on whole tables follow.
    while bytes.len() < len {
        let rest = (len - bytes.len()).min(TABLE.len());
        bytes.extend_from_slice(&TABLE[..rest]);
    }
    bytes.freeze()
}

/// Where `reader` first differs from the first `size` bytes of the ramp: a wrong byte, an early end, or, at `size`,
/// bytes too many. None: it is the ramp exactly.
///
/// # Errors
///
/// What the reader returns.
pub fn first_difference(reader: impl Read, size: u64) -> io::Result<Option<u64>> {
    first_difference_from(reader, 0, size)
}

/// [`first_difference`] from the `size` bytes of the ramp that begin at `start`; what is told is the reader's offset.
///
/// # Errors
///
/// What the reader returns.
pub fn first_difference_from(
    mut reader: impl Read,
    start: u64,
    size: u64,
) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; 256 * 1024];
    let mut offset = 0;
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if read == 0 {
            return Ok((offset < size).then_some(offset));
        }
        let got = &buffer[..read];
        let expected = ramp_at(start + offset, read);
        let wrong = if got == &expected[..] {
            None
        } else {
            got.iter().zip(&expected).position(|(a, b)| a != b)
        };
        let wrong = wrong.map(|index| offset + index as u64);
        offset += read as u64;
        let first = [wrong, (offset > size).then_some(size)]
            .into_iter()
            .flatten()
            .min();
        if first.is_some() {
            return Ok(first);
        }
    }
}

/// [`first_difference`] of a file on disk.
///
/// # Errors
///
/// The file cannot be opened or read.
pub fn first_difference_in_file(path: impl AsRef<Path>, size: u64) -> io::Result<Option<u64>> {
    first_difference(File::open(path)?, size)
}

/// `size` bytes that look random and are the same for the same `seed`, on every machine.
#[must_use]
pub fn seeded(seed: u64, size: usize) -> Bytes {
    // SplitMix64: no dependency's next version can change what a seed means.
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_tells_its_offset() {
        let sizes = [
            0,
            1,
            PERIOD,
            TABLE_SIZE - 1,
            TABLE_SIZE,
            TABLE_SIZE + 1,
            3 * TABLE_SIZE + 7,
        ];
        for offset in [0, 1, 250, 251, 1 << 20, (1 << 40) + 5] {
            for size in sizes {
                let bytes = ramp_at(offset, size);
                assert_eq!(bytes.len(), size);
                for index in [0, size / 2, size.saturating_sub(1)] {
                    if index < size {
                        assert_eq!(u64::from(bytes[index]), (offset + index as u64) % 251);
                    }
                }
                assert!(bytes.windows(2).all(|pair| (pair[0] + 1) % 251 == pair[1]));
            }
        }
    }

    #[test]
    fn the_detector_detects() {
        let size = 1 << 20;
        let good = ramp(size).to_vec();
        assert_eq!(
            first_difference(&good[..], size as u64).expect("reads"),
            None
        );
        assert_eq!(
            first_difference(&good[..size - 1], size as u64).expect("reads"),
            Some(size as u64 - 1)
        );
        assert_eq!(
            first_difference(&good[..], 1000).expect("reads"),
            Some(1000)
        );
        assert_eq!(first_difference(&[][..], 0).expect("reads"), None);
        assert_eq!(first_difference(&[][..], 1).expect("reads"), Some(0));
        assert_eq!(
            first_difference_from(&good[100..], 100, size as u64 - 100).expect("reads"),
            None
        );
        assert_eq!(
            first_difference_from(&good[100..], 101, 5).expect("reads"),
            Some(0)
        );
        let mut bad = good;
        bad[777_777] ^= 1;
        assert_eq!(
            first_difference(&bad[..], size as u64).expect("reads"),
            Some(777_777)
        );
    }

    #[test]
    fn a_seed_is_a_payload() {
        assert_eq!(seeded(7, 1000), seeded(7, 1000));
        assert_eq!(seeded(7, 1000)[..500], seeded(7, 500)[..]);
        assert_ne!(seeded(7, 1000), seeded(8, 1000));
    }
}
