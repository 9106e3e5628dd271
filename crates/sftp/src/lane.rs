//! One channel that writes to a file, through a handle of its own.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::packet::Handle;
use crate::reply::Reply;
use crate::session::Session;

/// Writes that may be unacknowledged on one channel, however short a server wants them: each is remembered.
const MAX_IN_FLIGHT: usize = 1024;

/// The session of a lane: that of the file's first handle is its owner's, further ones are shared.
#[derive(Debug)]
pub(crate) enum Held<'a> {
    First(&'a Session),
    Further(Arc<Session>),
}

impl Deref for Held<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        match self {
            Self::First(session) => session,
            Self::Further(session) => session,
        }
    }
}

/// Bytes that belong at an offset.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) offset: u64,
    pub(crate) pieces: Vec<Bytes>,
}

impl Block {
    pub(crate) fn length(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

#[derive(Debug)]
struct InFlight {
    offset: u64,
    length: usize,
    /// Kept until the answer, where another lane may have to write them; none of the first lane.
    pieces: Vec<Bytes>,
    reply: Reply<()>,
}

/// What a lane was told of its oldest write.
#[derive(Debug)]
pub(crate) enum Answer {
    Stored {
        offset: u64,
        length: usize,
    },
    /// The channel is gone, and the others can have this.
    Returned(Vec<Block>),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lane<'a> {
    pub(crate) session: Held<'a>,
    pub(crate) handle: Handle,
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    is_gone: bool,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(session: Held<'a>, handle: Handle) -> Self {
        Self {
            session,
            handle,
            in_flight: VecDeque::new(),
            bytes: 0,
            is_gone: false,
        }
    }

    /// Whether it can write at all.
    pub(crate) fn is_there(&self) -> bool {
        !self.is_gone
    }

    /// Bytes sent and not acknowledged.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether `length` more bytes may be on their way, of at most `window`.
    pub(crate) fn has_room(&self, length: usize, window: usize) -> bool {
        self.is_there()
            && self.in_flight.len() < MAX_IN_FLIGHT
            && (self.bytes == 0 || self.bytes + length <= window)
    }

    pub(crate) fn write(&mut self, block: Block) {
        let length = block.length();
        let pieces = match self.session {
            Held::First(_) => Vec::new(),
            Held::Further(_) => block.pieces.clone(),
        };
        let reply = self.session.write(&self.handle, block.offset, block.pieces);
        self.bytes += length;
        self.in_flight.push_back(InFlight {
            offset: block.offset,
            length,
            pieces,
            reply,
        });
    }

    /// The answer to the oldest write; pending where there is none. Whoever stops polling forgets no write.
    ///
    /// # Errors
    ///
    /// A refused write; and, on the file's first channel, its end.
    pub(crate) fn poll_oldest(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer>> {
        let Some(oldest) = self.in_flight.front_mut() else {
            return Poll::Pending;
        };
        let answer = match std::pin::Pin::new(&mut oldest.reply).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(answer) => answer,
        };
        match (answer, &self.session) {
            (Err(error @ Error::Status(_)), _) | (Err(error), Held::First(_)) => {
                self.in_flight.pop_front();
                Poll::Ready(Err(error))
            }
            (Err(_), Held::Further(_)) => {
                self.is_gone = true;
                self.bytes = 0;
                let rest = self.in_flight.drain(..).map(|it| Block {
                    offset: it.offset,
                    pieces: it.pieces,
                });
                Poll::Ready(Ok(Answer::Returned(rest.collect())))
            }
            (Ok(()), _) => {
                let (offset, length) = (oldest.offset, oldest.length);
                self.in_flight.pop_front();
                self.bytes -= length;
                Poll::Ready(Ok(Answer::Stored { offset, length }))
            }
        }
    }
}
