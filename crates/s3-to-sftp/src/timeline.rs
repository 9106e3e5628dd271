//! Where a delivery is, how long it was where, and how often it had to try again.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Stage;

/// The course of one delivery in one invocation. Its receipt tells it, and an error names the last stage.
#[derive(Debug)]
pub(crate) struct Timeline {
    begun: Instant,
    stage: Stage,
    since: Instant,
    spent: Vec<(Stage, Duration)>,
    retries: u32,
}

impl Timeline {
    /// Begins with this stage.
    pub(crate) fn new(stage: Stage) -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            stage,
            since: now,
            spent: Vec::new(),
            retries: 0,
        }
    }

    /// Goes on to a stage, or back to one.
    pub(crate) fn enter(&mut self, stage: Stage) {
        let now = Instant::now();
        self.spent.push((self.stage, now - self.since));
        self.since = now;
        self.stage = stage;
    }

    /// Notes that something is done once more: a connection is made again, or an object is begun anew.
    pub(crate) fn try_again(&mut self) {
        self.retries += 1;
    }

    /// The stage that it is at.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// How often something was done once more.
    pub(crate) fn retries(&self) -> u32 {
        self.retries
    }

    /// From the beginning until now.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The time in these stages, until now.
    pub(crate) fn spent(&self, stages: &[Stage]) -> Duration {
        let current = (self.stage, self.since.elapsed());
        let all = self.spent.iter().chain([&current]);
        all.filter(|(stage, _)| stages.contains(stage))
            .map(|(_, spent)| *spent)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_stage_has_its_time_and_the_last_one_is_told() {
        let seconds = Duration::from_secs;
        let mut timeline = Timeline::new(Stage::OpenSource);
        advance(seconds(1)).await;
        timeline.enter(Stage::Transfer);
        advance(seconds(20)).await;
        timeline.try_again();
        timeline.enter(Stage::OpenSource);
        advance(seconds(300)).await;
        timeline.enter(Stage::Transfer);
        advance(seconds(4000)).await;

        assert_eq!(timeline.stage(), Stage::Transfer);
        assert_eq!(timeline.retries(), 1);
        assert_eq!(timeline.elapsed(), seconds(4321));
        assert_eq!(timeline.spent(&[Stage::OpenSource]), seconds(301));
        assert_eq!(
            timeline.spent(&[Stage::Transfer, Stage::Verify]),
            seconds(4020)
        );
        assert_eq!(timeline.spent(&[Stage::Publish]), seconds(0));
    }
}
