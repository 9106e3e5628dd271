//! The function as a process, between an S3 that fails and servers that crash, until it has been killed often enough.
//!
//! A round is one object and its event, which is delivered again until it is acknowledged, as Lambda or a queue does.
//! Something happens meanwhile, at a moment that the seed chose. Whether an attempt fails does not matter; what is under
//! the final name does, at every moment, and what is left at the end.
//!
//! # Layout
//!
//! | module | idea |
//! |---|---|
//! | [`plan`] | what happens in which round: follows from the seed alone |
//! | [`world`] | the S3, the server, the line between, and the function's processes |
//! | `event` | one event, and its deliveries |
//! | `round` | carries one round out |
//! | `disturbance` | what happens in the midst of an attempt |
//! | `witness` | the invariants: looks all the time, and compares everything at the end |
//! | [`report`] | the figures |
//! | `random` | numbers from a seed |

mod disturbance;
mod event;
pub mod plan;
mod random;
pub mod report;
mod round;
mod witness;
pub mod world;

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use crate::plan::Plan;
use crate::report::Report;
use crate::world::{ServerKind, World};

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often the function is killed or frozen, at least.
    pub kills: u32,
    /// Everything random follows from it, but for the machine's own time.
    pub seed: u64,
    /// Of every object, more or less; bytes.
    pub size: u64,
    /// The servers that rounds alternate between.
    pub servers: Vec<ServerKind>,
    /// This round of the plan, and no other.
    pub only: Option<u32>,
    /// What is known to be amiss in the function, and is not held against it.
    pub known: Known,
    /// The function's executable.
    pub bootstrap: PathBuf,
}

/// Gaps of the function that are known, for as long as there are any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// A retry by a queue leaves the temporary of the attempt before, and a process that slept takes the server for silent
    /// and leaves its own: they are counted.
    pub temporaries: bool,
    /// What is read after an answer of S3 broke off is compared with no checksum: it arrives right.
    pub corrupt_rest: bool,
}

/// A broken promise. Its Display says what, where the evidence is, and how to repeat it.
#[derive(Debug, Clone)]
pub struct Violation {
    /// What must not be.
    pub what: String,
    /// The round, with its number.
    pub round: String,
    /// Where the server's files and the logs are.
    pub evidence: Option<PathBuf>,
    /// The program's arguments.
    pub repeat: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "VIOLATION: {}", self.what)?;
        writeln!(f, "  in {}", self.round)?;
        if let Some(evidence) = &self.evidence {
            writeln!(f, "  kept in {}", evidence.display())?;
        }
        write!(f, "  again: make soak ARGS=\"{}\"", self.repeat)
    }
}

impl std::error::Error for Violation {}

/// Runs all rounds, and tells of each by a line.
///
/// # Errors
///
/// The first violation, with the figures until then.
///
/// # Panics
///
/// When a server is not installed or does not start.
pub async fn run(
    options: &Options,
    mut say: impl FnMut(&str),
) -> Result<Report, Box<(Violation, Report)>> {
    let begun = Instant::now();
    let mut report = Report::new(options);
    let mut worlds = Vec::new();
    for &kind in &options.servers {
        let mut world = World::start(kind, options).await;
        let whole = round::measure(&mut world, options.size).await;
        let measured = match whole {
            Ok(measured) => measured,
            Err(what) => {
                let violation = violation(options, &world, what, "an undisturbed delivery".into());
                return Err(Box::new((violation, report)));
            }
        };
        world.whole = measured;
        say(&format!(
            "{kind}: undisturbed in {:.1} s",
            measured.as_secs_f64()
        ));
        worlds.push(world);
    }
    let plan = Plan::new(options.seed, options.kills, options.size, &options.servers);
    let mut number = options.only.unwrap_or(0);
    while options.only == Some(number)
        || (options.only.is_none()
            && (number < plan.len() || report.kills + report.stops < options.kills))
    {
        let round = plan.round(number);
        let world = worlds
            .iter_mut()
            .find(|world| world.kind == round.server)
            .expect("a plan of these servers");
        let began = Instant::now();
        let carried_out = round::carry_out(world, &round, &mut report).await;
        report.wall_time = begun.elapsed();
        match carried_out {
            Ok(told) => say(&format!(
                "{round}: {told}, {:.1} s",
                began.elapsed().as_secs_f64()
            )),
            Err(what) => {
                let violation = violation(options, world, what, round.to_string());
                return Err(Box::new((violation, report)));
            }
        }
        report.rounds += 1;
        number += 1;
    }
    Ok(report)
}

fn violation(options: &Options, world: &World, what: String, round: String) -> Violation {
    let evidence = world.keep_evidence(&format!("seed {}\n{round}\n{what}\n", options.seed));
    let number = round
        .split_once(' ')
        .and_then(|(_, rest)| rest.split_once(' '))
        .and_then(|(number, _)| number.parse::<u32>().ok());
    let servers = match &options.servers[..] {
        [one] => one.to_string(),
        _ => "both".to_owned(),
    };
    let mut repeat = format!(
        "--kills {} --seed {} --size {} --server {servers}",
        options.kills, options.seed, options.size
    );
    for (name, is_known) in [
        ("temporaries", options.known.temporaries),
        ("corrupt-rest", options.known.corrupt_rest),
    ] {
        if is_known {
            repeat += &format!(" --known {name}");
        }
    }
    if let Some(number) = number {
        repeat += &format!(" --round {number}");
    }
    Violation {
        what,
        round,
        evidence,
        repeat,
    }
}
