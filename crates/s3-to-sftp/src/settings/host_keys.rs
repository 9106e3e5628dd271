//! `SSH_HOST_KEY`: the keys themselves, or where they lie.

use super::value::{self, Unfit, unfit};
use crate::object::ObjectName;
use crate::ssh::host_key::{HostKeys, Pinned};

/// Which host keys the server may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedHostKeys {
    /// These.
    Pinned(Pinned),
    /// Those in a text of the same form, read for each connection that is made.
    At(ObjectName),
}

/// The value, before it is known for which server.
pub(super) enum Written {
    Keys(HostKeys),
    At(ObjectName),
}

pub(super) fn written(value: &str) -> Result<Written, Unfit> {
    let value = value.trim();
    if value.starts_with("s3://") {
        let name = value::object(value).map_err(|_| {
            Unfit("is not `s3://bucket/key` of an object that holds the host keys".to_owned())
        })?;
        return Ok(Written::At(name));
    }
    if value.starts_with("arn:") {
        return unfit(
            "is an ARN, which is not read here; give the keys themselves, or `s3://bucket/key` of an object that holds \
             them",
        );
    }
    let keys = HostKeys::parse(value).map_err(|error| Unfit(error.to_string()))?;
    Ok(Written::Keys(keys))
}

impl Written {
    /// What of it is for this server.
    pub(super) fn of(self, host: &str, port: u16) -> Result<TrustedHostKeys, Unfit> {
        match self {
            Self::Keys(keys) => match keys.of(host, port) {
                Ok(pinned) => Ok(TrustedHostKeys::Pinned(pinned)),
                Err(error) => unfit(error.to_string()),
            },
            Self::At(name) => Ok(TrustedHostKeys::At(name)),
        }
    }
}
