//! The four fatal scenarios of the review of the first design, by their numbers there: each goes well, and
//! ends in a loss where the rules that answer it are taken out.

use s3_to_sftp::rules::Rule;
use testkit::sftp::Operation;

use crate::event::{Actor, After, Event, Held};
use crate::manner::Left;
use crate::plan::Step;
use crate::rules::{Part, SMALL_WINDOW};
use crate::walk;
use crate::world::{Guise, Start};

/// A twin's link breaks; the other one publishes; the twin comes back, makes the file anew and goes on where it
/// was: a file that begins with a hole over the good one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_01_a_twin_goes_on_with_a_file_that_is_made_anew() {
    let twin = Event::Whole(Actor::Twin, Held::Frozen);
    let mut part = Part::new(Guise::OpenSsh, Start::Nothing, &[Step::new(twin, 1)]);
    part.kind.writes = 8;
    part.with(SMALL_WINDOW)
        .notices(&[
            Rule::OneWriterPerTemporary,
            Rule::CreateOnlyAtTheBeginning,
            Rule::BelieveOnlyFstat,
            Rule::GoOnFromTheFrontier,
            Rule::ReadBackWhatIsGoneOnWith,
            Rule::LastLook,
        ])
        .await;
}

/// Both twins find yesterday's file in the way. One removes it and renames; the other removes what is there now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_02_twins_remove_each_others_file() {
    let twin = Event::Whole(Actor::Twin, Held::Before);
    let steps = [Step::on(twin, Operation::Remove, 1)];
    let part = Part::new(Guise::NoPosixRename, Start::OlderFinal, &steps);
    part.notices(&[Rule::OneWriterPerTemporary, Rule::MoveAsideNotRemove])
        .await;
}

/// The server truncates on every OPEN: a twin's cuts what this delivery has written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_03_a_twin_truncates_the_shared_file() {
    let twin = Event::Beside(Actor::Twin, Operation::Write, After::GoesOn);
    let steps = [Step::new(twin, 1)];
    let part = Part::new(Guise::OpenTruncates, Start::Nothing, &steps);
    part.notices(&[Rule::OneWriterPerTemporary]).await;
}

/// The same server, and one delivery whose link breaks: it goes on where it was in a file that is empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_03_a_reconnect_truncates_the_own_file() {
    let steps = [Step::new(Event::CutBefore, 1)];
    let mut part = Part::new(Guise::OpenTruncates, Start::Nothing, &steps);
    part.kind.writes = 8;
    part.with(SMALL_WINDOW)
        .notices(&[Rule::BelieveOnlyFstat, Rule::ReadBackWhatIsGoneOnWith])
        .await;
}

/// `direct`: one twin is done and about to delete the source, the other's OPEN cuts the file, and it dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_09_a_twin_truncates_the_final_file() {
    let twin = Event::Beside(Actor::Twin, Operation::Write, After::Dies);
    let part = Part::new(Guise::OpenSsh, Start::OlderFinal, &[Step::new(twin, 1)]);
    let part = part.with(&[("SSH_UPLOAD", "direct")]);
    part.notices(&[Rule::NeverTruncate]).await;
}

/// The server goes down in the middle and comes back within the invocation, with files of the right length whose
/// last bytes are zeros (XFS, network file systems): going on from the frontier would publish them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reboot_that_leaves_zeros_is_noticed() {
    let steps = [Step::new(Event::Reboot(Left::Zeros), 1)];
    let mut part = Part::new(Guise::OpenSsh, Start::Nothing, &steps);
    part.kind.writes = 8;
    part.with(SMALL_WINDOW)
        .notices(&[Rule::ReadBackWhatIsGoneOnWith])
        .await;
}

/// The same on a server that cannot sync: what is renamed again behind a broken connection is looked at, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reboot_of_a_server_that_cannot_sync_is_noticed() {
    let steps = [Step::new(Event::Reboot(Left::Zeros), 1)];
    let part = Part::new(Guise::RenameOverwrites, Start::OlderFinal, &steps);
    part.notices(&[Rule::ReadBackWhatIsGoneOnWith]).await;
}

/// The same, where the file is read back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reboot_that_leaves_zeros_is_noticed_by_reading_back() {
    let steps = [Step::new(Event::Reboot(Left::Zeros), 1)];
    let part = Part::new(Guise::OpenSsh, Start::Nothing, &steps);
    let part = part.with(&[("SSH_VERIFY", "readback")]);
    let walked = walk(part.kind, part.case).await;
    assert!(walked.is_ok(), "{walked:?}");
}
