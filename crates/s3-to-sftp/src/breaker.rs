//! A destination that failed is left alone for a while: partners lock accounts, and OpenSSH 9.8 shuts out
//! addresses that fail too often (`PerSourcePenalties`).
//!
//! Measured by the wall clock: an environment is frozen between its invocations, and the monotonic clock
//! stands still then.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::error::{Error, Verdict, VerdictKind};

/// The first pause.
const FIRST: Duration = Duration::from_secs(60);
/// The longest: what OpenSSH's penalties take at most is 10 minutes.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What is remembered of a destination for as long as the process lives.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The last pause, doubled by the next failure.
    pause: Option<Duration>,
    failure: Option<Failure>,
}

/// Why a destination is not tried.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    until: SystemTime,
    pub(crate) report: String,
    pub(crate) verdict: Verdict,
    pub(crate) name: &'static str,
}

impl Breaker {
    /// The failure for which the destination is left alone at `now`.
    pub(crate) fn failure(&self, now: SystemTime) -> Option<Failure> {
        let state = self.lock();
        let failure = state.failure.as_ref()?;
        // A clock that was set back must not make the pause longer than it can be.
        let left = failure.until.duration_since(now).ok()?;
        (left <= LONGEST).then(|| failure.clone())
    }

    /// How long it is left alone from `now` on.
    pub(crate) fn left(&self, now: SystemTime) -> Option<Duration> {
        let failure = self.failure(now)?;
        failure.until.duration_since(now).ok()
    }

    /// The destination failed.
    pub(crate) fn failed(&self, now: SystemTime, error: &Error) {
        let mut state = self.lock();
        let pause = state.pause.map_or(FIRST, |pause| (pause * 2).min(LONGEST));
        state.pause = Some(pause);
        state.failure = Some(Failure {
            until: now + pause,
            report: error.report(),
            // It was not asked: whether it would refuse again is not known.
            verdict: Verdict {
                kind: VerdictKind::Retry,
                ..error.verdict()
            },
            name: error.name(),
        });
    }

    /// It works.
    pub(crate) fn connected(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Cause, Stage};

    fn error() -> Error {
        Error {
            stage: Stage::Connect,
            object: None,
            cause: Cause::Deadline,
        }
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour_and_end_with_a_connection() {
        let breaker = Breaker::default();
        let mut now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for pause in [60, 120, 240, 480, 900, 900] {
            breaker.failed(now, &error());
            now += Duration::from_secs(pause - 1);
            assert!(breaker.failure(now).is_some(), "{pause} s");
            assert_eq!(breaker.left(now), Some(Duration::from_secs(1)));
            now += Duration::from_secs(2);
            assert!(breaker.failure(now).is_none(), "{pause} s");
        }
        breaker.connected();
        breaker.failed(now, &error());
        assert!(breaker.failure(now + Duration::from_secs(61)).is_none());
    }

    #[test]
    fn a_clock_that_was_set_back_ends_the_pause() {
        let breaker = Breaker::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        breaker.failed(now, &error());
        assert!(
            breaker
                .failure(now - Duration::from_secs(100_000))
                .is_none()
        );
    }
}
