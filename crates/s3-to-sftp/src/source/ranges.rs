//! Reading ahead: several ranges of a large object at once, where one connection to S3 is what holds
//! the transfer back.
//!
//! An economy, never a condition: whatever goes wrong with a range, but that the object is another
//! one, the bytes are read by one stream as before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::error::SourceError;
use super::pinned::Pinned;
use super::range::Range;

const MIB: u64 = 1024 * 1024;

/// So many ranges at once in the beginning, and at most.
const FEW: usize = 2;
const MANY: usize = 8;

/// How far a body is read ahead of whoever takes its bytes, and from when on.
#[derive(Debug, Clone, Copy)]
pub struct ReadAhead {
    /// At most so many bytes are asked for by range and not yet taken: all of them may be in memory.
    pub budget: u64,
    /// The length of a range. A budget that is smaller allows for one all the same.
    pub range: u64,
    /// Less than this left is not worth another connection.
    pub least: u64,
    /// Whether S3 holds the transfer back is seen by this many bytes. None: nobody looks, it does.
    pub trial: Option<u64>,
    /// A range that brings nothing for so long, while others do, is asked for once more.
    pub patience: Duration,
}

impl ReadAhead {
    /// What fits a function with so much memory: a sixteenth, from 8 to 32 MiB; 32 where nobody says.
    ///
    /// A range is an eighth of it, so that eight fit. Longer ones would be fewer, and each waits for
    /// its first byte as long as 4 MiB take to come behind it.
    pub fn within(memory: Option<u64>) -> Self {
        const LEAST: u64 = 8 * MIB;
        const MOST: u64 = 32 * MIB;
        let budget = memory.map_or(MOST, |memory| (memory / 16).clamp(LEAST, MOST));
        Self {
            budget,
            range: (budget / MANY as u64).max(2 * MIB),
            least: 16 * MIB,
            trial: Some(16 * MIB),
            patience: Duration::from_secs(5),
        }
    }
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self::within(None)
    }
}

/// The ranges that are asked for, in order.
#[derive(Debug)]
pub(super) struct Ranges {
    pinned: Arc<Pinned>,
    limits: ReadAhead,
    /// Since the first byte was wanted: before, connecting takes the time.
    pace: Option<Pace>,
    /// At most so many; 0 where one stream is enough.
    at_once: usize,
    /// Where the next one begins.
    next: u64,
    open: VecDeque<Range>,
    is_given_up: bool,
}

impl Ranges {
    pub(super) fn new(pinned: Arc<Pinned>, limits: ReadAhead) -> Self {
        Self {
            pinned,
            limits: ReadAhead {
                range: limits.range.max(1),
                ..limits
            },
            pace: None,
            at_once: 0,
            next: 0,
            open: VecDeque::new(),
            is_given_up: false,
        }
    }

    /// Gives up what is asked for: the next bytes are others.
    pub(super) fn reset(&mut self) {
        self.open.clear();
        self.at_once = 0;
        self.pace = None;
    }

    /// Gives it up for good.
    pub(super) fn give_up(&mut self) {
        self.reset();
        self.is_given_up = true;
    }

    /// Sees to it that ranges are asked for where that helps; bytes are taken up to `offset`. The
    /// object may be known to have parts of a size.
    pub(super) fn fill(&mut self, offset: u64, part: Option<u64>) {
        if self.is_given_up {
            return;
        }
        let size = self.pinned.version.size;
        let grid = Grid::new(self.limits.range, part);
        let is_held_back = match self.limits.trial {
            None => true,
            Some(trial) => {
                let stretch = trial.max(self.at_once as u64 * self.limits.range);
                let now = Instant::now();
                let pace = self.pace.get_or_insert_with(|| Pace::new(now));
                pace.is_held_back(stretch, now)
            }
        };
        if is_held_back {
            if self.at_once > 0 {
                self.at_once = (self.at_once * 2).min(MANY);
            } else if size - offset > self.limits.least {
                self.at_once = FEW;
                // The stream brings what is before, meanwhile.
                self.next = grid.end(grid.end(offset));
            }
        }
        // What has been taken otherwise; no more than a chunk reaches into a range.
        while self
            .open
            .pop_front_if(|range| range.end() <= offset)
            .is_some()
        {}
        // Memory is granted by range and in order, for as long as it takes: none that is ahead of
        // another ever waits for it.
        let fit = usize::try_from(self.limits.budget / self.limits.range).unwrap_or(MANY);
        while self.open.len() < self.at_once.min(fit.max(1)) && self.next < size {
            let end = grid.end(self.next).min(size);
            if end > offset {
                let range = Range::ask(Arc::clone(&self.pinned), self.next, end);
                self.open.push_back(range);
            }
            self.next = end;
        }
    }

    /// Whether the byte at `offset` is one of a range.
    pub(super) fn has(&self, offset: u64) -> bool {
        self.open
            .front()
            .is_some_and(|range| range.offset() <= offset)
    }

    /// The bytes from `offset` on, as they come. May be dropped and called again.
    pub(super) async fn next(&mut self, offset: u64) -> Result<Bytes, SourceError> {
        /// How often the head of the line is looked at, in a patience.
        const LOOKS: u32 = 20;
        while let Some(head) = self.open.front_mut() {
            let at = head.offset();
            let Ok(received) = timeout(self.limits.patience / LOOKS, head.next()).await else {
                self.hurry();
                continue;
            };
            let mut bytes = received?;
            // The stream may have brought the beginning.
            let known = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
            let bytes = bytes.split_off(known.min(bytes.len()));
            if !bytes.is_empty() {
                return Ok(bytes);
            }
        }
        Err(SourceError::Other("no range is asked for".into()))
    }

    /// The first one is waited for: whether another connection may be faster.
    fn hurry(&mut self) {
        let patience = self.limits.patience;
        let mut ranges = self.open.iter();
        let is_slow = ranges
            .next()
            .is_some_and(|head| head.is_slow(ranges, patience));
        if is_slow && let Some(head) = self.open.front_mut() {
            head.ask_once_more();
        }
    }

    /// So many bytes were waited for so long.
    pub(super) fn waited(&mut self, bytes: usize, time: Duration) {
        if let Some(pace) = &mut self.pace {
            pace.bytes += bytes as u64;
            pace.waited += time;
        }
    }
}

/// Where ranges begin and end.
#[derive(Debug, Clone, Copy)]
struct Grid {
    /// A whole number of ranges, the last one of them shorter perhaps.
    part: u64,
    range: u64,
}

impl Grid {
    /// S3 is quickest where no range reaches over two parts; tiny parts are not worth that.
    fn new(range: u64, part: Option<u64>) -> Self {
        match part.filter(|part| *part >= range / 2) {
            Some(part) => Self {
                part,
                range: part.div_ceil(part.div_ceil(range)),
            },
            None => Self { part: range, range },
        }
    }

    /// The first boundary behind `at`.
    fn end(self, at: u64) -> u64 {
        let start = at / self.part * self.part;
        let inside = ((at - start) / self.range + 1) * self.range;
        start + inside.min(self.part)
    }
}

/// Whether S3 holds the transfer back, or the server does.
#[derive(Debug)]
struct Pace {
    since: Instant,
    bytes: u64,
    /// Time in which bytes were waited for. A wait that was broken off is not counted, and so speaks
    /// against reading ahead.
    waited: Duration,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            bytes: 0,
            waited: Duration::ZERO,
        }
    }

    /// Judges each `stretch` of bytes: more time was spent waiting for them than with them.
    fn is_held_back(&mut self, stretch: u64, now: Instant) -> bool {
        if self.bytes < stretch {
            return false;
        }
        let spent = now.saturating_duration_since(self.since);
        let is_held_back = self.waited > spent.saturating_sub(self.waited);
        *self = Self::new(now);
        is_held_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_with_parts() {
        for (range, part, ends) in [
            (4, None, vec![4, 8, 12, 16]),
            (4, Some(8), vec![4, 8, 12, 16]),
            // In equal pieces, not 4 and 1.
            (4, Some(5), vec![3, 5, 8, 10, 13]),
            (4, Some(3), vec![3, 6, 9, 12]),
            (4, Some(1), vec![4, 8, 12]),
        ] {
            let grid = Grid::new(range, part);
            let mut at = 0;
            for end in ends {
                assert_eq!(grid.end(at), end, "{range} {part:?} {at}");
                assert_eq!(grid.end(end - 1), end, "{range} {part:?} {at}");
                at = end;
            }
        }
    }

    #[test]
    fn what_waits_longer_than_it_works_is_held_back() {
        let second = Duration::from_secs(1);
        for (waited, held_back) in [(0, false), (5, false), (6, true), (10, true)] {
            let begun = Instant::now();
            let mut pace = Pace::new(begun);
            let now = begun + second * 10;
            pace.bytes = 99;
            pace.waited = second * waited;
            assert!(!pace.is_held_back(100, now), "too early to say");
            pace.bytes = 100;
            assert_eq!(pace.is_held_back(100, now), held_back, "{waited}");
            assert!(!pace.is_held_back(100, now), "begun anew");
        }
    }

    #[test]
    fn the_budget_is_a_part_of_the_memory() {
        for (memory, budget, range) in [
            (None, 32, 4),
            (Some(64), 8, 2),
            (Some(128), 8, 2),
            (Some(256), 16, 2),
            (Some(512), 32, 4),
            (Some(10_240), 32, 4),
        ] {
            let it = ReadAhead::within(memory.map(|memory| memory * MIB));
            assert_eq!(
                (it.budget, it.range),
                (budget * MIB, range * MIB),
                "{memory:?}"
            );
        }
    }
}
