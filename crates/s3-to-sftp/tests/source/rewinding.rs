//! Going back: after a broken connection to the server, what it has not acknowledged is read again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testkit::payload::{ramp, ramp_at, seeded};

use super::*;

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn a_body_goes_back_to_what_is_acknowledged_and_no_further_than_it_must() {
    let world = World::new().await;
    let size = 80 * MIB;
    world.s3.put_generated(BUCKET, "k", size);
    let (_, mut body) = world.open("k").await;
    read_to(&mut body, size).await;
    // From the end down, through the 64 MiB that it remembers.
    for acknowledged in [size - 1, 79 * MIB, 70 * MIB + 5, 20 * MIB, 16 * MIB] {
        let at = body.rewind(acknowledged);
        assert!(
            at <= acknowledged && acknowledged - at < MIB,
            "{acknowledged}: {at}"
        );
        assert_eq!(body.offset(), at);
        let next = body.next().await.unwrap().unwrap();
        assert!(next == ramp_at(at, next.len()), "{acknowledged}");
        body.rewind(at);
    }
    // Further back there is the beginning.
    assert_eq!(body.rewind(10 * MIB), 0);
    assert_eq!(
        drain(&mut body).await.1.unwrap(),
        KINDS[0].equal(1),
        "all of it, once more"
    );
}

#[tokio::test]
async fn with_nothing_to_go_back_to_nothing_is_asked_again() {
    let world = World::new().await;
    world.s3.put(BUCKET, "k", ramp(600_000));
    let (_, mut body) = world.open("k").await;
    let first = read_to(&mut body, 1).await;
    assert_eq!(body.rewind(first.len() as u64), first.len() as u64);
    drain(&mut body).await.1.unwrap();
    assert_eq!(body.rewind(600_000), 600_000);
    assert!(body.next().await.unwrap().is_none());
    assert_eq!(body.checksum(), KINDS[0].equal(1));
    assert_eq!(world.s3.count("GetObject"), 1);
}

#[tokio::test]
async fn the_range_after_a_rewind_is_pinned() {
    let world = World::new().await;
    let stored = world.s3.put(BUCKET, "k", ramp(600_000));
    let (_, mut body) = world.open("k").await;
    read_to(&mut body, 300_000).await;
    assert_eq!(body.rewind(1), 0);
    assert_eq!(world.s3.count("GetObject"), 1, "not before it is wanted");
    world.s3.put(BUCKET, "k", ramp(600_001));
    let error = body.next().await.unwrap_err();
    assert!(matches!(error, SourceError::Replaced), "{error:?}");
    let requests = world.s3.requests();
    let last = requests.last().unwrap();
    assert_eq!(last.range.as_deref(), Some("bytes=0-"));
    assert_eq!(last.if_match.as_deref(), Some(stored.etag.as_str()));
}

/// What was read wrong the first time and right the second is right, and the other way round.
#[tokio::test]
async fn what_is_compared_is_what_was_sent_last() {
    let bytes = seeded(6, 900_000);
    for kind in KINDS {
        for (corrupt, good) in [(1, true), (2, false)] {
            let world = World::new().await;
            let parts = world.put("k", kind, &bytes, &[800_000]).await;
            world.at_get(corrupt, || Action::Corrupt { offset: 100_000 });
            let (_, mut body) = world.open("k").await;
            read_to(&mut body, 500_000).await;
            assert_eq!(body.rewind(10), 0);
            let (got, result) = drain(&mut body).await;
            assert_eq!(world.s3.count("GetObject"), 2);
            if good {
                assert_eq!(result.unwrap(), kind.equal(parts));
                assert!(got == bytes, "{kind:?}");
            } else {
                assert_mismatch(&result, kind);
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// So many chunks.
    Read(usize),
    /// So far back.
    Back(u64),
    /// The next GET breaks off after so many bytes.
    Cut(u64),
    /// Another process goes on.
    HandOver,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..12_usize).prop_map(Step::Read),
        2 => (0..2 * MIB).prop_map(Step::Back),
        1 => (0..MIB).prop_map(Step::Cut),
        1 => Just(Step::HandOver),
    ]
}

/// Whatever happens on the way, the bytes are the object's, and all of them were compared.
#[test]
fn any_way_leads_to_the_same_bytes_and_the_same_result() {
    any_way(ReadAhead::default(), 150);
}

/// Over ranges, too, which break off as well.
#[test]
fn any_way_leads_to_the_same_bytes_over_ranges() {
    let read_ahead = ReadAhead {
        budget: MIB,
        range: 128 * 1024,
        least: 0,
        trial: None,
        patience: Duration::from_secs(60),
    };
    any_way(read_ahead, 60);
}

fn any_way(read_ahead: ReadAhead, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let cut = Arc::new(AtomicU64::new(u64::MAX));
    let world = runtime.block_on(World::new()).reading_ahead(read_ahead);
    let next_cut = Arc::clone(&cut);
    world
        .s3
        .hook(move |request| match request.operation.as_str() {
            "GetObject" => match next_cut.swap(u64::MAX, Ordering::Relaxed) {
                u64::MAX => Action::Pass,
                after => Action::CutBody { after },
            },
            _ => Action::Pass,
        });
    let strategy = (
        0..KINDS.len(),
        0..3_000_000_usize,
        proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        proptest::collection::vec(step(), 0..16),
    );
    let mut runner = TestRunner::new(Config {
        cases,
        ..Config::default()
    });
    let outcome = runner.run(&strategy, |(kind, size, cuts, steps)| {
        let kind = KINDS[kind];
        let bytes = ramp(size);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(size + 1)).collect();
        cuts.sort_unstable();
        runtime.block_on(async {
            let parts = world.put("k", kind, &bytes, &cuts).await;
            let (version, mut body) = world.open("k").await;
            let mut file = Vec::new();
            for step in steps {
                match step {
                    Step::Read(chunks) => {
                        for _ in 0..chunks {
                            let next = body.next().await.unwrap();
                            file.extend_from_slice(&next.unwrap_or_default());
                        }
                    }
                    Step::Back(back) => {
                        let acknowledged = body.offset().saturating_sub(back);
                        let at = body.rewind(acknowledged);
                        prop_assert!(at <= acknowledged, "{} {}", at, acknowledged);
                        file.truncate(at as usize);
                    }
                    Step::Cut(after) => cut.store(after, Ordering::Relaxed),
                    Step::HandOver => {
                        let record = serde_json::to_string(&body.checkpoint()).unwrap();
                        let from = serde_json::from_str(&record).unwrap();
                        drop(body);
                        (_, body) = found(world.source.reopen(&version, &from).await.unwrap());
                    }
                }
                prop_assert_eq!(body.offset(), file.len() as u64);
                prop_assert_eq!(body.own_digest().checksum().to_string(), crc64nvme(&file));
            }
            cut.store(u64::MAX, Ordering::Relaxed);
            let (rest, check) = drain(&mut body).await;
            file.extend_from_slice(&rest);
            prop_assert!(file == bytes, "other bytes");
            prop_assert_eq!(check.unwrap(), kind.equal(parts));
            Ok(())
        })
    });
    outcome.unwrap();
}
