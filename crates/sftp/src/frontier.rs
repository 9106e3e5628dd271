//! Up to where a file is acknowledged without a gap, when answers come from several channels.

use std::collections::BTreeMap;

/// The offset below which everything has been acknowledged, and what has been above it.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    acknowledged: u64,
    /// Offset and length of what is acknowledged behind a gap.
    above: BTreeMap<u64, u64>,
}

impl Frontier {
    pub(crate) fn at(acknowledged: u64) -> Self {
        Self {
            acknowledged,
            above: BTreeMap::new(),
        }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// A write of `length` bytes at `offset` was answered with OK. No two of them overlap.
    pub(crate) fn pass(&mut self, offset: u64, length: u64) {
        self.above.insert(offset, length);
        while let Some(length) = self.above.remove(&self.acknowledged) {
            self.acknowledged += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_over_what_has_no_gap_below() {
        let mut frontier = Frontier::at(100);
        frontier.pass(150, 50);
        frontier.pass(250, 10);
        assert_eq!(frontier.acknowledged(), 100);
        frontier.pass(100, 50);
        assert_eq!(frontier.acknowledged(), 200);
        frontier.pass(200, 50);
        assert_eq!(frontier.acknowledged(), 260);
        assert!(frontier.above.is_empty());
    }
}
