//! Several channels write one file: every cut point, on a server that bears them and on those that do not.

use testkit::sftp::Operation;

use crate::enumerate;
use crate::event::{Actor, After, Event, Held};
use crate::manner::Left;
use crate::round::Trigger;
use crate::world::{Bucket, Guise, Kind, Start};

/// Two writes are on their way at once, so that the window holds back even this little.
pub(crate) const THREE: &[(&str, &str)] = &[
    ("SSH_CHANNELS", "3"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "6"),
];

pub(crate) fn kind(guise: Guise) -> Kind {
    Kind {
        settings: THREE,
        writes: 9,
        is_slow: true,
        ..Kind::new(guise, Bucket::Plain)
    }
}

/// Those about what is on its way, and who else writes.
const EVENTS: [Event; 13] = [
    Event::CutBefore,
    Event::CutAfter,
    Event::KilledAfter,
    Event::Refused,
    Event::Whole(Actor::Twin, Held::Answer),
    Event::Whole(Actor::Retry, Held::Frozen),
    Event::Beside(Actor::Twin, Operation::Write, After::GoesOn),
    Event::OtherContent,
    Event::Deleted,
    Event::HandOver,
    Event::Reboot(Left::Shorter),
    Event::Reboot(Left::Zeros),
    Event::CleanedAndCut,
];

const FEW: [Event; 3] = [Event::CutBefore, Event::KilledAfter, Event::HandOver];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_point_over_several_channels() {
    let kind = kind(Guise::OpenSsh);
    enumerate(kind, Trigger::Queue, &[Start::OlderFinal], &EVENTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_point_over_several_channels_behind_a_hand_over() {
    let kind = kind(Guise::OpenSsh);
    enumerate(kind, Trigger::Queue, &[Start::HandedOver], &FEW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_point_over_several_channels_where_each_handle_has_its_own_copy() {
    let starts = [Start::OlderFinal, Start::HandedOver];
    enumerate(kind(Guise::OwnCopies), Trigger::Queue, &starts, &FEW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_point_over_several_channels_where_every_open_truncates() {
    let starts = [Start::OlderFinal, Start::HandedOver];
    enumerate(kind(Guise::OpenTruncates), Trigger::Queue, &starts, &FEW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_point_over_several_channels_where_an_existing_name_is_not_opened() {
    let starts = [Start::OlderFinal];
    enumerate(kind(Guise::RefusesReopen), Trigger::Queue, &starts, &FEW).await;
}
