//! Who else is at work: other deliveries, and the users of the bucket.

use std::sync::Arc;

use testkit::sftp::{Action, Operation, Request};
use tokio::sync::watch;

use super::{Beside, Plan, Reached};
use crate::event::{Actor, After, Event, Held, Twins, is_before_the_look};
use crate::round::Pace;

impl Held {
    /// A request that is held until `others` are over.
    pub(super) fn behind(self, others: impl Future<Output = ()> + Send + 'static) -> Action {
        match self {
            Self::Before => Action::Wait(Box::pin(others)),
            Self::Answer => Action::WaitAfter(Box::pin(others)),
            Self::Frozen => Action::Freeze(Box::pin(others)),
        }
    }
}

/// A request is held by another delivery, until this is dropped.
pub(super) struct Busy(Arc<Plan>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}

impl Plan {
    pub(super) fn holds(self: &Arc<Self>) -> Busy {
        self.busy.send_modify(|busy| *busy += 1);
        Busy(Arc::clone(self))
    }

    /// No request is held any more: not every one has a client that waits for its answer.
    pub(crate) async fn is_settled(&self) {
        _ = self.busy.subscribe().wait_for(|busy| *busy == 0).await;
    }

    /// Another delivery, from its beginning to its end.
    pub(super) fn whole(
        self: &Arc<Self>,
        actor: Actor,
        is_before: bool,
    ) -> impl Future<Output = ()> + Send + 'static {
        let plan = Arc::clone(self);
        let id = plan.arrives(actor);
        let busy = plan.holds();
        let mut state = plan.lock();
        state.held += usize::from(!is_before);
        state.wholes += 1;
        drop(state);
        async move {
            if let Some(id) = id {
                plan.round.receive(&id, Pace::Unkillable).await;
            }
            let mut state = plan.lock();
            state.held -= usize::from(!is_before);
            state.wholes -= 1;
            drop(state);
            drop(busy);
        }
    }

    /// Another delivery begins; ready when it is held where it shall be.
    pub(super) fn beside(
        self: &Arc<Self>,
        actor: Actor,
        operation: Operation,
        after: After,
    ) -> impl Future<Output = ()> + Send + 'static {
        let plan = Arc::clone(self);
        let id = plan.arrives(actor);
        let reached = Arc::new(watch::Sender::new(Reached::Nothing));
        let mut state = plan.lock();
        state.beside = Some(Beside {
            above: state.connections,
            operation,
            after,
            reached: Arc::clone(&reached),
        });
        drop(state);
        let round = Arc::clone(&plan.round);
        let busy = plan.holds();
        async move {
            let Some(id) = id else { return };
            let ended = plan;
            let (mut here, mut held) = (reached.subscribe(), reached.subscribe());
            let (reached_by, over) = (reached, round.is_over());
            // Not before it is held: the first attempt may be over earlier, and a death anywhere is another event.
            let over = async move {
                _ = held.wait_for(|held| *held >= Reached::Hold).await;
                over.await;
            };
            let working = Arc::clone(&round);
            let task = tokio::spawn(async move {
                let delivering = working.receive(&id, Pace::Unkillable);
                match after {
                    After::GoesOn => _ = delivering.await,
                    After::Dies => tokio::select! {
                        biased;
                        () = over => working.died(&id),
                        _ = delivering => {}
                    },
                }
                // It never came so far: the next connection is somebody else's.
                let is_this = |beside: &mut Beside| Arc::ptr_eq(&beside.reached, &reached_by);
                ended.lock().beside.take_if(is_this);
                reached_by.send_replace(Reached::End);
            });
            round.beside(task);
            _ = here.wait_for(|here| *here >= Reached::Hold).await;
            drop(busy);
        }
    }

    /// Two other deliveries of the same event; ready when neither goes on before the first attempt does.
    pub(super) fn twins(
        self: &Arc<Self>,
        twins: Twins,
        is_before: bool,
    ) -> impl Future<Output = ()> + Send + 'static {
        let plan = Arc::clone(self);
        let busy = plan.holds();
        plan.lock().held += usize::from(!is_before);
        async move {
            let beside = |operation| plan.beside(Actor::Twin, operation, After::GoesOn);
            let whole = || plan.whole(Actor::Twin, is_before);
            match twins {
                // One after the other: which connection is whose is told by their order.
                Twins::Beside(first, second) => {
                    beside(first).await;
                    beside(second).await;
                }
                Twins::Among(operation, _) => {
                    beside(operation).await;
                    whole().await;
                }
                Twins::Whole(_) => _ = tokio::join!(whole(), whole()),
            }
            plan.lock().held -= usize::from(!is_before);
            drop(busy);
        }
    }

    pub(super) fn hold_beside(&self, request: &Request) -> Option<Action> {
        let mut state = self.lock();
        state.connections = state.connections.max(request.connection);
        let is_it = state.beside.as_ref().is_some_and(|beside| {
            let is_rename = matches!(
                (beside.operation, request.operation),
                (Operation::Rename, Operation::PosixRename)
            );
            request.connection > beside.above
                && (request.operation == beside.operation || is_rename)
        });
        let beside = state.beside.take_if(|_| is_it)?;
        let is_before = is_before_the_look(request);
        state.held += usize::from(!is_before);
        drop(state);
        beside.reached.send_replace(Reached::Hold);
        Some(match beside.after {
            After::GoesOn => Action::Wait(Box::pin(self.round.is_over())),
            // When it is dead, and not before: its thread may be slower than all that this sets going.
            After::Dies => {
                let mut reached = beside.reached.subscribe();
                Action::Wait(Box::pin(async move {
                    _ = reached.wait_for(|reached| *reached == Reached::End).await;
                }))
            }
        })
    }

    /// The message of another environment.
    fn arrives(&self, actor: Actor) -> Option<String> {
        let round = &self.round;
        match actor {
            Actor::Twin => {
                // Each is another message: the retries of a request never overlap.
                let mut state = self.lock();
                state.twins += 1;
                let id = format!("twin {}", state.twins);
                drop(state);
                round.post(&id, None);
                Some(id)
            }
            Actor::Retry => round.working(),
            Actor::Newer => Some(self.put_other()),
        }
    }

    fn put_other(&self) -> String {
        let ledger = &self.round.ledger;
        let number = ledger.versions() + 1;
        ledger.put(ledger.contents.other(number), false);
        let id = format!("put {number}");
        self.round.post(&id, None);
        id
    }

    pub(super) fn user_acts(&self, event: Event) {
        let ledger = &self.round.ledger;
        match event {
            Event::OtherContent => _ = self.put_other(),
            Event::SameContent => {
                ledger.consume();
                ledger.put(ledger.contents.first.clone(), true);
                let id = format!("put {}", ledger.versions());
                self.round.post(&id, None);
            }
            Event::Deleted => ledger.delete(),
            _ => {}
        }
    }
}
