//! What russh asks of us while it connects: whether this is the server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use russh::client;
use russh::keys::PublicKeyOrCertificate;

use super::error::{ConnectError, KEY_EXCHANGE, ssh};
use super::host_key::{Distrust, Pinned, describe, fingerprint};
use super::mismatch::Mismatch;

/// Decides before anything of ours is sent but the key exchange.
pub(super) struct Client {
    pub(super) address: SocketAddr,
    /// None accepts anything.
    pub(super) expected: Option<Pinned>,
    /// The fingerprint of the key that the server proved.
    pub(super) seen: Arc<Mutex<String>>,
}

impl Client {
    fn refused(
        &self,
        shown: &PublicKeyOrCertificate,
        expected: &Pinned,
        distrust: Distrust,
    ) -> HandshakeError {
        let address = self.address;
        let found = describe(shown);
        HandshakeError::HostKey(Box::new(match distrust {
            Distrust::Unknown => ConnectError::HostKey(Mismatch {
                address,
                found: vec![found],
                expected: expected.expected(),
                types: vec![shown.public_key().algorithm()],
            }),
            Distrust::Revoked => ConnectError::HostKeyRevoked { address, found },
            Distrust::Certificate(source) => ConnectError::HostCertificate {
                address,
                found,
                source,
            },
        }))
    }

    /// The key is what to pin, and not its fingerprint: it tells its type, so that a server with several keys is asked
    /// for this one. The fingerprint is what the partner can be asked about.
    fn warn(&self, shown: &PublicKeyOrCertificate, fingerprint: &str) {
        let key = shown.public_key().to_openssh().unwrap_or_default();
        tracing::warn!(
            address = %self.address,
            fingerprint,
            metric = "HostKeyNotPinned",
            "the host key is not pinned: any server would be trusted; compare the fingerprint with what the partner \
             tells, and to pin this one, set SSH_HOST_KEY={key}",
        );
    }
}

/// An error inside russh's handshake.
#[derive(Debug)]
pub(super) enum HandshakeError {
    HostKey(Box<ConnectError>),
    Ssh(russh::Error),
}

impl HandshakeError {
    pub(super) fn at(self, address: SocketAddr) -> ConnectError {
        match self {
            Self::HostKey(error) => *error,
            Self::Ssh(source) => ssh(address, KEY_EXCHANGE, source),
        }
    }
}

impl From<russh::Error> for HandshakeError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl client::Handler for Client {
    type Error = HandshakeError;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let found = fingerprint(&shown.public_key());
        match &self.expected {
            Some(expected) => expected
                .check(shown, SystemTime::now())
                .map_err(|distrust| self.refused(shown, expected, distrust))?,
            None => self.warn(shown, &found),
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(true)
    }
}
