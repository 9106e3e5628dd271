//! Pipelined reads of one file, in order: what a server has stored is looked at again.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::error::Result;
use crate::packet::Handle;
use crate::reply::Reply;
use crate::session::Session;

/// Bytes that may be asked for and not yet there: what OpenSSH's client grants a server on one channel.
const WINDOW: u64 = 2 * 1024 * 1024;

/// Reads a range of a file, with as much under way as the window allows.
#[derive(Debug)]
pub struct Readback<'a> {
    session: &'a Session,
    handle: Handle,
    read_length: u64,
    /// Where the next READ begins.
    asked: u64,
    /// Where what [`Self::next`] hands out next begins.
    offset: u64,
    end: u64,
    /// Length, answer.
    in_flight: VecDeque<(u64, Reply<Option<Bytes>>)>,
}

impl<'a> Readback<'a> {
    /// Reads from `offset` up to `end` of an open file.
    pub async fn new(session: &'a Session, handle: Handle, offset: u64, end: u64) -> Self {
        let read_length = u64::from(session.limits().await.read_length);
        Self {
            session,
            handle,
            read_length,
            asked: offset,
            offset,
            end,
            in_flight: VecDeque::new(),
        }
    }

    /// The handle that is read from.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where what comes next begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next bytes in order; none at the end of the range, or of the file where that is shorter.
    ///
    /// # Errors
    ///
    /// A READ that was refused.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.ask();
        // The reply stays in the queue until it is there: a caller that is cancelled loses none.
        let Some((wanted, reply)) = self.in_flight.front_mut() else {
            return Ok(None);
        };
        let wanted = *wanted;
        let answer = reply.await;
        self.in_flight.pop_front();
        let Some(mut data) = answer?.filter(|data| !data.is_empty()) else {
            // The file is shorter than its range. What was asked for behind it is not waited for.
            self.end = self.offset;
            self.in_flight.clear();
            return Ok(None);
        };
        // Nobody may answer more than was asked for; whoever does gets it cut.
        data.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        let length = data.len() as u64;
        self.offset += length;
        if length < wanted {
            // Short answers are allowed anywhere (draft section 6.4): the rest is asked for again, first.
            let rest = wanted - length;
            let reply = self
                .session
                .read(&self.handle, self.offset, length_of(rest));
            self.in_flight.push_front((rest, reply));
        }
        Ok(Some(data))
    }

    fn ask(&mut self) {
        while self.asked < self.end && self.asked - self.offset < WINDOW {
            let length = self.read_length.min(self.end - self.asked);
            let reply = self
                .session
                .read(&self.handle, self.asked, length_of(length));
            self.in_flight.push_back((length, reply));
            self.asked += length;
        }
    }
}

/// Never cut: no READ is longer than the server's limit, which is a `u32`.
fn length_of(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
