//! Medians with what lies around them, and ratios of runs that were made one after the other.

/// The middle of some figures, and their ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number of figures the mean of the middle two.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// None of no figures.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (&min, &max) = (figures.first()?, figures.last()?);
        let middle = figures.len() / 2;
        let median = if figures.len() % 2 == 1 {
            figures[middle]
        } else {
            f64::midpoint(figures[middle - 1], figures[middle])
        };
        Some(Self { median, min, max })
    }

    /// The same in another unit.
    #[must_use]
    pub fn map(self, unit: impl Fn(f64) -> f64) -> Self {
        let (one, other) = (unit(self.min), unit(self.max));
        Self {
            median: unit(self.median),
            // Throughput falls where time rises.
            min: one.min(other),
            max: one.max(other),
        }
    }
}

/// `a` by `b` for each round that both have: what disturbs the machine for minutes disturbs both.
#[must_use]
pub fn ratios(a: &[(u32, f64)], b: &[(u32, f64)]) -> Option<Spread> {
    Spread::of(a.iter().filter_map(|(round, a)| {
        let (_, b) = b.iter().find(|(other, b)| other == round && *b > 0.0)?;
        Some(a / b)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let odd = Spread::of([3.0, 1.0, 2.0]).expect("figures");
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        let even = Spread::of([4.0, 1.0, 2.0, 3.0]).expect("figures");
        assert_eq!(even.median, 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn the_longest_time_is_the_lowest_throughput() {
        let speed = Spread::of([1.0, 2.0, 4.0])
            .expect("figures")
            .map(|time| 8.0 / time);
        assert_eq!((speed.median, speed.min, speed.max), (4.0, 2.0, 8.0));
    }

    #[test]
    fn rounds_are_compared_with_their_own() {
        // A slow second round is slow for both.
        let (a, b) = ([(1, 1.0), (2, 10.0), (3, 7.0)], [(1, 2.0), (2, 20.0)]);
        let ratio = ratios(&a, &b).expect("two rounds");
        assert_eq!((ratio.median, ratio.min, ratio.max), (0.5, 0.5, 0.5));
        assert_eq!(ratios(&a, &[(9, 1.0)]), None);
        assert_eq!(ratios(&a, &[(1, 0.0)]), None);
    }
}
