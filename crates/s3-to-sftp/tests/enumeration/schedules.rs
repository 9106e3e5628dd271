//! The large product: every guise, bucket and start, and two events at requests that a seed chooses.

use std::collections::BTreeMap;

use crate::event::Event;
use crate::plan::Step;
use crate::play::{Case, Played, play};
use crate::report;
use crate::round::Trigger;
use crate::world::{Bucket, Guise, Kind, Start, World};

/// How many are tried where nobody says.
const SCHEDULES: u64 = 2000;

/// Events come at most so many requests behind each other: about as many as a delivery has.
const REQUESTS: usize = 22;

/// Chance that is the same for the same seed, on every machine: SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^= word >> 31;
        usize::try_from(word % below as u64).unwrap_or(0)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next(all.len())]
    }
}

/// What a seed means.
fn schedule(seed: u64) -> ((Guise, Bucket), Case) {
    // The first figures of neighbouring seeds are alike in nothing else.
    let mut chance = Chance(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let kind = (chance.of(&Guise::ALL), chance.of(&Bucket::ALL));
    let start = chance.of(&Start::ALL);
    let events: Vec<_> = Event::ALL.into_iter().chain(Event::THREE).collect();
    let steps = [0, 1].map(|_| {
        let event = chance.of(&events);
        Step::new(event, 1 + chance.next(REQUESTS))
    });
    let mut case = Case::new(start, &steps);
    case.trigger = chance.of(&[Trigger::Queue, Trigger::Queue, Trigger::Direct]);
    (kind, case)
}

/// The seeds of one kind of world, one after the other.
async fn play_all(kind: Kind, seeds: Vec<u64>) -> (usize, Vec<String>) {
    let world = World::new(kind).await;
    let (mut whole, mut violations) = (0, Vec::new());
    for (number, seed) in seeds.into_iter().enumerate() {
        let (_, case) = schedule(seed);
        match play(&world, &case, number).await {
            Ok(Played::Whole) => whole += 1,
            Ok(_) => {}
            Err(violation) => {
                if number_of("ENUMERATION_SEED").is_some() {
                    for request in world.server.requests() {
                        report(&format!(
                            "{} {:?} {:?} {:?} {} {}",
                            request.connection,
                            request.operation,
                            request.path,
                            request.to,
                            request.offset,
                            request.len
                        ));
                    }
                }
                violations.push(format!(
                "{violation}\n  {:?}, {:?}, {case:?}\n  alone: ENUMERATION_SEED={seed} cargo test \
                 -p s3-to-sftp --test enumeration schedules -- --nocapture",
                kind.guise, kind.bucket
            ));
            }
        }
    }
    (whole, violations)
}

fn number_of(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedules_of_two_events() {
    let first = number_of("ENUMERATION_FIRST_SEED").unwrap_or(1);
    let count = number_of("ENUMERATION_SCHEDULES").unwrap_or(SCHEDULES);
    let seeds = match number_of("ENUMERATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + count,
    };
    report(&format!("seeds {seeds:?}"));
    let began = std::time::Instant::now();
    let mut by_kind: BTreeMap<String, (Kind, Vec<u64>)> = BTreeMap::new();
    for seed in seeds.clone() {
        let ((guise, bucket), _) = schedule(seed);
        let kind = Kind::new(guise, bucket);
        let (_, seeds) = by_kind
            .entry(format!("{guise:?} {bucket:?}"))
            .or_insert((kind, Vec::new()));
        seeds.push(seed);
    }
    let mut kinds = by_kind.into_values();
    let mut running = tokio::task::JoinSet::new();
    let (mut whole, mut violations) = (0, Vec::new());
    loop {
        while running.len() < crate::AT_ONCE
            && let Some((kind, seeds)) = kinds.next()
        {
            running.spawn(play_all(kind, seeds));
        }
        let Some(played) = running.join_next().await else {
            break;
        };
        let (happened, found) = played.expect("no schedule panics");
        whole += happened;
        violations.extend(found);
    }
    report(&format!(
        "{} schedules, {whole} of them to their last event, in {:?}",
        seeds.end - seeds.start,
        began.elapsed()
    ));
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
