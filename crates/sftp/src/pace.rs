//! How much may be on its way, where everything has to be acknowledged by a certain moment.

use tokio::time::{Duration, Instant};

/// What is sent before the server's pace is known: a round trip's worth of a fast line, and half a
/// minute's of the slowest that anybody pays Lambda for (16 KiB/s).
const FIRST_WINDOW: usize = 512 * 1024;

/// The pace at which a server acknowledges.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// How long what is in flight may take to be acknowledged.
    drain_time: Option<Duration>,
    /// When the first write was sent.
    began: Option<Instant>,
    /// Bytes acknowledged since then.
    answered: u64,
}

impl Pace {
    pub(crate) fn drained_within(time: Duration) -> Self {
        Self {
            drain_time: Some(time),
            ..Self::default()
        }
    }

    pub(crate) fn sent(&mut self) {
        self.began.get_or_insert_with(Instant::now);
    }

    pub(crate) fn answered(&mut self, length: usize) {
        self.answered += length as u64;
    }

    /// `window`, cut down to what the server acknowledges in the drain time at its pace so far; at least `least`.
    pub(crate) fn window(&self, window: usize, least: usize) -> usize {
        let Some(drain_time) = self.drain_time else {
            return window;
        };
        let elapsed = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        if self.answered == 0 || elapsed.is_zero() {
            return window.min(FIRST_WINDOW);
        }
        let bytes = u128::from(self.answered) * drain_time.as_nanos() / elapsed.as_nanos();
        usize::try_from(bytes)
            .unwrap_or(usize::MAX)
            .min(window)
            .max(least)
    }
}
