//! A schedule of events, and the hooks that make them happen.

mod others;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use testkit::s3::{Action as S3Action, Request as S3Request};
use testkit::sftp::{Action, Operation, Request, status};
use tokio::sync::watch;

use self::others::Busy;
use crate::event::{Actor, After, Event, Held, Twins, is_before_the_look};
use crate::round::Round;

/// An event, and when it happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) event: Event,
    /// At which of the requests that it can happen at, counted from the event before it.
    pub(crate) at: usize,
    /// The only requests that count.
    pub(crate) only: Option<Operation>,
}

impl Step {
    pub(crate) fn new(event: Event, at: usize) -> Self {
        Self {
            event,
            at,
            only: None,
        }
    }

    /// At a request of one operation.
    #[cfg(feature = "take-out-rules")]
    pub(crate) fn on(event: Event, operation: Operation, at: usize) -> Self {
        Self {
            event,
            at,
            only: Some(operation),
        }
    }
}

/// See the module.
pub(crate) struct Plan {
    round: Arc<Round>,
    steps: Vec<Step>,
    state: Mutex<State>,
    /// How many requests are held by other deliveries.
    busy: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// How many have happened.
    happened: usize,
    /// Requests since then that the next one could happen at.
    seen: usize,
    /// Nothing happens any more.
    has_ended: bool,
    /// Requests that are held, and have their last look behind them.
    held: usize,
    /// Whole deliveries beside the first one, which no event kills: their requests are not its own.
    wholes: usize,
    /// The connections so far.
    connections: u64,
    beside: Option<Beside>,
    /// How many twins there were.
    twins: usize,
    /// The connection whose CLOSE is refused.
    refuses_close: Option<u64>,
    /// No connection up to this one has survived the server's going down.
    down_below: u64,
}

/// How far a delivery is that is to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Reached {
    Nothing,
    Hold,
    End,
}

/// A delivery that is to be held at an operation.
struct Beside {
    /// Its connection is the first one above this.
    above: u64,
    operation: Operation,
    after: After,
    reached: Arc<watch::Sender<Reached>>,
}

impl Plan {
    pub(crate) fn new(round: &Arc<Round>, steps: &[Step]) -> Self {
        Self {
            round: Arc::clone(round),
            steps: steps.to_vec(),
            state: Mutex::default(),
            busy: watch::Sender::new(0),
        }
    }

    /// Whether an invocation was made to hand over.
    pub(crate) fn has_handed_over(&self) -> bool {
        let happened = self.lock().happened;
        let mut steps = self.steps.iter().take(happened);
        steps.any(|step| step.event == Event::HandOver)
    }

    /// What has not happened does not happen any more: nobody would deliver what it puts.
    pub(crate) fn end(&self) {
        self.lock().has_ended = true;
    }

    /// Whether everything has happened.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().happened == self.steps.len()
    }

    pub(crate) fn at_sftp(self: &Arc<Self>, request: &Request) -> Action {
        let round = &self.round;
        round.ledger.watch();
        if request.connection <= self.lock().down_below {
            return Action::Disconnect;
        }
        if let Some(action) = self.hold_beside(request) {
            return Action::Both(Box::new(action), Box::new(round.manner.action(request)));
        }
        let is_before = is_before_the_look(request);
        let event = self.next(|step, state| {
            let event = step.event;
            let size = round.ledger.contents.first.len();
            // What was handed over on a server that cannot sync is believed: nothing else would ever end.
            let is_lost = matches!(event, Event::Reboot(_))
                && !round.kind.guise.has_fsync()
                && round.has_handed_over();
            !is_lost
                && step.only.is_none_or(|only| only == request.operation)
                && event.is_for_sftp(request, size)
                && self.is_promised(event, state, is_before)
                && (event != Event::ForeignFinal || self.may_appear(request))
        });
        let Some((event, _busy)) = event else {
            if request.operation == Operation::Close
                && self.lock().refuses_close == Some(request.connection)
            {
                return Action::refuse(status::FAILURE);
            }
            return round.manner.action(request);
        };
        let removes_old = request.operation == Operation::Remove
            && request
                .path
                .as_deref()
                .is_some_and(|path| path.ends_with(".old.part"));
        if event.cuts() && event != Event::Refused {
            round.ledger.cut();
        }
        if event.cuts() && removes_old {
            round
                .ledger
                .excuse_aside("its removal was the very last request");
        }
        if event == Event::Refused && request.operation == Operation::Remove {
            round.ledger.excuse("its removal was refused", None);
        }
        self.happen(event, request, is_before)
    }

    fn happen(self: &Arc<Self>, event: Event, request: &Request, is_before: bool) -> Action {
        let round = &self.round;
        let ledger = &round.ledger;
        let when = match event {
            Event::CutBefore => return Action::Disconnect,
            Event::CutAfter => Action::DisconnectAfter,
            Event::KilledBefore => {
                round.kill.notify_one();
                return Action::Disconnect;
            }
            Event::KilledAfter => {
                round.kill.notify_one();
                Action::DisconnectAfter
            }
            Event::Refused => return Action::refuse(status::FAILURE),
            Event::Reboot(left) => {
                round.manner.reboot(&ledger.temporaries(), left);
                let mut state = self.lock();
                state.down_below = state.connections;
                return Action::Disconnect;
            }
            Event::Cleaned | Event::CleanedAndCut => {
                for name in ledger.temporaries() {
                    _ = std::fs::remove_file(ledger.home.join(name));
                }
                if event == Event::CleanedAndCut {
                    return Action::Disconnect;
                }
                Action::Pass
            }
            Event::LastWriteLost => return Action::AcknowledgeOnly,
            Event::ToldAtClose => {
                self.lock().refuses_close = Some(request.connection);
                return Action::AcknowledgeOnly;
            }
            Event::HandOver => match round.stop() {
                Some(stop) => Action::Wait(Box::pin(async move {
                    tokio::time::sleep_until(stop + Duration::from_millis(5)).await;
                })),
                None => Action::Pass,
            },
            Event::Whole(actor, held) => held.behind(self.whole(actor, is_before)),
            Event::Twins(twins) => {
                let others = self.twins(twins, is_before);
                match twins {
                    Twins::Beside(..) => Held::Before.behind(others),
                    Twins::Among(_, held) | Twins::Whole(held) => held.behind(others),
                }
            }
            Event::Beside(actor, operation, after) => {
                Action::Wait(Box::pin(self.beside(actor, operation, after)))
            }
            Event::SlowAndNewer => {
                let plan = Arc::clone(self);
                Action::Wait(Box::pin(async move {
                    // The look is on its way beside this request, and arrives later on a busy machine: it shall
                    // see the object as it was, and be older than 2 s.
                    tokio::time::sleep(Duration::from_millis(2500)).await;
                    plan.whole(Actor::Newer, true).await;
                }))
            }
            Event::ForeignFinal => {
                ledger.appears();
                Action::Pass
            }
            _ => {
                self.user_acts(event);
                Action::Pass
            }
        };
        Action::Both(Box::new(when), Box::new(round.manner.action(request)))
    }

    pub(crate) fn at_s3(self: &Arc<Self>, request: &S3Request) -> S3Action {
        self.round.ledger.watch();
        let operation = request.operation.as_str();
        // Everything is read, or nothing is: a look that is held here answers what is there then.
        let is_before = operation != "DeleteObject";
        let ignores = self.round.kind.bucket == crate::world::Bucket::IgnoresIfMatch;
        let event = self.next(|step, state| {
            let event = step.event;
            step.only.is_none()
                && event.is_for_s3(operation)
                && !(event.puts() && ignores && !is_before)
                && self.is_promised(event, state, true)
        });
        let (event, _busy) = event.unzip();
        match event {
            None => S3Action::Pass,
            Some(Event::S3AnswerLost) => S3Action::LoseAnswer,
            Some(Event::Corrupted) => S3Action::Corrupt { offset: 12_345 },
            Some(Event::KilledBefore) => {
                self.round.kill.notify_one();
                S3Action::Fail {
                    status: 500,
                    code: "InternalError",
                    message: "the client is gone",
                }
            }
            Some(Event::KilledAfter) => {
                self.round.kill.notify_one();
                S3Action::LoseAnswer
            }
            Some(Event::Whole(actor, _)) => S3Action::hold(self.whole(actor, is_before)),
            Some(event) => {
                self.user_acts(event);
                S3Action::Pass
            }
        }
    }

    /// Whether what follows is promised: a newer version that lives between a last look and its rename is
    /// not, and where a held request has its look behind it, that may be now.
    fn is_promised(&self, event: Event, state: &State, is_before: bool) -> bool {
        let delivers_newer = matches!(event, Event::Whole(Actor::Newer, _))
            || (event.delivers() && self.round.ledger.versions() > 1);
        // Behind the look of a delivery that is on its way to be held: it would be held with a look of before.
        let is_held = state.held > 0 || (state.beside.is_some() && !is_before);
        !(delivers_newer && (!is_before || state.held > 0)) && !(event.puts() && is_held)
    }

    /// Whether somebody else's file may appear. Where the final name is written to, not over what is ours there:
    /// that is its owner's choice; and where EXCL is no lock, not between the look and the OPEN, which is the one
    /// point that is best effort.
    fn may_appear(&self, request: &Request) -> bool {
        let (kind, ledger) = (self.round.kind, &self.round.ledger);
        let is_race =
            kind.guise == crate::world::Guise::IgnoresExcl && request.operation == Operation::Open;
        !kind.is_direct() || (ledger.file(&ledger.key).is_none() && !is_race)
    }

    /// The event that happens at a request that this says it can happen at. It counts as held until the event is under
    /// way: what a user puts takes a moment.
    fn next(self: &Arc<Self>, can: impl FnOnce(Step, &State) -> bool) -> Option<(Event, Busy)> {
        let mut state = self.lock();
        let step = *self
            .steps
            .get(state.happened)
            .filter(|_| !state.has_ended)?;
        let event = step.event;
        let is_late = event == Event::HandOver && self.round.stop().is_none();
        let is_alone = matches!(
            event,
            Event::Whole(Actor::Retry, _) | Event::Beside(Actor::Retry, ..)
        ) && (self.round.working().is_none()
            || self.round.trigger == crate::round::Trigger::Direct);
        let is_of_another = event.kills() && state.wholes > 0;
        if is_late || is_alone || is_of_another || !can(step, &state) {
            return None;
        }
        state.seen += 1;
        if state.seen < step.at {
            return None;
        }
        state.seen = 0;
        state.happened += 1;
        Some((event, self.holds()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
