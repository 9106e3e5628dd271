//! When something has to be over: an instant, which may be brought forward while it is waited for.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::error::Cause;

/// Brings the deadlines of all invocations forward that were begun with it.
#[derive(Debug, Clone)]
pub(crate) struct Recall(Arc<watch::Sender<Option<Instant>>>);

impl Default for Recall {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Recall {
    /// Whatever was to be over later has to be over by then.
    pub(crate) fn by(&self, instant: Instant) {
        self.0.send_replace(Some(instant));
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    at: Instant,
    recall: Option<Recall>,
}

impl Deadline {
    pub(crate) fn at(at: Instant) -> Self {
        Self { at, recall: None }
    }

    pub(crate) fn or_earlier_by(self, recall: &Recall) -> Self {
        let recall = Some(recall.clone());
        Self { recall, ..self }
    }

    /// As it was set, whatever became of it since.
    pub(crate) fn instant(&self) -> Instant {
        self.at
    }

    /// What the future gives, if it does so in time.
    ///
    /// # Errors
    ///
    /// [`Cause::Deadline`].
    pub(crate) async fn within<T>(&self, future: impl Future<Output = T>) -> Result<T, Cause> {
        tokio::select! {
            biased;
            it = future => Ok(it),
            () = self.reached() => Err(Cause::Deadline),
        }
    }

    async fn reached(&self) {
        let Some(recall) = &self.recall else {
            return sleep_until(self.at).await;
        };
        let mut recalled = recall.0.subscribe();
        loop {
            let by = *recalled.borrow_and_update();
            tokio::select! {
                () = sleep_until(by.map_or(self.at, |by| by.min(self.at))) => return,
                // The sender is here.
                _ = recalled.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_ends_sooner_when_the_deadline_is_brought_forward() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let recall = Recall::default();
        let deadline = Deadline::at(after(100)).or_earlier_by(&recall);
        let waiting = deadline.within(pending::<()>());
        let recalling = async {
            sleep_until(after(10)).await;
            recall.by(after(30));
            sleep_until(after(20)).await;
            recall.by(after(25));
        };
        let (waited, ()) = tokio::join!(waiting, recalling);
        assert!(matches!(waited, Err(Cause::Deadline)));
        assert_eq!(begin.elapsed().as_secs(), 25);
        // What begins later has it from the beginning, and what is there is taken all the same.
        assert!(deadline.within(pending::<()>()).await.is_err());
        assert!(matches!(deadline.within(ready(7)).await, Ok(7)));
        assert_eq!(begin.elapsed().as_secs(), 25);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_never_put_off() {
        let begin = Instant::now();
        let recall = Recall::default();
        let deadline = Deadline::at(begin + Duration::from_secs(1)).or_earlier_by(&recall);
        recall.by(begin + Duration::from_secs(100));
        assert!(deadline.within(pending::<()>()).await.is_err());
        assert_eq!(begin.elapsed().as_secs(), 1);
    }
}
