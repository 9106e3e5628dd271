//! What is moved: how many files, of how many bytes.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use testkit::payload::{ramp_at, seeded};

/// Local files are written in pieces of this size.
const PIECE: u64 = 1 << 20;

/// Files of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// How many.
    pub files: u64,
    /// Of how many bytes each.
    pub bytes: u64,
}

impl Payload {
    /// Nothing is moved.
    pub const NONE: Self = Self { files: 0, bytes: 0 };

    /// One file.
    #[must_use]
    pub const fn one(bytes: u64) -> Self {
        Self { files: 1, bytes }
    }

    /// Several files.
    #[must_use]
    pub const fn many(files: u64, bytes: u64) -> Self {
        Self { files, bytes }
    }

    /// All bytes together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.files * self.bytes
    }

    /// What its speed is counted in: bytes of one file, or files.
    #[must_use]
    pub fn units(self) -> u64 {
        match self.files {
            0 => 1,
            1 => self.bytes,
            files => files,
        }
    }

    /// The names of its files, in S3 and on the server.
    pub fn names(self) -> impl Iterator<Item = String> {
        (0..self.files).map(move |number| self.name(number))
    }

    fn name(self, number: u64) -> String {
        match self.files {
            1 => "object.bin".to_owned(),
            _ => format!("file-{number:05}.bin"),
        }
    }

    /// Writes the files into a directory, for the programs that have no S3 leg.
    ///
    /// # Errors
    ///
    /// What the disk answers.
    pub fn write(self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        for (number, name) in (0..).zip(self.names()) {
            let file = File::create(directory.join(name))?;
            if self.is_ramp() {
                write_ramp(file, self.bytes)?;
            } else {
                (&file).write_all(&self.content(number))?;
            }
        }
        Ok(())
    }

    /// One file is the ramp, computed where it is needed: it may be larger than memory. Many are stored, and all different.
    #[must_use]
    pub fn is_ramp(self) -> bool {
        self.files == 1
    }

    /// What one of many files holds.
    #[must_use]
    pub fn content(self, number: u64) -> Vec<u8> {
        let size = usize::try_from(self.bytes).expect("small files fit into memory");
        seeded(number, size).to_vec()
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.files {
            0 => f.write_str("nothing"),
            1 => f.write_str(&size(self.bytes)),
            files => write!(f, "{files} × {}", size(self.bytes)),
        }
    }
}

/// `1 GiB`, `256 MiB`, `10 KiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let whole = bytes >> shift;
        if whole > 0 && bytes == whole << shift {
            return format!("{whole} {unit}");
        }
    }
    format!("{bytes} B")
}

fn write_ramp(file: File, size: u64) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let mut offset = 0;
    while offset < size {
        let len = PIECE.min(size - offset);
        file.write_all(&ramp_at(offset, usize::try_from(len).unwrap_or_default()))?;
        offset += len;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_largest_unit_that_leaves_no_fraction() {
        for (bytes, text) in [
            (8 << 30, "8 GiB"),
            (256 << 20, "256 MiB"),
            (10 << 10, "10 KiB"),
            (1025, "1025 B"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(Payload::many(500, 10 << 10).to_string(), "500 × 10 KiB");
    }

    #[test]
    fn what_is_written_is_what_is_compared() {
        let directory = tempfile::tempdir().expect("a directory");
        Payload::one(PIECE + 5)
            .write(directory.path())
            .expect("written");
        let different = testkit::payload::first_difference_in_file(
            directory.path().join("object.bin"),
            PIECE + 5,
        );
        assert_eq!(different.expect("read"), None);
    }
}
