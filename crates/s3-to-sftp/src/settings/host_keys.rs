//! `SSH_HOST_KEY`: the keys themselves, or where they lie.

use super::place;
use super::value::{Unfit, unfit};
use crate::secrets::Reference;
use crate::ssh::host_key::{HostKeys, Pinned};

/// Which host keys the server may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedHostKeys {
    /// These.
    Pinned(Pinned),
    /// Those in a text of the same form, read for each connection that is made.
    At(Reference),
}

/// The value, before it is known for which server.
pub(super) enum Written {
    Keys(HostKeys),
    At(Reference),
}

pub(super) fn written(value: &str) -> Result<Written, Unfit> {
    if let Some(reference) = place::reference(value)? {
        return Ok(Written::At(reference));
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
            Self::At(reference) => Ok(TrustedHostKeys::At(reference)),
        }
    }
}
