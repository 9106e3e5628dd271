//! When a failed message comes again.

use std::ops::RangeInclusive;

/// After the first receive.
const FIRST: i32 = 30;
/// Before the jitter. A server's maintenance is over some time, and this is how late it is noticed.
const LONGEST: i32 = 15 * 60;

/// Seconds until a message that was received for the `receives`-th time is shown again: 30, doubled by each receive,
/// at most 15 minutes, give or take a fifth. Without the jitter a batch that failed together would come
/// back together, to a server that was too busy for it.
pub(super) fn seconds(receives: u32, random: impl FnOnce(RangeInclusive<i32>) -> i32) -> i32 {
    // 30 s doubled five times is more than the longest.
    let doublings = receives.saturating_sub(1).min(5);
    let base = (FIRST << doublings).min(LONGEST);
    let jitter = base / 5;
    random(base - jitter..=base + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receive_doubles_the_wait_up_to_a_quarter_of_an_hour() {
        let range = |receives| {
            let mut range = 0..=0;
            let taken = seconds(receives, |from| {
                range = from.clone();
                *from.end()
            });
            assert_eq!(taken, *range.end(), "what the random source says is taken");
            range
        };
        // A message without a count is as good as new.
        assert_eq!(range(0), 24..=36);
        assert_eq!(range(1), 24..=36);
        assert_eq!(range(2), 48..=72);
        assert_eq!(range(3), 96..=144);
        assert_eq!(range(5), 384..=576);
        assert_eq!(range(6), 720..=1080);
        assert_eq!(range(u32::MAX), 720..=1080);
    }
}
