//! Pipelined writes to one handle under a window.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::extensions::DEFAULT_WRITE_LENGTH;
use crate::packet::{Attributes, Handle};
use crate::reply::Reply;
use crate::session::Session;

/// Bytes that may be written and not yet acknowledged. An OpenSSH server grants an SSH channel
/// 2 MiB (64 packets of 32 KiB); as much again is queued behind it, so that the channel never waits
/// for the source.
pub const WINDOW: usize = 4 * 1024 * 1024;

/// Writes that may be unacknowledged, however short a server wants them: each is remembered.
const MAX_IN_FLIGHT: usize = 1024;

/// Writes a file from its beginning on, in order, with as much in flight as the window allows.
///
/// The offset up to which everything has been acknowledged is the only thing known of the file at
/// the server: [`Self::acknowledged`].
#[derive(Debug)]
pub struct Upload<'a> {
    session: &'a Session,
    handle: Handle,
    window: usize,
    write_length: usize,
    /// Where the next write begins.
    offset: u64,
    /// All below has been acknowledged.
    acknowledged: u64,
    in_flight: VecDeque<(usize, Reply<()>)>,
    in_flight_bytes: usize,
    /// What the file's length has to be behind the first write, where that is a large one.
    first_large: Option<(u64, Reply<Attributes>)>,
    /// Pieces that do not fill a write yet.
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

impl<'a> Upload<'a> {
    /// Starts at offset 0 of an open file, with the server's limit for one write.
    pub async fn new(session: &'a Session, handle: Handle) -> Self {
        let write_length = session.limits().await.write_length as usize;
        Self {
            session,
            handle,
            window: WINDOW,
            write_length,
            offset: 0,
            acknowledged: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            first_large: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
        }
    }

    /// The same with another window, in bytes.
    pub fn with_window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// The handle that is written to.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Bytes from the beginning of the file that the server has acknowledged without a gap.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Queues `data` behind what was written before, and waits while the window is full. Pieces are
    /// gathered until they fill a write: sources come in whatever sizes their sockets had.
    ///
    /// # Errors
    ///
    /// A write that was refused, this one or an earlier one. The upload is over then.
    pub async fn write(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(self.write_length - self.gathered_bytes));
            self.gathered_bytes += piece.len();
            self.gathered.push(piece);
            if self.gathered_bytes == self.write_length {
                self.send_gathered().await?;
            }
        }
        Ok(())
    }

    /// Sends what is left and waits until everything is acknowledged.
    ///
    /// # Errors
    ///
    /// A write that was refused.
    pub async fn drain(&mut self) -> Result<()> {
        self.send_gathered().await?;
        while !self.in_flight.is_empty() {
            self.await_oldest().await?;
        }
        Ok(())
    }

    async fn send_gathered(&mut self) -> Result<()> {
        let length = self.gathered_bytes;
        if length == 0 {
            return Ok(());
        }
        while self.in_flight.len() >= MAX_IN_FLIGHT
            || (self.in_flight_bytes > 0 && self.in_flight_bytes + length > self.window)
        {
            self.await_oldest().await?;
        }
        self.gathered_bytes = 0;
        let pieces = std::mem::take(&mut self.gathered);
        let reply = self.session.write(&self.handle, self.offset, pieces);
        self.in_flight.push_back((length, reply));
        self.in_flight_bytes += length;
        if self.offset == 0 && length > DEFAULT_WRITE_LENGTH as usize {
            // Before the next write makes the file longer, and hides a hole behind this one.
            self.first_large = Some((length as u64, self.session.fstat(&self.handle)));
        }
        self.offset += length as u64;
        Ok(())
    }

    async fn await_oldest(&mut self) -> Result<()> {
        // The reply stays in the queue until it is there: a caller that is cancelled forgets none.
        let Some((length, reply)) = self.in_flight.front_mut() else {
            return Ok(());
        };
        let answer = reply.await;
        let length = *length;
        self.in_flight.pop_front();
        self.in_flight_bytes -= length;
        answer?;
        self.acknowledged += length as u64;
        self.check_first_large().await
    }

    /// Some servers store 32 KiB of a larger write and say OK (rclone#6404, Win32-OpenSSH#1395): holes,
    /// in a file whose length is right wherever its last write is short.
    async fn check_first_large(&mut self) -> Result<()> {
        let Some((sent, told)) = &mut self.first_large else {
            return Ok(());
        };
        let sent = *sent;
        let told = told.await;
        self.first_large = None;
        match told {
            Ok(Attributes {
                size: Some(stored), ..
            }) if stored < sent => {
                self.session.forget_limits().await;
                Err(Error::CutShort { sent, stored })
            }
            // A server that does not tell has every write acknowledged, and that is all.
            Ok(_) | Err(Error::Status(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
