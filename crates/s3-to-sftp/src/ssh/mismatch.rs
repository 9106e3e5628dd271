//! What a server has shown that is not pinned, over one connection or several.

use std::fmt;
use std::net::SocketAddr;

use russh::keys::Algorithm;

/// The types of host keys: as many connections show all that a server has.
const TYPES: usize = 5;

/// The keys that a server has, none of them pinned.
#[derive(Debug)]
pub struct Mismatch {
    /// Who was asked.
    pub address: SocketAddr,
    /// Type and fingerprint of each key, and of the authority of its certificate; the one that is shown first, first.
    pub found: Vec<String>,
    /// What would be accepted.
    pub expected: String,
    /// The types of the keys that were found.
    pub(super) types: Vec<Algorithm>,
}

impl Mismatch {
    /// With what another connection has shown.
    pub(super) fn and(mut self, further: Self) -> Self {
        self.found.extend(further.found);
        self.types.extend(further.types);
        self
    }

    /// Whether there is no type left to ask for.
    pub(super) fn is_of_all_types(&self) -> bool {
        self.types.len() >= TYPES
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            found,
            expected,
            ..
        } = self;
        let found = found.join(", another is ");
        write!(
            f,
            "the host key of {address} is {found}, and SSH_HOST_KEY expects {expected}"
        )
    }
}
