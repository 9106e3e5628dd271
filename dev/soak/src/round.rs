//! Carries one round out, and judges it.

use std::fs;
use std::time::{Duration, Instant};

use testkit::runtime_api::Outcome;
use testkit::s3::StoredVersion;

use crate::disturbance;
use crate::event::Event;
use crate::plan::{Disturbance, Patience, Round, Trigger};
use crate::report::Report;
use crate::witness::{self, Version, Versions, Witness};
use crate::world::{BUCKET, Function, World};

/// An event that is not acknowledged by then never is.
const MOST_ATTEMPTS: u32 = 12;

/// What a round is about.
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) trigger: Trigger,
    pub(crate) stored: StoredVersion,
    pub(crate) versions: Versions,
}

impl Object {
    fn put(world: &World, round: &Round) -> Self {
        let key = format!("round-{}.bin", round.number);
        let (offset, size) = (round.offset, round.size);
        let versions = Versions::default();
        versions.add(Version { offset, size });
        let stored = world.s3.put_generated_from(BUCKET, &key, offset, size);
        Self {
            key,
            trigger: round.trigger,
            stored,
            versions,
        }
    }

    /// What takes the object's place: other bytes, and now and then of the same size.
    pub(crate) fn successor(&self) -> Version {
        let Version { offset, size } = self.versions.newest();
        Version {
            offset: offset + 101,
            size: size - (offset % 3) * 1000,
        }
    }
}

/// How long a delivery takes that nobody disturbs.
pub(crate) async fn measure(world: &mut World, size: u64) -> Result<Duration, String> {
    let round = Round {
        number: u32::MAX,
        server: world.kind,
        trigger: Trigger::Direct,
        size,
        offset: 0,
        disturbances: Vec::new(),
        is_warm: false,
    };
    let mut report = Report::default();
    // Twice: the first one starts the process.
    for is_warm in [false, true] {
        let round = Round {
            is_warm,
            ..round.clone()
        };
        let began = Instant::now();
        carry_out(world, &round, &mut report).await?;
        if report.attempts > 2 {
            return Err("an undisturbed delivery failed".into());
        }
        if is_warm {
            return Ok(began.elapsed());
        }
    }
    Err("nothing was measured".into())
}

/// What came of it, in a few words; or what must not be.
pub(crate) async fn carry_out(
    world: &mut World,
    round: &Round,
    report: &mut Report,
) -> Result<String, String> {
    world.begin_round(round.is_warm);
    world.s3.forget_requests();
    let object = Object::put(world, round);
    let file = world.home().join(&object.key);
    let witness = Witness::start(
        file.clone(),
        &object.key,
        world.s3.store(),
        object.versions.clone(),
    );
    let carried_out = deliveries(world, round, &object, &witness, report).await;
    world.s3.clear_hooks();
    let seen = witness.end();
    report.looks += seen.looks;
    let attempts = match (carried_out, seen.violation) {
        (_, Some(violation)) | (Err(violation), None) => {
            count_loss(world, &object, report);
            return Err(violation);
        }
        (Ok(attempts), None) => attempts,
    };
    report.longest_recovery = report.longest_recovery.max(attempts);

    let newest = object.versions.newest();
    if let Err(violation) = witness::compare(&file, newest) {
        count_loss(world, &object, report);
        return Err(violation);
    }
    report.bytes_compared += newest.size;
    let mut told = format!("{attempts} deliveries");
    if world.s3.exists(BUCKET, &object.key) {
        let said = |log: String| {
            log.lines()
                .any(|line| line.contains("SourceNotDeleted") && line.contains(&object.key))
        };
        if !world.function_logs().any(said) {
            return Err("the file is there, and so is its source".into());
        }
        report.not_deleted += 1;
        told += ", source not deleted";
        world.s3.delete(BUCKET, &object.key);
    }
    let versions = u64::from(
        newest
            != Version {
                offset: round.offset,
                size: round.size,
            },
    );
    let duplicates = seen.published.saturating_sub(1 + versions);
    report.duplicates += duplicates;
    if duplicates > 0 {
        told += &format!(", {duplicates} duplicates");
    }
    told += &leftovers(world, round, &object, report)?;
    fs::remove_file(&file).map_err(|error| error.to_string())?;
    Ok(told)
}

/// Delivers until it is acknowledged: how many deliveries that took.
async fn deliveries(
    world: &mut World,
    round: &Round,
    object: &Object,
    witness: &Witness,
    report: &mut Report,
) -> Result<u32, String> {
    let mut event = Event::new(object.trigger, &object.key, &object.stored);
    let mut is_acknowledged = false;
    for disturbance in &round.disturbances {
        is_acknowledged =
            disturbance::attempt(world, disturbance, &mut event, object, report).await?;
        if let Some(violation) = witness.violation() {
            return Err(violation);
        }
        if is_acknowledged {
            break;
        }
    }
    if !is_acknowledged {
        until_acknowledged(world, &mut event, report).await?;
    }
    let newest = world.s3.stored(BUCKET, &object.key);
    if let Some(newest) = newest.filter(|newest| newest.etag != object.stored.etag) {
        // It has an event of its own.
        let mut event = Event::new(object.trigger, &object.key, &newest);
        until_acknowledged(world, &mut event, report).await?;
    }
    Ok(event.deliveries)
}

/// Delivers an event, which nobody disturbs any more, until it is acknowledged.
pub(crate) async fn until_acknowledged(
    world: &mut World,
    event: &mut Event,
    report: &mut Report,
) -> Result<(), String> {
    let mut last = None;
    while event.deliveries < MOST_ATTEMPTS {
        let attempt = world.begin(event.next()).await;
        report.attempts += 1;
        let outcome = joined(attempt.outcome.await);
        no_children(&attempt.function)?;
        if event.is_acknowledged_by(&outcome) {
            return Ok(());
        }
        last = Some(outcome);
    }
    Err(format!(
        "not acknowledged after {} deliveries: {last:?}",
        event.deliveries
    ))
}

pub(crate) fn joined(outcome: Result<Outcome, tokio::task::JoinError>) -> Outcome {
    outcome.expect("an invocation has an outcome")
}

pub(crate) fn no_children(function: &Function) -> Result<(), String> {
    match &function.process.process().children()[..] {
        [] => Ok(()),
        children => Err(format!("the function has started processes: {children:?}")),
    }
}

fn count_loss(world: &World, object: &Object, report: &mut Report) {
    let newest = object.versions.newest();
    let file = world.home().join(&object.key);
    if !world.s3.exists(BUCKET, &object.key) && witness::compare(&file, newest).is_err() {
        report.bytes_lost += newest.size;
    }
}

/// What is on the server beside the file. Only what a process left that nobody came after may be there, by the pattern of
/// `s3-to-sftp clean`.
fn leftovers(
    world: &World,
    round: &Round,
    object: &Object,
    report: &mut Report,
) -> Result<String, String> {
    let (temporaries, others) =
        witness::leftovers(&world.home(), &object.key).map_err(|error| error.to_string())?;
    if !others.is_empty() {
        return Err(format!(
            "the server holds what nobody put there: {others:?}"
        ));
    }
    if temporaries.is_empty() {
        return Ok(String::new());
    }
    if !may_leave(round) && !world.known.temporaries {
        return Err(format!("temporaries are left: {temporaries:?}"));
    }
    for name in &temporaries {
        fs::remove_file(world.home().join(name)).map_err(|error| error.to_string())?;
        report.temporaries += 1;
    }
    Ok(format!(", {} temporaries left", temporaries.len()))
}

/// Whether a process of this round lost its connection for good while another delivered: nothing of its chain comes after
/// it that would know its temporary.
fn may_leave(round: &Round) -> bool {
    round
        .disturbances
        .iter()
        .any(|disturbance| match disturbance {
            Disturbance::Freeze { patience, .. } => *patience != Patience::Endless,
            _ => false,
        })
}
