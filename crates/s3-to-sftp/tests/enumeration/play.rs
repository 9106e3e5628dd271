//! A case is played: its start, its events, every retry, and what must be in the end.

use std::sync::Arc;
use std::time::Duration;

use s3_to_sftp::receipt::Outcome;
use testkit::sftp::Operation;

use crate::event::Event;
use crate::ledger::Violation;
use crate::plan::{Plan, Step};
use crate::round::{Pace, Round, Trigger};
use crate::world::{Start, World};

/// What is played.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) start: Start,
    pub(crate) trigger: Trigger,
    pub(crate) steps: Vec<Step>,
    /// See [`Round`].
    pub(crate) is_strict: bool,
}

impl Case {
    pub(crate) fn new(start: Start, steps: &[Step]) -> Self {
        Self {
            start,
            trigger: Trigger::Queue,
            steps: steps.to_vec(),
            is_strict: false,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Played {
    /// Every event has happened.
    Whole,
    /// Everything was over before that.
    Short,
    /// The first invocation handed over before that: it may be otherwise the next time.
    Early,
}

/// No round takes longer, however busy the machine is.
const LONGEST: Duration = Duration::from_secs(100);

/// Plays `case` with the `number`th key of `world`.
pub(crate) async fn play(world: &World, case: &Case, number: usize) -> Result<Played, Violation> {
    let key = format!("f{number}");
    let round = Round::new(world, key, case.start, case.trigger, case.is_strict);
    let round = Arc::new(round);
    let playing = tokio::time::timeout(LONGEST, play_round(world, case, &round));
    let played = playing.await;
    world.s3.clear_hooks();
    world.server.clear_hooks();
    let played = played.unwrap_or_else(|_| Err(Violation("it hangs".to_owned())));
    played.map_err(|Violation(what)| Violation(format!("{what}, after\n    {}", round.history())))
}

async fn play_round(world: &World, case: &Case, round: &Arc<Round>) -> Result<Played, Violation> {
    prepare(world, case.start, round).await;
    let plan = Arc::new(Plan::new(round, &case.steps));
    listen(world, &plan);
    let hands_over = case.steps.iter().any(|step| step.event == Event::HandOver);
    let pace = if hands_over {
        Pace::Short
    } else {
        Pace::Enough
    };
    let mut is_early = false;
    if let Some(id) = round.next() {
        let first = round.receive(&id, pace).await;
        is_early =
            hands_over && !plan.has_handed_over() && matches!(first, Some(Outcome::Continued(..)));
    }
    // What is held longest may have begun a delivery of its own, with a message of its own: so once more. And the last
    // delivery may leave a connection behind whose requests are still on their way: nothing happens at those.
    for is_last in [false, false, true] {
        if is_last {
            plan.end();
        }
        round.release().await;
        plan.is_settled().await;
        round.release().await;
        round.drain().await?;
    }
    round.excuse_what_the_dead_have_left();
    round.ledger.finally()?;
    Ok(match (plan.is_over(), is_early) {
        (true, _) => Played::Whole,
        (false, true) => Played::Early,
        (false, false) => Played::Short,
    })
}

/// What earlier attempts have left.
async fn prepare(world: &World, start: Start, round: &Arc<Round>) {
    let (event, pace) = match start {
        Start::OwnPartial => (Event::KilledBefore, Pace::Enough),
        Start::HandedOver => (Event::HandOver, Pace::Short),
        Start::Nothing | Start::OlderFinal | Start::ForeignTemporary => {
            return;
        }
    };
    let plan = Arc::new(Plan::new(round, &[Step::new(event, 1)]));
    let hands_over = event == Event::HandOver;
    let (of_sftp, manner) = (Arc::clone(&plan), Arc::clone(round));
    world.server.hook(move |request| {
        if request.operation == Operation::Write && (hands_over || request.offset > 0) {
            return of_sftp.at_sftp(request);
        }
        manner.manner.action(request)
    });
    round.receive("put", pace).await;
    world.server.clear_hooks();
}

fn listen(world: &World, plan: &Arc<Plan>) {
    world.s3.clear_hooks();
    world.server.clear_hooks();
    let of_s3 = Arc::clone(plan);
    world.s3.hook(move |request| of_s3.at_s3(request));
    let of_sftp = Arc::clone(plan);
    world.server.hook(move |request| of_sftp.at_sftp(request));
}
