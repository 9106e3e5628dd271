//! Every cut point of a small world, and schedules of several events in a large one: something happens at a
//! request of a delivery, on the server's side or on S3's, and what must never be is looked for in the files'
//! *content*.
//!
//! | module | what it holds |
//! |---|---|
//! | `world` | a server in one guise, a bucket of one kind, what lies there at the start |
//! | `manner` | how a server of a guise deals with a request |
//! | `ledger` | what was put and seen; what has to hold whenever one looks, and what in the end |
//! | `round` | the messages about one object, and the environments that take them |
//! | `event`, `plan` | what happens at a request: a cut, a kill, twins, a hand-over, a user; and when |
//! | `play` | a case from its start to its last retry |
//! | `checked` | a journal that holds each record to the schema of receipts |
//! | `channels` | the same over several channels |
//! | `schedules` | the large product, by seeds |
//! | `scenarios` | the worst of the review of the first design, by number |
//! | `rules` | each rule taken out, and the part that notices |
#![cfg_attr(
    not(feature = "take-out-rules"),
    expect(dead_code, reason = "some events are for the rules only")
)]

mod channels;
#[path = "../delivery/checked.rs"]
mod checked;
mod event;
mod ledger;
mod manner;
mod plan;
mod play;
mod round;
#[cfg(feature = "take-out-rules")]
mod rules;
#[cfg(feature = "take-out-rules")]
mod scenarios;
mod schedules;
mod world;

use event::Event;
use ledger::Violation;
use plan::Step;
use play::{Case, Played, play};
use round::Trigger;
use world::{Bucket, Guise, Kind, Start, World};

/// So many walks at a time: most of them wait for something.
const AT_ONCE: usize = 4;

/// Walks all cut points of a kind of world, and tells how many they were.
async fn enumerate(kind: Kind, trigger: Trigger, starts: &[Start], events: &[Event]) {
    let mut walks = Vec::new();
    for start in starts {
        for event in events {
            let mut case = Case::new(*start, &[Step::new(*event, 1)]);
            case.trigger = trigger;
            walks.push(case);
        }
    }
    let began = std::time::Instant::now();
    let mut walks = walks.into_iter();
    let mut running = tokio::task::JoinSet::new();
    let (mut points, mut violations) = (0, Vec::new());
    loop {
        while running.len() < AT_ONCE
            && let Some(case) = walks.next()
        {
            running.spawn(walk(kind, case));
        }
        let Some(walked) = running.join_next().await else {
            break;
        };
        match walked.expect("no walk panics") {
            Ok(walked) => points += walked,
            Err(violation) => violations.push(violation.to_string()),
        }
    }
    report(&format!(
        "{kind:?}: {points} cut points in {:?}",
        began.elapsed()
    ));
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    // A walk that ends at its first point has not enumerated anything.
    assert!(
        points > 3 * starts.len() * events.len(),
        "{points} points only"
    );
}

/// The last event, at each request in turn: how many there were.
async fn walk(kind: Kind, case: Case) -> Result<usize, Violation> {
    let world = World::new(kind).await;
    let mut points = 0;
    for at in 1.. {
        let mut case = case.clone();
        if let Some(last) = case.steps.last_mut() {
            last.at = at;
        }
        let played = play(&world, &case, at).await.map_err(|violation| {
            let (guise, bucket) = (kind.guise, kind.bucket);
            Violation(format!("{guise:?}, {bucket:?}, {case:?}: {violation}"))
        })?;
        match played {
            Played::Whole => points += 1,
            // Everything was over before that: all points are walked.
            Played::Short => break,
            Played::Early => {}
        }
        if case.steps.is_empty() {
            break;
        }
    }
    Ok(points)
}

#[expect(
    clippy::print_stdout,
    reason = "how much was tried is this suite's result"
)]
fn report(text: &str) {
    println!("{text}");
}

macro_rules! worlds {
    ($(fn $name:ident() => $guise:ident, $bucket:ident, $trigger:ident, $starts:expr, $events:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let kind = Kind::new(Guise::$guise, Bucket::$bucket);
                enumerate(kind, Trigger::$trigger, $starts, $events).await;
            }
        )*
    };
}

const AFRESH: &[Start] = &[Start::Nothing, Start::OlderFinal];
const GONE_ON_WITH: &[Start] = &[Start::OlderFinal, Start::OwnPartial, Start::HandedOver];
const FOREIGN: &[Start] = &[Start::ForeignTemporary];
const LEFT: &[Start] = &[Start::OwnPartial, Start::HandedOver];

// Everything on the two ways to rename. Of buckets what is about the source, of the other guises what is about
// opening, closing and renaming.
worlds! {
    fn every_cut_point_on_openssh() => OpenSsh, Plain, Queue, AFRESH, &Event::ALL;
    fn every_cut_point_on_openssh_beside_foreign_files() => OpenSsh, Plain, Queue, FOREIGN, &Event::ALL;
    fn every_cut_point_on_openssh_behind_an_earlier_attempt() => OpenSsh, Plain, Queue, LEFT, &Event::ALL;
    fn every_cut_point_on_openssh_without_a_queue() => OpenSsh, Plain, Direct, AFRESH, &Event::ALONE;
    fn every_cut_point_on_openssh_from_a_versioned_bucket() => OpenSsh, Versioned, Queue, AFRESH, &Event::OF_SOURCES;
    fn every_cut_point_on_openssh_from_a_store_without_conditions() => OpenSsh, IgnoresIfMatch, Queue, AFRESH, &Event::OF_SOURCES;
    fn every_cut_point_without_posix_rename() => NoPosixRename, Plain, Queue, AFRESH, &Event::ALL;
    fn every_cut_point_without_posix_rename_beside_foreign_files() => NoPosixRename, Plain, Queue, FOREIGN, &Event::ALL;
    fn every_cut_point_without_posix_rename_behind_an_earlier_attempt() => NoPosixRename, Plain, Queue, LEFT, &Event::ALL;
    fn every_cut_point_without_posix_rename_without_a_queue() => NoPosixRename, Plain, Direct, AFRESH, &Event::ALONE;
    fn every_cut_point_without_posix_rename_from_a_versioned_bucket() => NoPosixRename, Versioned, Queue, AFRESH, &Event::OF_SOURCES;
    fn every_cut_point_without_posix_rename_from_a_store_without_conditions() => NoPosixRename, IgnoresIfMatch, Queue, AFRESH, &Event::OF_SOURCES;
    fn every_cut_point_where_a_plain_rename_overwrites() => RenameOverwrites, Plain, Queue, AFRESH, &Event::OF_SERVERS;
    fn every_cut_point_where_every_open_truncates() => OpenTruncates, Plain, Queue, GONE_ON_WITH, &Event::OF_SERVERS;
    fn every_cut_point_where_an_existing_name_is_not_opened() => RefusesReopen, Plain, Queue, GONE_ON_WITH, &Event::OF_SERVERS;
    fn every_cut_point_where_every_write_appends() => ForcesAppend, Plain, Queue, GONE_ON_WITH, &Event::OF_SERVERS;
    fn every_cut_point_where_large_writes_are_cut_short() => StoresTheBeginning, Plain, Queue, GONE_ON_WITH, &Event::CUTS;
    fn every_cut_point_where_large_writes_are_cut_short_without_a_queue() => StoresTheBeginning, Plain, Direct, AFRESH, &Event::CUTS;
    fn every_cut_point_where_a_closed_file_is_taken() => TakesAtClose, Plain, Queue, &[Start::Nothing], &Event::CUTS;
    fn every_cut_point_where_a_renamed_file_is_taken() => TakesAtRename, Plain, Queue, AFRESH, &Event::OF_SERVERS;
    fn every_cut_point_where_a_size_is_told_late() => LateSize, Plain, Queue, AFRESH, &Event::CUTS;
    fn every_cut_point_where_writes_are_answered_out_of_order() => WritesSideBySide, Plain, Queue, GONE_ON_WITH, &Event::OF_SERVERS;
    fn every_cut_point_where_excl_is_no_lock() => IgnoresExcl, Plain, Queue, AFRESH, &Event::CUTS;
    fn every_cut_point_on_openssh_of_three_twins() => OpenSsh, Plain, Queue, AFRESH, &Event::THREE;
    fn every_cut_point_without_posix_rename_of_three_twins() => NoPosixRename, Plain, Queue, AFRESH, &Event::THREE;
    fn every_cut_point_where_every_open_truncates_of_three_twins() => OpenTruncates, Plain, Queue, AFRESH, &Event::THREE;
}

// Written directly, where what has the final name keeps it: no other OPEN carries EXCL.
macro_rules! conflicts {
    ($(fn $name:ident() => $guise:ident, $policy:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let mut kind = Kind::new(Guise::$guise, Bucket::Plain);
                kind.settings = &[("SSH_UPLOAD", "direct"), ("SSH_ON_CONFLICT", $policy)];
                // Each refused attempt reads the whole file.
                kind.writes = 1;
                enumerate(kind, Trigger::Queue, AFRESH, &Event::OF_CONFLICTS).await;
            }
        )*
    };
}

conflicts! {
    fn every_cut_point_of_a_direct_upload_that_replaces_nothing() => OpenSsh, "fail";
    fn every_cut_point_of_a_direct_upload_that_replaces_nothing_where_excl_is_no_lock() => IgnoresExcl, "fail";
    fn every_cut_point_of_a_direct_upload_that_skips_where_excl_is_no_lock() => IgnoresExcl, "skip";
}
