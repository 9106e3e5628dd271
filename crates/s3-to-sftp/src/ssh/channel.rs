//! An SSH channel as a transport of the SFTP client. Payloads pass as [`Bytes`], uncopied.

use std::io;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use sftp::transport::{Receive, Transmit};

use super::farewell::Farewell;

/// The reading half. The SFTP session's reader drains it all the time: a channel that nobody reads
/// blocks the whole connection in russh.
pub(super) struct Incoming(pub(super) ChannelReadHalf, pub(super) Farewell);

/// The writing half; it waits for the channel's window.
pub(super) struct Outgoing(pub(super) ChannelWriteHalf<Msg>, pub(super) Farewell);

/// The server refused to start its SFTP subsystem on the channel.
#[derive(Debug, thiserror::Error)]
#[error("the server has no SFTP subsystem for this account")]
pub(super) struct SubsystemRefused;

impl Receive for Incoming {
    async fn receive(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.0.wait().await {
                Some(ChannelMsg::Data { data }) => return Ok(Some(data)),
                Some(ChannelMsg::Failure) => return Err(io::Error::other(SubsystemRefused)),
                Some(ChannelMsg::Eof | ChannelMsg::Close) => return Ok(None),
                // Of the connection, which may have broken.
                None => return self.1.error().map_or(Ok(None), Err),
                // The server's standard error, exit status and the like.
                Some(_) => {}
            }
        }
    }
}

impl Transmit for Outgoing {
    async fn transmit(&mut self, bytes: Bytes) -> io::Result<()> {
        let sent = self.0.data_bytes(bytes).await;
        sent.map_err(|error| self.1.error().unwrap_or_else(|| io::Error::other(error)))
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
