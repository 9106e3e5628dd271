//! Why there is no connection. Each says what was tried; what it was tried for is the caller's.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use super::host_key::certificate::CertificateProblem;
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
    #[error("{address} refused the login of {username} by {tried}; it offers {offered}")]
    LoginRefused {
        /// Who refused.
        address: SocketAddr,
        /// The account.
        username: String,
        /// The methods that were tried, in order.
        tried: String,
        /// The methods that the server says can continue.
        offered: String,
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
            Self::Name { .. } | Self::Tcp(_) | Self::NoBanner { .. } => true,
            Self::Silent { step, .. } | Self::Ssh { step, .. } => *step == KEY_EXCHANGE,
            _ => false,
        }
    }
}

/// The step before any credential is offered.
pub(crate) const KEY_EXCHANGE: &str = "the key exchange";

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
