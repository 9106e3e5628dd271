//! An object, or what lies below a prefix, as a person types it.

use std::fmt;
use std::str::FromStr;

/// `s3://BUCKET/KEY`, or a prefix in place of the key, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl Place {
    /// Whether everything below it is meant: `s3://inbox/acme` would take `acme-old/` along.
    pub(crate) fn is_directory(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (bucket, key) = text
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(bucket, _)| !bucket.is_empty())
            .ok_or("expected s3://BUCKET/KEY")?;
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_bucket_and_a_key_as_it_is_typed() {
        for (text, bucket, key) in [
            ("s3://inbox/a", "inbox", "a"),
            ("s3://inbox/a/b c+%20", "inbox", "a/b c+%20"),
            ("s3://inbox//a", "inbox", "/a"),
            ("s3://inbox/", "inbox", ""),
        ] {
            let place: Place = text.parse().expect(text);
            assert_eq!((place.bucket.as_str(), place.key.as_str()), (bucket, key));
            assert_eq!(place.to_string(), text);
        }
        for text in ["s3:/inbox/a", "inbox/a", "s3://inbox", "s3:///a", ""] {
            text.parse::<Place>().expect_err(text);
        }
    }
}
