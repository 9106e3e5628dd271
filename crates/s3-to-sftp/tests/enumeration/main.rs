//! Every cut point of a small world: something happens at each single request of a delivery, on the
//! server's side or on S3's, and what must never be is looked for in the files' *content*.
//!
//! | module | what it holds |
//! |---|---|
//! | `world` | a server in one guise, a bucket of one kind, what lies there at the start |
//! | `event` | what happens at a request: the connection is cut, a twin delivers, a user writes |
//! | `invariants` | what has to hold whenever one looks, and what in the end |
//!
//! Each test walks one guise and kind of bucket: for every start and event it lets the event happen
//! at the first request, the second, and so on, until a whole delivery has fewer requests than that.

mod event;
mod invariants;
mod world;

use event::Event;
use invariants::{Ending, Leftover};
use s3_to_sftp::receipt::Outcome;
use world::{Bucket, Guise, Start, World};

/// Walks all cut points of a guise and a kind of bucket, and tells how many they were.
async fn enumerate(guise: Guise, bucket: Bucket) {
    let mut points = 0;
    for start in Start::ALL {
        for event in Event::ALL {
            points += walk(guise, bucket, start, event).await;
        }
    }
    report(guise, bucket, points);
    // A walk that ends at its first point has not enumerated anything.
    assert!(points > 200, "{points} points only");
}

/// One event, at each request in turn.
async fn walk(guise: Guise, bucket: Bucket, start: Start, event: Event) -> usize {
    let world = World::new(guise, bucket).await;
    for at in 1.. {
        let what = format!("{guise:?}, {bucket:?}, {start:?}, {event:?} at request {at}");
        let round = world.begin(at, start).await;
        let happened = round.let_happen(event, at);

        let first = round.attempt("owner").await;
        round.check_now(&what, &first);
        if !happened.is_over() {
            // The delivery had fewer requests than that: all points are walked.
            round.check_end(&what, Ending::Delivered, Leftover::None);
            return at - 1;
        }
        round.calm_down();
        // Lambda tries a failed event again, with the same request id; a user's put has its own event.
        let again = round.attempt("owner").await;
        round.check_now(&what, &again);
        let of_the_put = round.attempt("owner of the put").await;
        round.check_now(&what, &of_the_put);
        // A delivery that succeeded has no retry: where its very last request, the removal of the
        // replaced file, is what the cut has hit, that file stays. The log says so.
        let leftover = match first {
            Outcome::Delivered(..) if event.cuts_the_link() => Leftover::ReplacedFile,
            _ => Leftover::None,
        };
        round.check_end(&what, event.ending(), leftover);
    }
    unreachable!("a delivery has an end")
}

#[expect(
    clippy::print_stdout,
    reason = "how much was tried is this suite's result"
)]
fn report(guise: Guise, bucket: Bucket, points: usize) {
    println!("{guise:?}, {bucket:?}: {points} cut points");
}

macro_rules! worlds {
    ($(fn $name:ident() => $guise:ident, $bucket:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                enumerate(Guise::$guise, Bucket::$bucket).await;
            }
        )*
    };
}

// All kinds of buckets for the two ways to rename, and the plainest where a guise is about opening.
worlds! {
    fn every_cut_point_on_openssh() => OpenSsh, Plain;
    fn every_cut_point_on_openssh_from_a_versioned_bucket() => OpenSsh, Versioned;
    fn every_cut_point_on_openssh_from_a_store_without_conditions() => OpenSsh, IgnoresIfMatch;
    fn every_cut_point_without_posix_rename() => NoPosixRename, Plain;
    fn every_cut_point_without_posix_rename_from_a_versioned_bucket() => NoPosixRename, Versioned;
    fn every_cut_point_without_posix_rename_from_a_store_without_conditions() => NoPosixRename, IgnoresIfMatch;
    fn every_cut_point_where_a_plain_rename_overwrites() => RenameOverwrites, Plain;
    fn every_cut_point_where_every_open_truncates() => OpenTruncates, Plain;
    fn every_cut_point_where_an_existing_name_is_not_opened() => RefusesReopen, Plain;
}
