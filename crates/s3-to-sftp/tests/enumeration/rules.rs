//! Each rule taken out, and the part of the enumeration that notices.

use s3_to_sftp::rules::Rule;
use testkit::sftp::Operation;

use crate::event::{Actor, After, Event, Held};
use crate::manner::Left;
use crate::plan::Step;
use crate::play::Case;
use crate::world::{Bucket, Guise, Kind, Start};
use crate::{report, walk};

/// A small world, what happens in it, and the rule that it is about.
pub(crate) struct Part {
    pub(crate) kind: Kind,
    pub(crate) case: Case,
}

impl Part {
    pub(crate) fn new(guise: Guise, start: Start, steps: &[Step]) -> Self {
        Self {
            kind: Kind::new(guise, Bucket::Plain),
            case: Case::new(start, steps),
        }
    }

    pub(crate) fn with(mut self, settings: &'static [(&'static str, &'static str)]) -> Self {
        self.kind.settings = settings;
        self
    }

    /// With the rules it goes well, and without these it does not.
    pub(crate) async fn notices(self, rules: &'static [Rule]) {
        let Self { kind, case } = self;
        match walk(kind, case.clone()).await {
            Ok(points) => report(&format!("{rules:?}: {points} points with them")),
            Err(violation) => panic!("with {rules:?}: {violation}"),
        }
        let without = Kind {
            without: rules,
            ..kind
        };
        // On a machine that is busy an event may come when nothing is left that it could hurt. Once is enough.
        for _ in 0..WALKS {
            match walk(without, case.clone()).await {
                Ok(points) => report(&format!("without {rules:?}: nothing at {points} points")),
                Err(violation) => return report(&format!("without {rules:?}: {violation}")),
            }
        }
        panic!("without {rules:?}: nothing is noticed in {WALKS} walks");
    }
}

/// So often may nothing be noticed.
const WALKS: usize = 3;

/// Two writes, so that not everything is on its way when the link breaks.
pub(crate) const SMALL_WINDOW: &[(&str, &str)] = &[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "6")];

fn part(rule: Rule) -> Part {
    use Guise::{NoPosixRename, OpenSsh, OpenTruncates, StoresTheBeginning};
    use Start::{HandedOver, Nothing, OlderFinal};

    let anywhere = |event| Step::new(event, 1);
    let on = Step::on;
    let walked = |guise, start, event| Part::new(guise, start, &[anywhere(event)]);
    match rule {
        // A twin's OPEN cuts what this delivery has written.
        Rule::OneWriterPerTemporary => walked(
            OpenTruncates,
            Nothing,
            Event::Beside(Actor::Twin, Operation::Write, After::GoesOn),
        ),
        Rule::NeverTruncate => walked(
            OpenSsh,
            Nothing,
            Event::Beside(Actor::Twin, Operation::Write, After::Dies),
        )
        .with(&[("SSH_UPLOAD", "direct")]),
        // Frozen while its own retry delivers, an attempt makes a file that nobody comes to remove.
        Rule::CreateOnlyAtTheBeginning => {
            let frozen = Event::Whole(Actor::Retry, Held::Frozen);
            let steps = [
                on(frozen, Operation::Write, 2),
                anywhere(Event::KilledBefore),
            ];
            let mut part = Part::new(OpenSsh, Nothing, &steps);
            part.case.is_strict = true;
            part
        }
        // What was handed over is gone with the OPEN that takes it over.
        Rule::BelieveOnlyFstat => Part::new(OpenTruncates, HandedOver, &[]),
        Rule::GoOnFromTheFrontier => {
            let mut part = walked(OpenSsh, Nothing, Event::CutBefore);
            part.kind.writes = 8;
            part.with(SMALL_WINDOW)
        }
        Rule::ReadBackWhatIsGoneOnWith => {
            let mut part = walked(OpenSsh, Nothing, Event::Reboot(Left::Zeros));
            part.kind.writes = 8;
            part.with(SMALL_WINDOW)
        }
        Rule::OneFileForAllChannels => Part {
            kind: crate::channels::kind(Guise::OwnCopies),
            case: Case::new(Nothing, &[]),
        },
        Rule::LastLook => walked(OpenSsh, Nothing, Event::Whole(Actor::Newer, Held::Before)),
        Rule::FreshLook => walked(OpenSsh, Nothing, Event::SlowAndNewer),
        Rule::CompareSize => walked(OpenSsh, Nothing, Event::LastWriteLost),
        Rule::JudgeClose => walked(OpenSsh, Nothing, Event::ToldAtClose),
        Rule::MistrustLargeWrites => Part::new(StoresTheBeginning, Nothing, &[]),
        Rule::CompareChecksum => walked(OpenSsh, Nothing, Event::Corrupted),
        Rule::MoveAsideNotRemove => walked(NoPosixRename, OlderFinal, Event::CutBefore),
        Rule::MoveAsideOnlyWhatWasSeen => {
            let twin = Event::Whole(Actor::Twin, Held::Before);
            let steps = [
                on(twin, Operation::Rename, 1),
                on(Event::KilledBefore, Operation::Rename, 1),
            ];
            Part::new(NoPosixRename, OlderFinal, &steps)
        }
        // The last rename is refused, and then there is nothing any more that a retry could publish.
        Rule::MoveBack => {
            let steps = [
                on(Event::Refused, Operation::Rename, 3),
                on(Event::Deleted, Operation::Remove, 1),
            ];
            Part::new(NoPosixRename, OlderFinal, &steps)
        }
        Rule::EvidenceForLostRename => walked(OpenSsh, Nothing, Event::CleanedAndCut),
        Rule::ConflictNeverReplaces => {
            walked(OpenSsh, Nothing, Event::ForeignFinal).with(&[("SSH_ON_CONFLICT", "fail")])
        }
        Rule::DeleteAfterPublish => walked(OpenSsh, Nothing, Event::KilledBefore),
        Rule::DeleteWithIfMatch => walked(OpenSsh, Nothing, Event::OtherContent),
        // There a request follows the rename.
        Rule::LookBeforeDelete => walked(NoPosixRename, OlderFinal, Event::SameContent),
        // The retry of a hop whose first attempt is alive, on a server that truncates.
        Rule::TakeOverByRename => walked(
            OpenTruncates,
            HandedOver,
            Event::Beside(Actor::Retry, Operation::Write, After::GoesOn),
        ),
        Rule::HandOverDurable => Part::new(
            OpenSsh,
            Nothing,
            &[
                on(Event::HandOver, Operation::Write, 1),
                on(Event::Reboot(Left::Zeros), Operation::Init, 1),
            ],
        ),
        Rule::RemovePredecessors => walked(OpenSsh, Nothing, Event::KilledBefore),
        Rule::RemoveOwn => walked(OpenSsh, Nothing, Event::Deleted),
    }
}

/// What has to be taken out for a rule to be missed: it, and what stands behind it.
fn without(rule: Rule) -> &'static [Rule] {
    match rule {
        // Reading back notices a hole as well, at the price of beginning anew.
        Rule::GoOnFromTheFrontier => &[Rule::GoOnFromTheFrontier, Rule::ReadBackWhatIsGoneOnWith],
        rule => Rule::ALL
            .iter()
            .find(|it| **it == rule)
            .map_or(&[], std::slice::from_ref),
    }
}

macro_rules! rules {
    ($($rule:ident: $name:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                part(Rule::$rule).notices(without(Rule::$rule)).await;
            }
        )*

        /// A rule without a test would be one that nobody misses.
        #[test]
        fn every_rule_has_a_test() {
            let tested = [$(Rule::$rule),*];
            let missing: Vec<_> = Rule::ALL
                .into_iter()
                .filter(|rule| !tested.contains(rule))
                .collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    };
}

rules! {
    OneWriterPerTemporary: without_one_writer_per_temporary,
    NeverTruncate: with_truncation,
    CreateOnlyAtTheBeginning: with_creation_in_the_middle,
    BelieveOnlyFstat: without_belief_in_fstat_only,
    GoOnFromTheFrontier: without_going_on_from_the_frontier,
    ReadBackWhatIsGoneOnWith: without_reading_back_what_is_gone_on_with,
    OneFileForAllChannels: with_channels_that_do_not_share_the_file,
    LastLook: without_the_last_look,
    FreshLook: without_a_fresh_look,
    CompareSize: without_comparing_sizes,
    JudgeClose: without_judging_the_close,
    MistrustLargeWrites: without_mistrust_of_large_writes,
    CompareChecksum: without_comparing_checksums,
    MoveAsideNotRemove: with_removal_in_place_of_moving_aside,
    MoveAsideOnlyWhatWasSeen: with_moving_aside_what_was_not_seen,
    MoveBack: without_moving_back,
    EvidenceForLostRename: without_evidence_for_a_lost_rename,
    ConflictNeverReplaces: with_replacing_in_a_conflict,
    DeleteAfterPublish: with_a_delete_before_the_rename,
    DeleteWithIfMatch: without_a_condition_on_the_delete,
    LookBeforeDelete: without_a_look_before_the_delete,
    TakeOverByRename: without_a_rename_at_the_take_over,
    HandOverDurable: without_a_durable_hand_over,
    RemovePredecessors: without_removing_what_predecessors_left,
    RemoveOwn: without_removing_what_it_made,
}
