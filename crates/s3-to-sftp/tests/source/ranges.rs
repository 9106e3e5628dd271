//! Reading ahead: several ranges at once, in order, of one version, within a budget.

mod odd;
mod once_more;

use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::payload::{ramp, seeded};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::*;

/// The length of a range.
const UNIT: u64 = 64 * 1024;

const SHORT: Duration = Duration::from_millis(100);

/// Ranges from the beginning, since nobody has to show that S3 is slow.
const EAGER: ReadAhead = ReadAhead {
    budget: 8 * UNIT,
    range: UNIT,
    least: 0,
    trial: None,
    patience: Duration::from_secs(60),
};

impl World {
    /// An S3 whose streams without an end bring a range's length every 50 ms.
    async fn slow(read_ahead: ReadAhead) -> Self {
        let world = Self::new().await.reading_ahead(read_ahead);
        world.s3.hook(|request| match range_of(request) {
            None if request.operation == "GetObject" => Action::Slow {
                bytes_per_second: 20 * UNIT,
            },
            _ => Action::Pass,
        });
        world
    }

    /// What happens to the range that begins at `start`, the `time`th time that it is asked for.
    fn at_range(&self, start: u64, time: usize, action: impl Fn() -> Action + Send + 'static) {
        let mut seen = 0;
        self.s3.hook(move |request| {
            if range_of(request).is_some_and(|(first, _)| first == start) {
                seen += 1;
                if seen == time {
                    return action();
                }
            }
            Action::Pass
        });
    }

    /// First byte and end of each range that was asked for, in the object's order.
    fn ranges(&self) -> Vec<(u64, u64)> {
        let requests = self.s3.requests();
        let mut ranges: Vec<_> = requests.iter().filter_map(range_of).collect();
        ranges.sort_unstable();
        ranges
    }
}

/// First byte and end of a range that has one.
fn range_of(request: &Request) -> Option<(u64, u64)> {
    let range = request.range.as_deref()?.strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse::<u64>().ok()? + 1))
}

/// Reads all of it, and compares it with what was stored.
async fn assert_reads(world: &World, bytes: &Bytes) {
    let (_, mut body) = world.open("k").await;
    let (got, check) = drain(&mut body).await;
    check.unwrap();
    assert!(got == *bytes, "other bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_arrives_whole_over_ranges_of_every_length() {
    let mut kinds = JoinSet::new();
    for kind in KINDS {
        kinds.spawn(async move {
            let world = World::slow(EAGER).await;
            for units in [0, 2, 3, 12] {
                for size in [units * UNIT, units * UNIT + 1, (units * UNIT).max(1) - 1] {
                    let bytes = seeded(size, size as usize);
                    // Of two and a half ranges, in an object that is long enough.
                    let cuts: Vec<_> = (1..8)
                        .map(|part| part * 5 * UNIT / 2)
                        .filter(|cut| *cut < size)
                        .map(|cut| cut as usize)
                        .collect();
                    let parts = world.put("k", kind, &bytes, &cuts).await;
                    world.s3.forget_requests();
                    let (version, mut body) = world.open("k").await;
                    let (got, check) = drain(&mut body).await;
                    assert_eq!(check.unwrap(), kind.equal(parts), "{size}");
                    assert!(got == bytes, "{kind:?} {size}");
                    // One after the other, without a gap, and each once.
                    let ranges = world.ranges();
                    for pair in ranges.windows(2) {
                        assert_eq!(pair[0].1, pair[1].0, "{kind:?} {size}");
                    }
                    // The stream brings what is before, and may be done before a short one is asked for.
                    assert!(ranges.is_empty() || size > 2 * UNIT, "{kind:?} {size}");
                    assert!(!ranges.is_empty() || size < 4 * UNIT, "{kind:?} {size}");
                    if let Some((_, end)) = ranges.last() {
                        assert_eq!(*end, size);
                    }
                    for request in world.s3.requests() {
                        let is_pinned = request.if_match.as_ref() == Some(&version.etag);
                        assert_eq!(
                            is_pinned,
                            request.range.is_some() || request.part_number.is_some()
                        );
                    }
                }
            }
        });
    }
    while let Some(done) = kinds.join_next().await {
        done.unwrap();
    }
}

/// None that is asked for is answered before there are so many of them.
fn all_at_once(world: &World, count: usize) {
    let seen = watch::Sender::new(0);
    world.s3.hook(move |request| {
        if range_of(request).is_none() {
            return Action::Pass;
        }
        seen.send_modify(|seen| *seen += 1);
        let mut seen = seen.subscribe();
        Action::hold(async move { seen.wait_for(|seen| *seen >= count).await.map(|_| ()) })
    });
}

#[tokio::test]
async fn ranges_are_asked_for_side_by_side() {
    let world = World::slow(EAGER).await;
    let bytes = seeded(1, 20 * UNIT as usize);
    world.s3.put(BUCKET, "k", bytes.clone());
    all_at_once(&world, 8);
    assert_reads(&world, &bytes).await;
}

/// With the limits that ship: 40 MiB by a connection that brings 64 MiB/s.
#[tokio::test]
async fn a_slow_s3_is_read_over_more_connections_than_one() {
    const MIB: u64 = 1024 * 1024;
    let world = World::new().await;
    let bytes = ramp(40 * MIB as usize);
    world.s3.put(BUCKET, "k", bytes.clone());
    world.at_get(1, || Action::Slow {
        bytes_per_second: 64 * MIB,
    });
    all_at_once(&world, 2);
    assert_reads(&world, &bytes).await;
    let ranges = world.ranges();
    let (first, _) = ranges[0];
    // What shows that it is slow, and what the stream brings meanwhile.
    assert!((20 * MIB..=32 * MIB).contains(&first), "{first}");
    assert!(
        ranges.iter().all(|(first, end)| end - first == 4 * MIB),
        "{ranges:?}"
    );
}

/// Whoever takes the bytes needs longer for them than S3 does.
#[tokio::test]
async fn a_slow_reader_is_read_for_by_one_request() {
    let world = World::new().await;
    world.s3.put_generated(BUCKET, "k", 40 * 1024 * 1024);
    let (_, mut body) = world.open("k").await;
    loop {
        let asked = Instant::now();
        if body.next().await.unwrap().is_none() {
            break;
        }
        let took = asked.elapsed();
        let working = Instant::now();
        while working.elapsed() < took * 2 {
            std::hint::spin_loop();
        }
    }
    assert_eq!(world.s3.requests().len(), 1);
}

#[tokio::test]
async fn what_is_small_or_nearly_read_is_read_by_one_request() {
    for (size, ranges) in [(1024, 0), (5 * UNIT, 0), (6 * UNIT + 1, 3)] {
        let world = World::slow(ReadAhead {
            trial: Some(UNIT),
            least: 4 * UNIT,
            ..EAGER
        })
        .await;
        let bytes = ramp(size as usize);
        world.s3.put(BUCKET, "k", bytes.clone());
        assert_reads(&world, &bytes).await;
        let asked = world.ranges();
        assert!(asked.len() >= ranges.min(1), "{size}: {asked:?}");
        assert_eq!(asked.is_empty(), ranges == 0, "{size}: {asked:?}");
        assert_eq!(world.s3.requests().len(), 1 + asked.len(), "{size}");
    }
}

/// All that is asked for and not taken, at whatever moment.
#[tokio::test]
async fn what_is_read_ahead_fits_into_the_budget() {
    let world = World::slow(ReadAhead {
        budget: 4 * UNIT,
        ..EAGER
    })
    .await;
    world.s3.put_generated(BUCKET, "k", 40 * UNIT);
    let (_, mut body) = world.open("k").await;
    let mut most = 0;
    while body.next().await.unwrap().is_some() {
        let taken = body.offset();
        let ahead = world
            .ranges()
            .into_iter()
            .map(|(first, end)| end.saturating_sub(first.max(taken)))
            .sum();
        assert!(ahead <= 4 * UNIT, "{ahead} at {taken}");
        most = most.max(ahead);
    }
    assert!(most > 3 * UNIT, "{most}");
}

/// Nor less than one range, or nothing would get on.
#[tokio::test]
async fn a_budget_of_nothing_is_one_range() {
    let world = World::slow(ReadAhead { budget: 0, ..EAGER }).await;
    let bytes = ramp(9 * UNIT as usize);
    world.s3.put(BUCKET, "k", bytes.clone());
    assert_reads(&world, &bytes).await;
    assert_eq!(world.ranges().len(), 7);
}

/// S3 is quickest within a part.
#[tokio::test]
async fn no_range_reaches_over_two_parts_that_are_known() {
    let part = 5 * UNIT / 2;
    for kind in KINDS.into_iter().filter(|kind| kind.is_composite()) {
        let world = World::slow(EAGER).await;
        let bytes = seeded(2, 6 * part as usize);
        let cuts: Vec<_> = (1..6).map(|cut| (cut * part) as usize).collect();
        world.put("k", kind, &bytes, &cuts).await;
        assert_reads(&world, &bytes).await;
        let ranges = world.ranges();
        for (first, end) in &ranges {
            assert_eq!(first / part, (end - 1) / part, "{first} {end}");
        }
        assert!(ranges.len() >= 9, "{ranges:?}");
    }
}

#[tokio::test]
async fn a_range_of_another_version_is_not_read() {
    for delete in [false, true] {
        for unit in [2, 3, 9, 19] {
            let world = World::slow(EAGER).await;
            let bytes = ramp(20 * UNIT as usize);
            world.s3.put(BUCKET, "k", bytes.clone());
            let store = world.s3.store();
            world.at_range(unit * UNIT, 1, move || {
                let store = store.clone();
                Action::run(move || {
                    if delete {
                        store.delete(BUCKET, "k");
                    } else {
                        store.put_generated_from(BUCKET, "k", 1, 20 * UNIT);
                    }
                })
            });
            let (_, mut body) = world.open("k").await;
            let (got, result) = drain(&mut body).await;
            let error = result.unwrap_err();
            let expected = if delete {
                matches!(error, SourceError::Vanished)
            } else {
                matches!(error, SourceError::Replaced)
            };
            assert!(expected, "{unit}: {error:?}");
            assert!(bytes.starts_with(&got), "{unit}: bytes of another version");
            assert!(got.len() as u64 <= unit * UNIT, "{unit}");
        }
    }
}

/// In a versioned bucket the version is read to its end.
#[tokio::test]
async fn ranges_are_of_the_version_that_was_begun() {
    let world = World::slow(EAGER).await;
    world.s3.create_versioned_bucket(BUCKET);
    let bytes = ramp(20 * UNIT as usize);
    world.s3.put(BUCKET, "k", bytes.clone());
    let store = world.s3.store();
    world.at_range(9 * UNIT, 1, move || {
        let store = store.clone();
        Action::run(move || _ = store.put_generated_from(BUCKET, "k", 1, 20 * UNIT))
    });
    assert_reads(&world, &bytes).await;
}

#[tokio::test]
async fn a_wrong_byte_in_a_range_is_found() {
    for kind in KINDS {
        let world = World::slow(EAGER).await;
        let bytes = seeded(3, 9 * UNIT as usize);
        world.put("k", kind, &bytes, &[5 * UNIT as usize]).await;
        world.at_range(7 * UNIT, 1, || Action::Corrupt { offset: UNIT - 1 });
        let (_, mut body) = world.open("k").await;
        assert_mismatch(&drain(&mut body).await.1, kind);
    }
}

#[tokio::test]
async fn a_range_that_breaks_off_is_gone_on_with_from_its_own_offset() {
    let world = World::slow(EAGER).await;
    let bytes = ramp(20 * UNIT as usize);
    let stored = world.s3.put(BUCKET, "k", bytes.clone());
    for unit in [2, 8, 19] {
        world.at_range(unit * UNIT, 1, || Action::CutBody { after: 1000 });
        world.at_range(unit * UNIT + 1000, 1, || Action::CutBody { after: 0 });
    }
    assert_reads(&world, &bytes).await;
    for unit in [2, 8, 19] {
        let rest = format!("bytes={}-{}", unit * UNIT + 1000, (unit + 1) * UNIT - 1);
        let mut asked = world.s3.requests();
        asked.retain(|request| request.range.as_ref() == Some(&rest));
        assert_eq!(asked.len(), 2, "{rest}");
        for request in asked {
            assert_eq!(request.if_match.as_ref(), Some(&stored.etag));
        }
    }
}

/// It is an economy: where it does not work, the one stream brings the bytes, open or asked for.
#[tokio::test]
async fn where_ranges_fail_one_stream_brings_the_bytes() {
    for unit in [2, 9] {
        let faults: [fn() -> Action; 3] = [Action::slow_down, Action::access_denied, || {
            Action::CutBody { after: 0 }
        }];
        for fault in faults {
            let mut world = World::slow(EAGER).await;
            let config = world.s3.config();
            let config = config.retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled());
            let client = aws_sdk_s3::Client::from_conf(config.build());
            world.source = S3::with_client(client).with_read_ahead(EAGER);
            let bytes = ramp(12 * UNIT as usize);
            world.s3.put(BUCKET, "k", bytes.clone());
            for time in 1..=4 {
                world.at_range(unit * UNIT, time, fault);
            }
            assert_reads(&world, &bytes).await;
            let mut streams = world.s3.requests();
            streams.retain(|request| range_of(request).is_none());
            let asked: Vec<_> = streams.into_iter().map(|it| it.range).collect();
            if unit == 2 {
                assert_eq!(asked, [None], "the one that is open");
            } else {
                assert_eq!(asked, [None, Some(format!("bytes={}-", 9 * UNIT))]);
            }
        }
    }
}

#[tokio::test]
async fn a_rewind_lets_go_of_all_ranges() {
    let world = World::slow(EAGER).await;
    let bytes = ramp(20 * UNIT as usize);
    let stored = world.s3.put(BUCKET, "k", bytes.clone());
    let (_, mut body) = world.open("k").await;
    let mut file = read_to(&mut body, 15 * UNIT + 1).await;
    let at = body.rewind(5 * UNIT);
    file.truncate(at as usize);
    world.s3.forget_requests();
    let (rest, check) = drain(&mut body).await;
    check.unwrap();
    file.extend(rest);
    assert!(file == bytes);
    let requests = world.s3.requests();
    assert_eq!(requests[0].if_match.as_ref(), Some(&stored.etag));
    let streams = requests
        .iter()
        .filter(|request| range_of(request).is_none());
    let streams: Vec<_> = streams.filter_map(|it| it.range.clone()).collect();
    assert_eq!(streams, [format!("bytes={at}-")]);
    // Begun again behind it, the ones that were there as well.
    let mut ranges = world.ranges();
    // One that was let go of may have been on its way.
    ranges.dedup();
    assert!((at..=at + 2 * UNIT).contains(&ranges[0].0), "{ranges:?}");
    assert!(ranges.windows(2).all(|pair| pair[0].1 == pair[1].0));
}

/// Taken up again, wherever it was broken off.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_wait_loses_no_byte() {
    let mut runs = JoinSet::new();
    for patience in 0..24_u32 {
        runs.spawn(async move {
            let world = World::slow(EAGER).await;
            let bytes = ramp(24 * UNIT as usize);
            world.s3.put(BUCKET, "k", bytes.clone());
            world.at_range(7 * UNIT, 1, || Action::CutBody { after: 1000 });
            let (_, mut body) = world.open("k").await;
            let mut file = Vec::new();
            let mut broken_off = 0;
            loop {
                let next = tokio::select! {
                    biased;
                    next = body.next() => next.unwrap(),
                    () = async {
                        for _ in 0..patience {
                            tokio::task::yield_now().await;
                        }
                    } => {
                        broken_off += 1;
                        tokio::task::yield_now().await;
                        continue;
                    }
                };
                let Some(next) = next else { break };
                file.extend_from_slice(&next);
            }
            assert!(broken_off > 0 || patience > 0, "{patience}");
            assert!(file == bytes, "{patience}");
            body.checksum()
        });
    }
    while let Some(done) = runs.join_next().await {
        assert_eq!(done.unwrap(), KINDS[0].equal(1));
    }
}

/// A frozen environment would read on when it thaws.
#[tokio::test]
async fn no_range_outlives_its_body() {
    let world = World::slow(EAGER).await;
    world.s3.put_generated(BUCKET, "k", 20 * UNIT);
    let (asked, mut is_asked) = watch::channel(0);
    let alive = Arc::new(());
    let held = Arc::downgrade(&alive);
    let (gone, is_gone) = oneshot::channel::<()>();
    let mut holder = Some((alive, gone));
    world.s3.hook(move |request| {
        if range_of(request).is_none() {
            return Action::Pass;
        }
        asked.send_modify(|asked| *asked += 1);
        // Dropped with the connection.
        let holder = holder.take();
        Action::hold(async move {
            std::future::pending::<()>().await;
            drop(holder);
        })
    });
    let (_, mut body) = world.open("k").await;
    let next = async { while body.next().await.unwrap().is_some() {} };
    tokio::select! {
        () = next => panic!("the ranges are held"),
        asked = is_asked.wait_for(|asked| *asked == 8) => drop(asked.unwrap()),
    }
    assert!(held.upgrade().is_some());
    drop(body);
    is_gone.await.unwrap_err();
    assert!(held.upgrade().is_none());
}
