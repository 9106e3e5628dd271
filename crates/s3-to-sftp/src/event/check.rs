//! A check, asked for by a person: `{"check":{}}`, or `{"check":{"prefix":"s3://bucket/prefix/","write":true}}`.

use crate::check::Prefix;

/// What is to be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckRequest {
    /// What lies in S3.
    pub prefix: Option<Prefix>,
    /// Whether a probe is to be written.
    pub write: bool,
}

#[derive(serde::Deserialize)]
struct Envelope {
    check: Wire,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    prefix: Option<String>,
    #[serde(default)]
    write: bool,
}

/// None: something in it is not understood, and whoever asked is there to be told.
pub(super) fn read(bytes: &[u8]) -> Option<CheckRequest> {
    let Envelope { check } = serde_json::from_slice(bytes).ok()?;
    let prefix = check.prefix.map(|text| text.parse().ok());
    Some(CheckRequest {
        prefix: match prefix {
            Some(prefix) => Some(prefix?),
            None => None,
        },
        write: check.write,
    })
}
