//! What S3 told of an object's checksum, and what came of comparing with it.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumType;
use serde::{Deserialize, Serialize};

use super::digest::{Algorithm, Checksum, Digest};
use super::error::SourceError;

/// How the bytes that were read compare with S3's checksum: part of the receipt. Differing is an
/// error and not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChecksumCheck {
    /// All bytes, from the first to the last, have the object's checksum.
    Equal {
        /// Which one.
        algorithm: Algorithm,
    },
    /// Each part has its own checksum, and the parts are the object.
    EqualByPart {
        /// Which one.
        algorithm: Algorithm,
        /// How many.
        parts: u32,
    },
    /// S3 has no checksum of the object, or none that is known here.
    NotTold,
}

/// The checksum that S3 keeps of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    /// Of all its bytes.
    Whole(Algorithm, Checksum),
    /// Of the checksums of its parts.
    Composite {
        algorithm: Algorithm,
        value: Checksum,
        parts: u32,
    },
}

/// The headers of an answer that are about checksums.
pub(super) struct Headers<'a> {
    values: [(Algorithm, Option<&'a str>); 5],
    kind: Option<&'a ChecksumType>,
}

/// GET and HEAD have the same accessors.
macro_rules! headers {
    ($answer:expr) => {
        Headers {
            values: [
                // The first one that is there counts: this one is computed anyway.
                (Algorithm::Crc64Nvme, $answer.checksum_crc64_nvme()),
                (Algorithm::Crc32c, $answer.checksum_crc32_c()),
                (Algorithm::Crc32, $answer.checksum_crc32()),
                (Algorithm::Sha1, $answer.checksum_sha1()),
                (Algorithm::Sha256, $answer.checksum_sha256()),
            ],
            kind: $answer.checksum_type(),
        }
    };
}

impl<'a> From<&'a GetObjectOutput> for Headers<'a> {
    fn from(answer: &'a GetObjectOutput) -> Self {
        headers!(answer)
    }
}

impl<'a> From<&'a HeadObjectOutput> for Headers<'a> {
    fn from(answer: &'a HeadObjectOutput) -> Self {
        headers!(answer)
    }
}

impl Headers<'_> {
    /// What they tell of the object, where the request was for all of it. An answer to a range
    /// must never come here: one that covers a whole composite object carries the checksum of
    /// checksums without the `-N` that tells it from one of the bytes (boto/botocore#3346).
    pub(super) fn told(&self) -> Told {
        let present = |(algorithm, value): &(Algorithm, Option<&str>)| {
            value.map(|value| (*algorithm, value.to_owned()))
        };
        let Some((algorithm, value)) = self.values.iter().find_map(present) else {
            return Told::Nothing;
        };
        let composite = value.rsplit_once('-').and_then(|(value, parts)| {
            let parts = parts.parse().ok().filter(|parts| *parts > 0)?;
            Some((Checksum::parse(algorithm, value)?, parts))
        });
        match (composite, Checksum::parse(algorithm, &value)) {
            (Some((value, parts)), _) => Told::Composite {
                algorithm,
                value,
                parts,
            },
            (None, Some(whole)) if self.kind != Some(&ChecksumType::Composite) => {
                Told::Whole(algorithm, whole)
            }
            _ => {
                tracing::warn!(%algorithm, value, "S3 sent a checksum that is none; it is not compared");
                Told::Nothing
            }
        }
    }

    /// The checksum of the bytes of one part, in an answer to a request by number.
    pub(super) fn part(&self, algorithm: Algorithm) -> Option<Checksum> {
        let (_, value) = self.values.iter().find(|(known, _)| *known == algorithm)?;
        Checksum::parse(algorithm, (*value)?)
    }
}

/// Whether the bytes have the checksum that S3 told.
pub(super) fn compare(
    algorithm: Algorithm,
    expected: &Checksum,
    found: &Checksum,
) -> Result<(), SourceError> {
    if expected == found {
        return Ok(());
    }
    Err(SourceError::Checksum {
        algorithm,
        expected: expected.to_string(),
        found: found.to_string(),
    })
}

/// A checksum of checksums, of an object with a single part.
pub(super) fn of_only_part(part: &Digest) -> Checksum {
    let mut digest = Digest::new(part.algorithm());
    digest.update(part.checksum().as_bytes());
    digest.checksum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: Option<ChecksumType>, crc32: &str) -> Told {
        let answer = GetObjectOutput::builder()
            .checksum_crc32(crc32)
            .set_checksum_type(kind)
            .build();
        Headers::from(&answer).told()
    }

    #[test]
    fn a_value_tells_what_it_is_of() {
        let full = Some(ChecksumType::FullObject);
        let composite = Some(ChecksumType::Composite);
        let value = Checksum::parse(Algorithm::Crc32, "y/Q5Jg==").expect("four bytes");
        let whole = Told::Whole(Algorithm::Crc32, value.clone());
        assert_eq!(told(full.clone(), "y/Q5Jg=="), whole);
        // From before there were types.
        assert_eq!(told(None, "y/Q5Jg=="), whole);
        for kind in [None, composite.clone(), full.clone()] {
            let parts = Told::Composite {
                algorithm: Algorithm::Crc32,
                value: value.clone(),
                parts: 12,
            };
            assert_eq!(told(kind, "y/Q5Jg==-12"), parts);
        }
        assert_eq!(told(composite, "y/Q5Jg=="), Told::Nothing);
        for value in [
            "",
            "y/Q5Jg==-",
            "y/Q5Jg==-0",
            "y/Q5Jg==-x",
            "y/Q5",
            "-2",
            "%",
            "rosUhgp5mIg=",
        ] {
            assert_eq!(told(full.clone(), value), Told::Nothing, "{value}");
        }
    }
}
