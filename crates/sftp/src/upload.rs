//! Pipelined writes to one file under a window, through one channel or several.
//!
//! A server grants an SSH channel about 2 MiB, so that one channel moves 2 MiB in a round trip, whatever the
//! bandwidth. Several of them, each with a handle of its own on the same file, move so much each.
//!
//! What is known of the file at the server is the offset up to which everything has been acknowledged, whichever
//! channel brought it: [`Upload::acknowledged`].

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use tokio::time::Duration;

use crate::error::{Error, Result};
use crate::extensions::DEFAULT_WRITE_LENGTH;
use crate::frontier::Frontier;
use crate::lane::{Answer, Block, Held, Lane};
use crate::pace::Pace;
use crate::packet::{Attributes, Handle, OpenFlags};
use crate::reply::Reply;
use crate::session::Session;

/// Bytes that may be written and not yet acknowledged on one channel. An OpenSSH server grants an SSH channel
/// 2 MiB (64 packets of 32 KiB); as much again is queued behind it, so that the channel never waits
/// for the source.
pub const WINDOW: usize = 4 * 1024 * 1024;

/// The same for a server that answers at once: more only fills its buffers. OpenSSH's grow by being copied: a profile of
/// its first 0.15 s shows page faults and memmove. 1 GiB over loopback takes 2.2 s so, and 2.7 s with [`WINDOW`] (medians of six).
const NEAR_WINDOW: usize = 1024 * 1024;

/// The line that is to be kept full, in bytes a second.
const LINE: u128 = 1024 * 1024 * 1024;

/// Writes a file in order, with as much in flight as the window allows.
#[derive(Debug)]
pub struct Upload<'a> {
    /// The first one is that of the handle that the file was opened by; it does not go away.
    lanes: Vec<Lane<'a>>,
    window: usize,
    /// On one channel, by the round trip.
    most_in_flight: usize,
    channel_window: usize,
    pace: Pace,
    write_length: usize,
    /// Where the next write begins.
    offset: u64,
    frontier: Frontier,
    /// What a channel that is gone had not acknowledged.
    returned: VecDeque<Block>,
    /// The file's length before the first write.
    length_before: u64,
    /// Whether writes begin behind the file's beginning.
    is_resumed: bool,
    has_begun: bool,
    /// Whether a write waits for the answer to the one before.
    is_one_at_a_time: bool,
    /// Whether one has not.
    were_together: bool,
    /// Whether a write had to wait for the window.
    has_waited: bool,
    /// Whether a large write has been seen to be stored whole.
    are_large_ones_checked: bool,
    /// What the file's length has to be behind a write.
    looking: Option<(u64, Reply<Attributes>)>,
    sight: Sight,
    are_channels_believed: bool,
    /// Pieces that do not fill a write yet.
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

/// Whether the first handle sees what another one writes. Until it is seen to, nothing is written by the first:
/// its own writes would make the file as long.
#[derive(Debug)]
enum Sight {
    /// There is no other one, or it has been seen.
    Clear,
    /// The first write of another one is not acknowledged yet.
    Unproven,
    /// The first handle's file has to be this long.
    Asked(u64, Reply<Attributes>),
}

impl<'a> Upload<'a> {
    /// Starts at offset 0 of an open file, with the server's limit for one write.
    pub async fn new(session: &'a Session, handle: Handle) -> Self {
        let write_length = session.limits().await.write_length as usize;
        let most_in_flight = most_in_flight(session.round_trip());
        Self {
            lanes: vec![Lane::new(Held::First(session), handle)],
            window: WINDOW,
            most_in_flight,
            channel_window: most_in_flight,
            pace: Pace::default(),
            write_length,
            offset: 0,
            frontier: Frontier::default(),
            returned: VecDeque::new(),
            length_before: 0,
            is_resumed: false,
            has_begun: false,
            is_one_at_a_time: false,
            were_together: false,
            has_waited: false,
            are_large_ones_checked: false,
            looking: None,
            sight: Sight::Clear,
            are_channels_believed: false,
            gathered: Vec::new(),
            gathered_bytes: 0,
        }
    }

    /// Writes from `offset` on to a file that is `length` bytes long, as the server told.
    pub async fn resume(session: &'a Session, handle: Handle, offset: u64, length: u64) -> Self {
        Self {
            offset,
            frontier: Frontier::at(offset),
            length_before: length,
            is_resumed: offset > 0,
            ..Self::new(session, handle).await
        }
    }

    /// Keeps so little in flight that the server acknowledges it within `time`, by its pace so far: whoever
    /// has to stop at a moment cannot wait for 4 MiB on a slow line.
    pub fn with_drain_time(mut self, time: Duration) -> Self {
        self.pace = Pace::drained_within(time);
        self
    }

    /// The same with another window, in bytes, for all channels together. None of them has more than [`WINDOW`].
    pub fn with_window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// Sends no write before the one before is answered, for servers that refuse it.
    pub fn one_at_a_time(mut self) -> Self {
        self.is_one_at_a_time = true;
        self
    }

    /// Believes a server that says OK to the first large write, whatever it stored of it: for the tests that show
    /// what comes of that.
    pub fn believing_the_first_write(mut self) -> Self {
        self.are_large_ones_checked = true;
        self
    }

    /// Believes that all handles are of one file: for the same tests.
    pub fn believing_all_channels(mut self) -> Self {
        self.are_channels_believed = true;
        self
    }

    /// The handle that the file was opened by.
    pub fn handle(&self) -> &Handle {
        &self.lanes[0].handle
    }

    /// Bytes from the beginning of the file that the server has acknowledged without a gap.
    pub fn acknowledged(&self) -> u64 {
        self.frontier.acknowledged()
    }

    /// Whether a write of a new file may have been refused because of others: some were sent together, and no window of
    /// them is acknowledged yet.
    pub fn may_suffer_from_others(&self) -> bool {
        let is_at_its_beginning = self.acknowledged() < self.channel_window as u64;
        self.were_together && !self.is_resumed && !self.is_wide() && is_at_its_beginning
    }

    /// Channels that write to the file.
    pub fn channels(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.is_there()).count()
    }

    /// Whether others than the first have joined: what follows on that one is then in no order with their writes.
    pub fn is_wide(&self) -> bool {
        self.lanes.len() > 1
    }

    /// Whether the window has held the source back, and further channels can join: what the server makes of a
    /// large write is known.
    pub fn could_be_wider(&self) -> bool {
        let is_trusted =
            self.are_large_ones_checked || self.write_length <= DEFAULT_WRITE_LENGTH as usize;
        self.has_waited && is_trusted && self.looking.is_none() && self.lanes.len() == 1
    }

    /// Queues no more on the first channel than a server takes in a round trip, since further ones are on their way:
    /// they have to wait for all that is queued.
    pub fn expect_others(&mut self) {
        self.channel_window = self.most_in_flight.min(WINDOW / 2);
    }

    /// Has further channels of the same connection write to the file `path` as well. What is on its way is waited
    /// for first. A channel that may not open the file is left aside.
    ///
    /// # Errors
    ///
    /// [`Error::NotShared`]: opening the file once more has cut it. Otherwise a write that was refused.
    pub async fn widen(&mut self, sessions: Vec<Arc<Session>>, path: &str) -> Result<()> {
        self.channel_window = self.most_in_flight;
        if sessions.is_empty() {
            return Ok(());
        }
        while self.is_busy() {
            self.settle().await?;
        }
        // Of each channel in one flight: nobody writes until all answers are in, so that a server that truncates
        // on every OPEN shows it.
        let opened: Vec<_> = sessions
            .iter()
            .map(|session| {
                let open = session.open(path, OpenFlags::WRITE, Attributes::default());
                (open, session.stat(path))
            })
            .collect();
        let (mut further, mut is_cut) = (Vec::new(), false);
        for (session, (open, stat)) in sessions.into_iter().zip(opened) {
            let (open, stat) = (open.await, stat.await);
            let Ok(handle) = open else { continue };
            let told = stat.ok().and_then(|it| it.size);
            is_cut |= told.is_none_or(|told| told < self.acknowledged());
            further.push(Lane::new(Held::Further(session), handle));
        }
        // All at once: who stops waiting above leaves no lane that is not looked after.
        if !further.is_empty() && !self.are_channels_believed {
            self.sight = Sight::Unproven;
        }
        self.lanes.extend(further);
        if is_cut && !self.are_channels_believed {
            Err(Error::NotShared)
        } else {
            Ok(())
        }
    }

    /// Closes all handles, whatever is on its way: for a file that is given up.
    pub fn close(&self) -> Vec<Reply<()>> {
        let lanes = self.lanes.iter().filter(|lane| lane.is_there());
        lanes.map(|lane| lane.session.close(&lane.handle)).collect()
    }

    /// Closes all handles but the first one's, when everything is acknowledged. Each answer counts: servers report
    /// late write errors there, for each handle.
    pub fn narrow(&mut self) -> Vec<Reply<()>> {
        let further = self.lanes.drain(1..).filter(Lane::is_there);
        further
            .map(|lane| lane.session.close(&lane.handle))
            .collect()
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
        loop {
            self.send_returned().await?;
            if !self.is_busy() {
                return Ok(());
            }
            self.settle().await?;
        }
    }

    async fn send_gathered(&mut self) -> Result<()> {
        let length = self.gathered_bytes;
        if length == 0 {
            return Ok(());
        }
        self.send_returned().await?;
        let lane = self.lane_with_room(length).await?;
        self.gathered_bytes = 0;
        let pieces = std::mem::take(&mut self.gathered);
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        self.pace.sent();
        let offset = self.offset;
        self.were_together |= self.lanes[lane].bytes() > 0;
        self.lanes[lane].write(Block { offset, pieces });
        self.offset += length as u64;
        let is_first_large = length > DEFAULT_WRITE_LENGTH as usize && !self.are_large_ones_checked;
        self.are_large_ones_checked |= is_first_large;
        if is_first && self.is_resumed || is_first_large && !self.is_in_order() {
            // Alone, and behind its answer: a server that carries requests out side by side would show the length
            // of before, or that of the next ones.
            while self.is_busy() {
                self.settle().await?;
            }
            self.looking = Some((self.offset, self.fstat()));
            self.look().await?;
        } else if is_first_large {
            // Before the next write makes the file longer, and hides a hole behind this one.
            self.looking = Some((self.offset, self.fstat()));
        }
        Ok(())
    }

    /// Whether requests are carried out in the order in which they are sent.
    fn is_in_order(&self) -> bool {
        let first = &self.lanes[0];
        first.session.extensions().are_those_of_openssh()
    }

    /// By the first handle.
    fn fstat(&self) -> Reply<Attributes> {
        let first = &self.lanes[0];
        first.session.fstat(&first.handle)
    }

    /// Writes what a channel that is gone has left.
    async fn send_returned(&mut self) -> Result<()> {
        while let Some(length) = self.returned.front().map(Block::length) {
            let lane = self.lane_with_room(length).await?;
            if let Some(block) = self.returned.pop_front() {
                self.lanes[lane].write(block);
            }
        }
        Ok(())
    }

    /// The lane that has least on its way, when one has room for `length` bytes.
    async fn lane_with_room(&mut self, length: usize) -> Result<usize> {
        loop {
            if let Some(lane) = self.free_lane(length) {
                return Ok(lane);
            }
            self.has_waited = true;
            self.settle().await?;
        }
    }

    fn free_lane(&self, length: usize) -> Option<usize> {
        let window = self.pace.window(self.window, self.write_length);
        let in_flight: usize = self.lanes.iter().map(Lane::bytes).sum();
        if in_flight > 0 && (self.is_one_at_a_time || in_flight + length > window) {
            return None;
        }
        let others = self.lanes[1..].iter().any(Lane::is_there);
        let is_first_held = others && !matches!(self.sight, Sight::Clear);
        let lanes = self
            .lanes
            .iter()
            .enumerate()
            .skip(usize::from(is_first_held));
        lanes
            .filter(|(_, lane)| lane.has_room(length, self.channel_window))
            .min_by_key(|(_, lane)| lane.bytes())
            .map(|(number, _)| number)
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

    fn is_busy(&self) -> bool {
        self.lanes.iter().any(|lane| lane.bytes() > 0) || matches!(self.sight, Sight::Asked(..))
    }

    /// Waits for one answer, of whichever channel. Whoever stops waiting forgets none.
    async fn settle(&mut self) -> Result<()> {
        let (lane, answer) = poll_fn(|context| {
            if let Sight::Asked(end, told) = &mut self.sight
                && let Poll::Ready(told) = Pin::new(told).poll(context)
            {
                let end = *end;
                self.sight = Sight::Clear;
                return Poll::Ready(seen(end, told).map(|()| (0, None)));
            }
            for (number, lane) in self.lanes.iter_mut().enumerate() {
                if let Poll::Ready(answer) = lane.poll_oldest(context) {
                    return Poll::Ready(answer.map(|answer| (number, Some(answer))));
                }
            }
            Poll::Pending
        })
        .await?;
        match answer {
            None => {}
            Some(Answer::Returned(blocks)) => self.returned.extend(blocks),
            Some(Answer::Stored { offset, length }) => {
                self.frontier.pass(offset, length as u64);
                self.pace.answered(length);
                if lane > 0 && matches!(self.sight, Sight::Unproven) {
                    self.sight = Sight::Asked(offset + length as u64, self.fstat());
                }
            }
        }
        self.look().await
    }

    /// Some servers store the beginning of a larger write and say OK (ssh2-sftp-client#531): holes,
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
                self.lanes[0].session.forget_limits().await;
                return Err(Error::NotTold);
            }
            Err(error) => return Err(error),
        };
        if stored < end {
            self.lanes[0].session.forget_limits().await;
            return Err(Error::CutShort { sent: end, stored });
        }
        // Only the look behind the first write of a resumed file is alone, and can tell this.
        let is_alone = self.is_resumed && !self.is_busy();
        if is_alone && stored > end.max(self.length_before) {
            return Err(Error::Appended { end, stored });
        }
        Ok(())
    }
}

/// Homes that are no file system give each handle a copy of its own, and keep that of the last CLOSE.
fn seen(end: u64, told: Result<Attributes>) -> Result<()> {
    match told {
        Ok(told) if told.size.is_some_and(|size| size >= end) => Ok(()),
        Ok(_) | Err(Error::Status(_)) => Err(Error::NotShared),
        Err(error) => Err(error),
    }
}

/// Bytes that keep the line full.
fn most_in_flight(round_trip: Option<Duration>) -> usize {
    let Some(round_trip) = round_trip else {
        return WINDOW;
    };
    let on_its_way = usize::try_from(round_trip.as_micros() * LINE / 1_000_000);
    on_its_way.map_or(WINDOW, |bytes| (NEAR_WINDOW + bytes).min(WINDOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_server_has_less_before_it() {
        let at = |micros| most_in_flight(Some(Duration::from_micros(micros))) / 1024;
        assert_eq!([at(0), at(1000), at(2000)], [1024, 2072, 3121]);
        assert_eq!([at(3000), at(100_000)], [4096, 4096]);
        assert_eq!(most_in_flight(None), WINDOW);
    }
}
