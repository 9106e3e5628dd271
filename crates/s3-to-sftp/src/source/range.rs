//! One range of an object, read ahead by a task of its own; asked for once more where that is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::error::SourceError;
use super::pinned::Pinned;
use super::stream::Stream;

/// A range on its way. Dropped, it is given up.
#[derive(Debug)]
pub(super) struct Range {
    /// Of the next byte that is not taken.
    at: u64,
    end: u64,
    /// Has no bound of its own: the range is one, and its memory is granted before it is asked for.
    bytes: UnboundedReceiver<Result<Bytes, SourceError>>,
    progress: Arc<Progress>,
    /// None where it has been asked for once more.
    once_more: Option<Arc<Notify>>,
    /// Holds the one task, and aborts it when dropped.
    _task: JoinSet<()>,
}

/// How far a range has come, taken or not.
#[derive(Debug)]
struct Progress {
    begun: Instant,
    received: AtomicU64,
    /// Microseconds from the beginning to the last byte so far.
    last: AtomicU64,
}

impl Range {
    /// Asks for the bytes from `start` to before `end`.
    pub(super) fn ask(pinned: Arc<Pinned>, start: u64, end: u64) -> Self {
        let (sender, bytes) = unbounded_channel();
        let progress = Arc::new(Progress {
            begun: Instant::now(),
            received: AtomicU64::new(0),
            last: AtomicU64::new(0),
        });
        let once_more = Arc::new(Notify::new());
        let fetch = Fetch {
            pinned,
            at: start,
            end,
            sender,
            progress: Arc::clone(&progress),
            once_more: Arc::clone(&once_more),
        };
        let mut task = JoinSet::new();
        task.spawn(fetch.run());
        Self {
            at: start,
            end,
            bytes,
            progress,
            once_more: Some(once_more),
            _task: task,
        }
    }

    /// Of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.at
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The next bytes in order, up to the range's end. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Bytes, SourceError> {
        match self.bytes.recv().await {
            Some(Ok(bytes)) => {
                self.at += bytes.len() as u64;
                Ok(bytes)
            }
            Some(Err(error)) => Err(error),
            None => Err(SourceError::Other("the range's task ended early".into())),
        }
    }

    /// Asks for what is missing once more; whichever brings it sooner counts. Not a third time.
    pub(super) fn ask_once_more(&mut self) {
        if let Some(once_more) = self.once_more.take() {
            tracing::warn!(
                offset = self.at,
                "a range of the object is slow: asked for once more"
            );
            once_more.notify_one();
        }
    }

    /// Whether asking once more promises something: nothing came for as long as `patience`, although
    /// others got on; or it is far behind their pace.
    pub(super) fn is_slow<'a>(
        &self,
        others: impl Iterator<Item = &'a Self>,
        patience: Duration,
    ) -> bool {
        /// So much slower than the median of the others.
        const FACTOR: u128 = 8;
        /// A pace is one only after this part of the patience.
        const PACE_AFTER: u32 = 5;
        if self.once_more.is_none() {
            return false;
        }
        let progress = &self.progress;
        let last = progress.last_byte();
        let mut paces = Vec::new();
        let mut get_on = false;
        for other in others.map(|other| &other.progress) {
            get_on |= other.last_byte() > last;
            paces.extend(other.pace(other.last_byte()));
        }
        if get_on && last.elapsed() >= patience {
            return true;
        }
        paces.sort_unstable();
        let Some(median) = paces.get(paces.len() / 2) else {
            return false;
        };
        let pace = progress.pace(Instant::now()).unwrap_or(0);
        progress.begun.elapsed() >= patience / PACE_AFTER && pace < median / FACTOR
    }
}

impl Progress {
    fn pass(&self, bytes: usize) {
        let last = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.last.store(last, Ordering::Relaxed);
    }

    fn last_byte(&self) -> Instant {
        self.begun + Duration::from_micros(self.last.load(Ordering::Relaxed))
    }

    /// Bytes per second until `now`; none where there is none yet.
    fn pace(&self, now: Instant) -> Option<u128> {
        let received = u128::from(self.received.load(Ordering::Relaxed));
        let time = now.saturating_duration_since(self.begun).as_micros().max(1);
        (received > 0).then(|| received * 1_000_000 / time)
    }
}

/// The task.
#[derive(Debug)]
struct Fetch {
    pinned: Arc<Pinned>,
    at: u64,
    end: u64,
    sender: UnboundedSender<Result<Bytes, SourceError>>,
    progress: Arc<Progress>,
    once_more: Arc<Notify>,
}

/// One of the at most two streams that a range is read by.
struct Lane {
    stream: Stream,
    is_second: bool,
}

impl Lane {
    /// Gives itself back, so that no step has to be begun anew when the other lane is faster.
    async fn step(mut self) -> (Self, Result<Bytes, SourceError>) {
        let result = self.stream.next().await;
        (self, result)
    }
}

impl Fetch {
    async fn run(mut self) {
        let mut lanes = FuturesUnordered::new();
        lanes.push(self.lane(false).step());
        while self.at < self.end {
            let next = tokio::select! {
                // None is never there: a lane that ends, ends the task or leaves the other one.
                Some(next) = lanes.next() => next,
                () = self.once_more.notified() => {
                    lanes.push(self.lane(true).step());
                    continue;
                }
            };
            match next {
                (lane, Ok(bytes)) => {
                    if self.pass(&lane.stream, bytes) && lane.is_second {
                        // The faster one wins.
                        lanes.clear();
                    }
                    if lane.stream.offset() < self.end {
                        lanes.push(lane.step());
                    }
                }
                // The other one may do better, but not with an object that is another one.
                (_, Err(error)) => {
                    if lanes.is_empty() || error.is_of_the_object() {
                        _ = self.sender.send(Err(error));
                        return;
                    }
                }
            }
        }
    }

    fn lane(&self, is_second: bool) -> Lane {
        Lane {
            stream: Stream::new(Arc::clone(&self.pinned), self.at, Some(self.end)),
            is_second,
        }
    }

    /// Passes on what of these bytes, the last ones of `stream`, the other lane has not brought. False
    /// if that is nothing.
    fn pass(&mut self, stream: &Stream, mut bytes: Bytes) -> bool {
        let new = stream.offset().saturating_sub(self.at);
        let known = (bytes.len() as u64).saturating_sub(new);
        let bytes = bytes.split_off(usize::try_from(known).unwrap_or(usize::MAX));
        if bytes.is_empty() {
            return false;
        }
        self.at += bytes.len() as u64;
        self.progress.pass(bytes.len());
        // Its own copy: a chunk keeps the whole buffer that the connection read it into, which may be
        // several times as large, and the budget is one of memory.
        let bytes = Bytes::copy_from_slice(&bytes);
        // Nobody there: the range was dropped, and this task is about to be aborted.
        _ = self.sender.send(Ok(bytes));
        true
    }
}
