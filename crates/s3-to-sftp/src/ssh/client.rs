//! What russh asks of us while it connects, and tells us.

use std::net::SocketAddr;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, Names};

use super::algorithms::nothing_in_common;
use super::connection::Target;
use super::error::{ConnectError, KEY_EXCHANGE, ssh};
use super::farewell::Farewell;
use super::host_key::{Pinned, fingerprint};
use super::seen::{HostKey, Seen};
use super::trust::{judge, warn_unpinned};

/// The handler of one connection.
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) expected: Option<Pinned>,
    /// Whether somebody asked, who is told without a warning.
    pub(super) is_asked: bool,
    pub(super) seen: Seen,
}

/// An error inside russh's handshake.
#[derive(Debug)]
pub(super) enum HandshakeError {
    HostKey(Box<ConnectError>),
    Ssh(russh::Error),
}

impl HandshakeError {
    pub(super) fn at(
        self,
        address: SocketAddr,
        target: &Target,
        farewell: &Farewell,
    ) -> ConnectError {
        let source = match self {
            Self::HostKey(error) => return *error,
            Self::Ssh(source) => source,
        };
        match (source, farewell.said()) {
            (russh::Error::NoCommonAlgo { kind, ours, theirs }, _) => {
                nothing_in_common(address, kind, &ours, &theirs)
            }
            (russh::Error::KexInit, _) => ConnectError::KeyExchange {
                address,
                smallest_group: target.algorithms.smallest_group(),
            },
            (russh::Error::Disconnect, Some(said)) => ConnectError::Ended {
                address,
                step: KEY_EXCHANGE,
                said,
            },
            (source, _) => ssh(address, KEY_EXCHANGE, source),
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
        let expected = self.expected.as_ref();
        judge(self.address, expected, shown)
            .map_err(|error| HandshakeError::HostKey(Box::new(error)))?;
        let key = shown.public_key();
        *self.seen.host_key() = HostKey {
            fingerprint: fingerprint(&key),
            line: key.to_openssh().unwrap_or_default(),
        };
        if expected.is_none() && !self.is_asked {
            warn_unpinned(self.address, &self.seen.host_key());
        }
        Ok(true)
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &Names,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.seen.agreed(self.address, names);
        Ok(())
    }

    // Nothing is forwarded here, so nobody asked for what a server opens a channel for. Dropping the handle refuses it;
    // without these, russh accepts each and keeps it.

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.seen.farewell.hear(&info);
                Ok(())
            }
            DisconnectReason::Error(error) => {
                if let HandshakeError::Ssh(error) = &error {
                    self.seen.farewell.broke(error);
                }
                Err(error)
            }
        }
    }
}
