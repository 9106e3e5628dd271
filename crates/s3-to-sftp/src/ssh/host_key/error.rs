//! Why host keys cannot be used. No text that was fetched is shown: a reference may point to a secret.

use std::fmt;

use russh::keys::ssh_key;

use crate::ssh::foreign::said;

/// Why what `SSH_HOST_KEY` holds, or points to, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKeyError {
    /// The line, from 1; none where there is one line only, or where it is about all of them.
    pub line: Option<usize>,
    /// What is wrong, and what to write instead.
    pub problem: HostKeyProblem,
}

impl fmt::Display for HostKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for HostKeyError {}

/// What is wrong with host keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyProblem {
    /// Nothing but separators and comments.
    #[error(
        "holds no host key; give `SHA256:…` fingerprints, keys like `ssh-ed25519 AAAA…`, or lines of known_hosts"
    )]
    Empty,
    /// A key that is nobody's business but the server's, or the user's.
    #[error(
        "is a private key, which is not asked for; give the public key of the server, and take care of who has seen this one"
    )]
    PrivateKey,
    /// The form of RFC 4716, which some servers export.
    #[error(
        "is a public key in RFC 4716 form; `ssh-keygen -i -f FILE` prints it like `ssh-ed25519 AAAA…`"
    )]
    Rfc4716,
    /// An MD5 fingerprint, which anybody can match with enough computers.
    #[error(
        "is an MD5 fingerprint, which can be forged; \
         get the SHA256 one by `ssh-keyscan HOST | ssh-keygen -lf -`, and compare it with what your partner told you"
    )]
    Md5,
    /// Begins as a fingerprint and is none.
    #[error(
        "is no fingerprint: after `SHA256:` come 43 characters of base64, as `ssh-keygen -l` prints them"
    )]
    Fingerprint,
    /// A type without its key.
    #[error("after {0:?} the key itself is missing: `{0} AAAA…`, all on one line")]
    KeyMissing(String),
    /// A type and something that is not its key.
    #[error(
        "the {algorithm} key cannot be read ({}); is it cut short? Copy the whole line of the server's `.pub` file",
        said(&.reason.to_string())
    )]
    Key {
        /// The type that stands before it.
        algorithm: String,
        /// What the parser found.
        reason: ssh_key::Error,
    },
    /// DSA, which nobody should have any more.
    #[error(
        "is a DSA key (`ssh-dss`), which is too short to be safe and is not accepted; ask for the server's ed25519, \
         ECDSA or RSA key"
    )]
    Dsa,
    /// A certificate in place of the key that signs certificates.
    #[error(
        "is a certificate ({0}); give the key of the authority that signed it: \
         `@cert-authority HOSTS ssh-ed25519 AAAA…`"
    )]
    Certificate(String),
    /// A type of key that no server proves.
    #[error(
        "the type {0:?} is not known; the types are ssh-ed25519, ecdsa-sha2-nistp256, -384 and -521, and ssh-rsa"
    )]
    UnknownType(String),
    /// `@something`.
    #[error("the marker is not known; the markers are `@cert-authority` and `@revoked`")]
    UnknownMarker,
    /// A marker behind something else.
    #[error("{0:?} begins a line of its own: put a line break before it")]
    MarkerInside(&'static str),
    /// A marker and a key, and nothing between them.
    #[error(
        "between {0:?} and the key the names of the hosts are missing: `{0} * ssh-ed25519 AAAA…` is for all"
    )]
    NoHosts(&'static str),
    /// A marker, and not enough behind it.
    #[error("after {0:?} come the names of the hosts, the type and the key")]
    LineCutShort(&'static str),
    /// `|1|`, and then no salt and hash.
    #[error(
        "the hashed host name is none: after `|1|` come a salt and a hash in base64, as `ssh-keygen -H` writes them"
    )]
    HashedName,
    /// None of these. The word is not shown.
    #[error(
        "is neither a `SHA256:…` fingerprint, nor a key like `ssh-ed25519 AAAA…`, nor a line of known_hosts"
    )]
    Unknown,
    /// Lines for others.
    #[error(
        "no line is for {name}; the lines are for {others}. Correct SSH_HOST or SSH_PORT, or the names before the keys"
    )]
    NoneForHost {
        /// The server, as known_hosts names it.
        name: String,
        /// The names that are there.
        others: String,
    },
    /// Nothing is accepted.
    #[error("all keys for {0} are `@revoked`; add the one that is accepted")]
    OnlyRevoked(String),
}
