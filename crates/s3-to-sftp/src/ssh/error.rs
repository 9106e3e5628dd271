//! Why there is no connection. Each says what was tried; what it was tried for is the caller's.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use super::algorithms::Kind;
use super::host_key::certificate::CertificateProblem;
use super::login::Refused;
use super::mismatch::Mismatch;

/// Why a connection could not be made, or was given up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name has no address.
    #[error("the name {host} has no address")]
    Name {
        /// What was looked up.
        host: String,
        /// The resolver's answer; none where it took too long.
        #[source]
        source: Option<io::Error>,
    },
    /// No address took the connection.
    #[error("no address took the connection: {}", Tried(.0))]
    Tcp(Vec<(SocketAddr, io::Error)>),
    /// Something listens and does not greet.
    #[error("{address} accepted the connection and sent no SSH banner for {} s", .after.as_secs())]
    NoBanner {
        /// Who was silent.
        address: SocketAddr,
        /// For how long.
        after: Duration,
    },
    /// A step of the connection got no answer.
    #[error("{address} did not answer for {} s during {step}", .after.as_secs())]
    Silent {
        /// Who was silent.
        address: SocketAddr,
        /// What was under way.
        step: &'static str,
        /// For how long.
        after: Duration,
    },
    /// The server proved another identity than the pinned one.
    #[error("{0}")]
    HostKey(Mismatch),
    /// The server proved a key that is known to be in the wrong hands.
    #[error("the host key of {address} is {found}, which SSH_HOST_KEY lists as @revoked")]
    HostKeyRevoked {
        /// Who was asked.
        address: SocketAddr,
        /// Type and fingerprint of the key that the server has, and of its certificate's authority.
        found: String,
    },
    /// The server has a certificate of the right authority that proves nothing.
    #[error("the host key of {address} is {found}, which is not accepted")]
    HostCertificate {
        /// Who was asked.
        address: SocketAddr,
        /// Type and fingerprint of the key that the server has, and of its certificate's authority.
        found: String,
        /// What is wrong with the certificate.
        source: CertificateProblem,
    },
    /// The server does not let this account in.
    #[error("{address} refused the login of {username} by {tried}; it {answer}")]
    LoginRefused {
        /// Who refused.
        address: SocketAddr,
        /// The account.
        username: String,
        /// The methods that were tried, in order, and which of them were taken.
        tried: String,
        /// The methods that the server says can continue, or its last words.
        answer: String,
        /// A setting that would hold what the server asks for as well.
        missing: Option<&'static str>,
        /// What was judged, and not taken.
        refused: Refused,
    },
    /// The server asks for something that only a person can answer.
    #[error("{address} asked {username} by keyboard-interactive: {prompts}; {why}")]
    PromptNotAnswered {
        /// Who asks.
        address: SocketAddr,
        /// The account.
        username: String,
        /// The questions.
        prompts: String,
        /// Why there is no answer.
        why: Unanswered,
    },
    /// The login's key may not sign by anything that the server takes.
    #[error("{}", KeyNotAllowed(.address, .key, .allowed, .by_server.as_deref()))]
    KeyNotAllowed {
        /// The other side.
        address: SocketAddr,
        /// The key's type.
        key: String,
        /// What `SSH_PUBKEY_ALGORITHMS` comes to.
        allowed: String,
        /// What the server takes of such a key; none where the setting alone forbids it.
        by_server: Option<String>,
    },
    /// The two sides have no algorithm of one kind in common.
    #[error(
        "{address} and this program have no {kind} in common: it offers {theirs}; this program {ours}"
    )]
    NoCommonAlgorithm {
        /// The other side.
        address: SocketAddr,
        /// Of what.
        kind: &'static str,
        /// What was offered.
        ours: String,
        /// What the server offers.
        theirs: String,
        /// A setting, and what it has to be for the two to come together, as far as that can be told.
        setting: Option<(Kind, Option<&'static str>)>,
    },
    /// What the server sent during the key exchange cannot be gone on with.
    #[error(
        "the key exchange with {address} is malformed, or its Diffie-Hellman group has fewer than {smallest_group} bits"
    )]
    KeyExchange {
        /// The other side.
        address: SocketAddr,
        /// The smallest group that is taken.
        smallest_group: usize,
    },
    /// The server ended the connection, and said why.
    #[error("{address} ended the connection during {step}, saying {said:?}")]
    Ended {
        /// The other side.
        address: SocketAddr,
        /// What was under way.
        step: &'static str,
        /// Its words.
        said: String,
    },
    /// No session channel, or no SFTP on it.
    #[error("{address} let {username} in and refused SFTP")]
    SftpRefused {
        /// Who refused.
        address: SocketAddr,
        /// The account.
        username: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke, or the two sides found no common ground.
    #[error("the connection to {address} failed during {step}")]
    Ssh {
        /// The other side.
        address: SocketAddr,
        /// What was under way.
        step: &'static str,
        /// russh's error.
        #[source]
        source: Box<russh::Error>,
    },
}

impl ConnectError {
    /// Whether the connection failed before the server proved a key.
    pub(super) fn is_before_host_key(&self) -> bool {
        match self {
            Self::Name { .. }
            | Self::Tcp(_)
            | Self::NoBanner { .. }
            | Self::NoCommonAlgorithm { .. }
            | Self::KeyExchange { .. } => true,
            Self::Silent { step, .. } | Self::Ssh { step, .. } | Self::Ended { step, .. } => {
                *step == KEY_EXCHANGE
            }
            _ => false,
        }
    }
}

/// Why a question of keyboard-interactive has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// A code that changes with each login.
    #[error("that is a one-time code, and nobody is there to type it")]
    OneTimeCode,
    /// The password has expired.
    #[error("that is a new password: the old one has expired")]
    NewPassword,
    /// Not hidden: what is typed would be shown.
    #[error("the password answers a hidden prompt only")]
    Shown,
    /// More than one at once.
    #[error("the password answers a single prompt only")]
    Several,
    /// One more, behind the password.
    #[error("the password has been sent already, and answers nothing else")]
    Again,
    /// There is none.
    #[error("SSH_PASSWORD is not set")]
    NoPassword,
}

/// The step before any credential is offered.
pub(crate) const KEY_EXCHANGE: &str = "the key exchange";

/// The step in which credentials are offered.
pub(crate) const LOGIN: &str = "the login";

/// The steps behind a login that was taken.
pub(crate) const CHANNEL: &str = "the opening of a channel";
pub(crate) const START: &str = "the start of SFTP";

/// The connection broke during `step`.
pub(super) fn ssh(address: SocketAddr, step: &'static str, source: russh::Error) -> ConnectError {
    ConnectError::Ssh {
        address,
        step,
        source: Box::new(source),
    }
}

struct Tried<'a>(&'a [(SocketAddr, io::Error)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, error)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{address}: {error}")?;
        }
        Ok(())
    }
}

struct KeyNotAllowed<'a>(&'a SocketAddr, &'a str, &'a str, Option<&'a str>);

impl fmt::Display for KeyNotAllowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address, key, allowed, by_server) = self;
        match by_server {
            Some(taken) => write!(
                f,
                "{address} takes of a key of type {key} only signatures by {taken}"
            )?,
            None => write!(f, "the private key is of type {key}")?,
        }
        write!(f, ", and SSH_PUBKEY_ALGORITHMS allows {allowed}")
    }
}
