//! The requests that are not answered yet, and when their silence becomes a stall.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::error::{Error, Result};
use crate::packet::{Incoming, Response};

/// The type of answer that a request gets besides a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Status,
    /// A status, of a request that moves or removes what has a name.
    Moved,
    Handle,
    Data,
    Names,
    Attributes,
    Extended,
}

impl Expected {
    fn fits(self, response: &Response) -> bool {
        match response {
            Response::Status(_) => true,
            Response::Handle(_) => self == Self::Handle,
            Response::Data(_) => self == Self::Data,
            Response::Names(_) => self == Self::Names,
            Response::Attributes(_) => self == Self::Attributes,
            Response::Extended(_) => self == Self::Extended,
        }
    }
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Something has to be answered within the stall time-out.
    Prompt,
    /// The server works: no limit from here.
    Long,
}

#[derive(Debug)]
struct Waiting {
    expected: Expected,
    patience: Patience,
    since: Instant,
    answer: oneshot::Sender<Result<Response>>,
}

#[derive(Debug)]
struct State {
    next_id: u32,
    /// In the order of their ids, which is the order in which they were sent.
    waiting: BTreeMap<u32, Waiting>,
    last_answer: Instant,
    /// The shortest time that an answer has taken.
    round_trip: Option<Duration>,
    ended: Option<Error>,
}

#[derive(Debug)]
pub(crate) struct Pending {
    stall_timeout: Duration,
    state: Mutex<State>,
    /// Told when the oldest request becomes another one, so that the stall is timed anew.
    changed: Notify,
}

impl Pending {
    pub(crate) fn new(stall_timeout: Duration) -> Self {
        Self {
            stall_timeout,
            state: Mutex::new(State {
                next_id: 0,
                waiting: BTreeMap::new(),
                last_answer: Instant::now(),
                round_trip: None,
                ended: None,
            }),
            changed: Notify::new(),
        }
    }

    /// Registers a request before it is sent. Without an id there is nothing to send: the session
    /// is over, and the answer says why.
    pub(crate) fn register(
        &self,
        expected: Expected,
        patience: Patience,
    ) -> (Option<u32>, oneshot::Receiver<Result<Response>>) {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.lock();
        if let Some(error) = &state.ended {
            // The receiver is right here, so this cannot fail.
            _ = answer.send(Err(error.clone()));
            return (None, receiver);
        }
        // Never an id that is still unanswered, even after four billion requests.
        let mut id = state.next_id;
        while state.waiting.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        state.next_id = id.wrapping_add(1);
        let first = state.waiting.is_empty();
        let since = Instant::now();
        state.waiting.insert(
            id,
            Waiting {
                expected,
                patience,
                since,
                answer,
            },
        );
        drop(state);
        if first {
            self.changed.notify_one();
        }
        (Some(id), receiver)
    }

    /// Hands an answer to whom it belongs. An answer that nobody waits for, or of the wrong type,
    /// means that both sides no longer talk of the same thing: the session has to end.
    pub(crate) fn answer(&self, incoming: Incoming) -> Result<()> {
        let Incoming::Answer(id, response) = incoming else {
            return Err(Error::protocol("a second version packet"));
        };
        let waiting = {
            let mut state = self.lock();
            let now = Instant::now();
            state.last_answer = now;
            let waiting = state.waiting.remove(&id);
            if let Some(waiting) = &waiting {
                let taken = now - waiting.since;
                state.round_trip = Some(state.round_trip.map_or(taken, |it| it.min(taken)));
            }
            waiting
        };
        let Some(waiting) = waiting else {
            return Err(Error::protocol(format!(
                "an answer to request {id}, which is not open"
            )));
        };
        if !waiting.expected.fits(&response) {
            let error = Error::protocol(format!(
                "an answer of the wrong type to request {id}, which asked for {:?}",
                waiting.expected
            ));
            // Whoever dropped the reply does not want to know.
            _ = waiting.answer.send(Err(error.clone()));
            return Err(error);
        }
        _ = waiting.answer.send(Ok(response));
        Ok(())
    }

    /// Ends the session: whoever waits, now or later, gets `error`. The first reason stays.
    pub(crate) fn end(&self, error: &Error) {
        let waiting = {
            let mut state = self.lock();
            if state.ended.is_none() {
                state.ended = Some(error.clone());
            }
            std::mem::take(&mut state.waiting)
        };
        for (_, request) in waiting {
            _ = request.answer.send(Err(error.clone()));
        }
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.lock().round_trip
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Whether the server may still move or remove a file for somebody who has given up waiting.
    pub(crate) fn may_move_unseen(&self) -> bool {
        let state = self.lock();
        let mut waiting = state.waiting.values();
        waiting.any(|it| it.expected == Expected::Moved && it.answer.is_closed())
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Returns when nothing has been answered for the stall time-out although something should
    /// have been.
    pub(crate) async fn stalled(&self) -> Duration {
        loop {
            let Some(deadline) = self.stall_deadline() else {
                self.changed.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(deadline) => {
                    if self.stall_deadline().is_some_and(|deadline| deadline <= Instant::now()) {
                        return self.stall_timeout;
                    }
                }
                () = self.changed.notified() => {}
            }
        }
    }

    /// When the silence counts as a stall. Servers answer in order, so a request behind one that
    /// makes the server work waits for that one.
    fn stall_deadline(&self) -> Option<Instant> {
        let state = self.lock();
        let (_, oldest) = state.waiting.first_key_value()?;
        match oldest.patience {
            Patience::Prompt => Some(state.last_answer.max(oldest.since) + self.stall_timeout),
            Patience::Long => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing below panics while it holds the lock; a panic elsewhere changes nothing here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
