//! Pipelined writes to one handle under a window.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::{Duration, Instant};

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

/// What is sent before the server's pace is known: a round trip's worth of a fast line, and half a
/// minute's of the slowest that anybody pays Lambda for (16 KiB/s).
const FIRST_WINDOW: usize = 512 * 1024;

/// Writes a file in order, with as much in flight as the window allows.
///
/// The offset up to which everything has been acknowledged is the only thing known of the file at
/// the server: [`Self::acknowledged`].
#[derive(Debug)]
pub struct Upload<'a> {
    session: &'a Session,
    handle: Handle,
    window: usize,
    /// How long what is in flight may take to be acknowledged, at the pace seen so far.
    drain_time: Option<Duration>,
    /// When the first write was sent.
    began: Option<Instant>,
    /// Bytes acknowledged since then.
    answered: u64,
    write_length: usize,
    /// Where the next write begins.
    offset: u64,
    /// All below has been acknowledged.
    acknowledged: u64,
    in_flight: VecDeque<(usize, Reply<()>)>,
    in_flight_bytes: usize,
    /// The file's length before the first write.
    length_before: u64,
    /// Whether writes begin behind the file's beginning.
    is_resumed: bool,
    /// Whether a large write has been seen to be stored whole.
    are_large_ones_checked: bool,
    /// What the file's length has to be behind a write.
    looking: Option<(u64, Reply<Attributes>)>,
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
            drain_time: None,
            began: None,
            answered: 0,
            write_length,
            offset: 0,
            acknowledged: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            length_before: 0,
            is_resumed: false,
            are_large_ones_checked: false,
            looking: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
        }
    }

    /// Writes from `offset` on to a file that is `length` bytes long, as the server told.
    pub async fn resume(session: &'a Session, handle: Handle, offset: u64, length: u64) -> Self {
        Self {
            offset,
            acknowledged: offset,
            length_before: length,
            is_resumed: offset > 0,
            ..Self::new(session, handle).await
        }
    }

    /// Keeps so little in flight that the server acknowledges it within `time`, by its pace so far: whoever
    /// has to stop at a moment cannot wait for 4 MiB on a slow line.
    pub fn with_drain_time(mut self, time: Duration) -> Self {
        self.drain_time = Some(time);
        self
    }

    /// The same with another window, in bytes.
    pub fn with_window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// Believes a server that says OK to the first large write, whatever it stored of it: for the tests that show
    /// what comes of that.
    pub fn believing_the_first_write(mut self) -> Self {
        self.are_large_ones_checked = true;
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
            let full = self.length_of_next();
            let room = full.saturating_sub(self.gathered_bytes);
            let piece = data.split_to(data.len().min(room));
            self.gathered_bytes += piece.len();
            self.gathered.push(piece);
            if self.gathered_bytes >= full {
                self.send_gathered().await?;
            }
        }
        Ok(())
    }

    /// Sends what is left. What is acknowledged of it, [`Self::drain`] tells.
    ///
    /// # Errors
    ///
    /// A write that was refused.
    pub async fn send_rest(&mut self) -> Result<()> {
        self.send_gathered().await
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
            || (self.in_flight_bytes > 0 && self.in_flight_bytes + length > self.window_now())
        {
            self.await_oldest().await?;
        }
        self.gathered_bytes = 0;
        let pieces = std::mem::take(&mut self.gathered);
        let is_first = self.began.is_none();
        self.began.get_or_insert_with(Instant::now);
        let reply = self.session.write(&self.handle, self.offset, pieces);
        self.in_flight.push_back((length, reply));
        self.in_flight_bytes += length;
        self.offset += length as u64;
        let is_first_large = length > DEFAULT_WRITE_LENGTH as usize && !self.are_large_ones_checked;
        let is_resuming = is_first && self.is_resumed;
        if (is_first_large || is_resuming) && self.looking.is_none() {
            // Before the next write makes the file longer, and hides a hole behind this one.
            self.looking = Some((self.offset, self.session.fstat(&self.handle)));
            self.are_large_ones_checked |= is_first_large;
        }
        if is_resuming {
            // Alone: a server that carries out writes side by side would show the next ones' length.
            while !self.in_flight.is_empty() {
                self.await_oldest().await?;
            }
        }
        Ok(())
    }

    /// Bytes of the next write. Where the file has been longer before, what a server stores of a large write
    /// cannot be seen, so it gets those that every server stores until it has shown what it does.
    fn length_of_next(&self) -> usize {
        if self.are_large_ones_checked || self.offset >= self.length_before {
            self.write_length
        } else {
            self.write_length.min(DEFAULT_WRITE_LENGTH as usize)
        }
    }

    /// The window, cut down to what the server acknowledges in the drain time at its pace so far.
    fn window_now(&self) -> usize {
        let Some(drain_time) = self.drain_time else {
            return self.window;
        };
        let elapsed = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        if self.answered == 0 || elapsed.is_zero() {
            return self.window.min(FIRST_WINDOW);
        }
        let bytes = u128::from(self.answered) * drain_time.as_nanos() / elapsed.as_nanos();
        usize::try_from(bytes)
            .unwrap_or(usize::MAX)
            .min(self.window)
            .max(self.write_length)
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
        self.answered += length as u64;
        self.look().await
    }

    /// Some servers store 32 KiB of a larger write and say OK (rclone#6404, Win32-OpenSSH#1395): holes,
    /// in a file whose length is right wherever its last write is short. Others append whatever the
    /// offset is (accounts that may only add), which shows where a file is gone on with.
    async fn look(&mut self) -> Result<()> {
        let Some((end, told)) = &mut self.looking else {
            return Ok(());
        };
        let end = *end;
        let told = told.await;
        self.looking = None;
        let stored = match told {
            Ok(Attributes {
                size: Some(stored), ..
            }) => stored,
            Ok(_) | Err(Error::Status(_)) => {
                self.session.forget_limits().await;
                return Err(Error::NotTold);
            }
            Err(error) => return Err(error),
        };
        if stored < end {
            self.session.forget_limits().await;
            return Err(Error::CutShort { sent: end, stored });
        }
        // Only the look behind the first write of a resumed file is alone, and can tell this.
        let is_alone = self.is_resumed && self.in_flight.is_empty();
        if is_alone && stored > end.max(self.length_before) {
            return Err(Error::Appended { end, stored });
        }
        Ok(())
    }
}
