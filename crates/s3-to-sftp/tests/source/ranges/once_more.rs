//! A range that is slower than the others is asked for once more.

use super::*;

/// Nothing at all, or a trickle: the other ranges are there, and it is asked for once more.
#[tokio::test]
async fn a_range_that_is_slow_is_asked_for_once_more() {
    let faults: [fn() -> Action; 3] = [
        || Action::hold(std::future::pending::<()>()),
        // Its first bytes at once, the next ones in 50 s.
        || Action::Slow {
            bytes_per_second: 1,
        },
        // A fiftieth of a range per frame.
        || Action::Slow {
            bytes_per_second: 20 * UNIT / 50,
        },
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        let world = World::slow(ReadAhead {
            patience: SHORT,
            ..EAGER
        })
        .await;
        let bytes = ramp(20 * UNIT as usize);
        world.s3.put(BUCKET, "k", bytes.clone());
        world.at_range(9 * UNIT, 1, fault);
        assert_reads(&world, &bytes).await;
        let mut asked = world.ranges();
        asked.retain(|(_, end)| *end == 10 * UNIT);
        assert_eq!(asked.len(), 2, "{index}: {asked:?}");
    }
}

/// Quick at first, then silent: on the average it is as good as the others for a long time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_range_that_falls_silent_is_asked_for_once_more() {
    let world = World::slow(ReadAhead {
        patience: SHORT,
        ..EAGER
    })
    .await;
    let bytes = ramp(8 * UNIT as usize);
    world.s3.put(BUCKET, "k", bytes.clone());
    let (release, released) = oneshot::channel::<()>();
    let mut released = Some(released);
    world.s3.hook(move |request| match range_of(request) {
        Some((first, _)) if first == 2 * UNIT => match released.take() {
            Some(released) => Action::hold_at(UNIT - 1000, released),
            None => Action::Pass,
        },
        // In a second: it is an eighth as quick as that in eight.
        Some((_, end)) if end > 3 * UNIT => Action::Slow {
            bytes_per_second: UNIT,
        },
        _ => Action::Pass,
    });
    // The SDK would take longer to find that it has stalled.
    let most = Duration::from_secs(4);
    let reading = tokio::time::timeout(most, assert_reads(&world, &bytes)).await;
    drop(release);
    reading.unwrap();
    let rest = 3 * UNIT - 1000;
    assert!(world.ranges().contains(&(rest, 3 * UNIT)));
}

/// The one that is slow may yet be the first.
#[tokio::test]
async fn a_slow_range_may_win() {
    let world = World::slow(ReadAhead {
        patience: SHORT,
        ..EAGER
    })
    .await;
    let bytes = ramp(12 * UNIT as usize);
    world.s3.put(BUCKET, "k", bytes.clone());
    let (again, is_asked_again) = oneshot::channel();
    let mut slow = Some(is_asked_again);
    let mut again = Some(again);
    world.s3.hook(move |request| {
        if range_of(request).is_none_or(|(first, _)| first != 5 * UNIT) {
            return Action::Pass;
        }
        if let Some(is_asked_again) = slow.take() {
            return Action::hold(is_asked_again);
        }
        _ = again.take().map(|again| again.send(()));
        Action::hold(std::future::pending::<()>())
    });
    assert_reads(&world, &bytes).await;
}

/// It trickles on while the other request is on its way: what both bring is taken once.
#[tokio::test]
async fn what_a_slow_range_still_brings_is_not_taken_twice() {
    let world = World::slow(ReadAhead {
        patience: SHORT,
        ..EAGER
    })
    .await;
    let bytes = ramp(12 * UNIT as usize);
    world.s3.put(BUCKET, "k", bytes.clone());
    world.s3.hook(|request| match range_of(request) {
        Some((first, end)) if end == 6 * UNIT => {
            if first == 5 * UNIT {
                return Action::Slow {
                    bytes_per_second: 20 * UNIT / 50,
                };
            }
            Action::Delay(2 * SHORT)
        }
        _ => Action::Pass,
    });
    assert_reads(&world, &bytes).await;
    let mut asked = world.ranges();
    asked.retain(|(_, end)| *end == 6 * UNIT);
    assert_eq!(asked.len(), 2, "{asked:?}");
}
