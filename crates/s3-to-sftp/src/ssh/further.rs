//! Further SFTP channels of one connection, opened when they are first asked for and used again after that.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;

use super::error::ConnectError;

/// The channels beside the first one.
#[derive(Debug)]
pub(super) struct Further {
    /// One that nobody else holds is free.
    open: Mutex<Vec<Arc<sftp::Session>>>,
    /// As many as the server bears, as far as that is known.
    most: AtomicUsize,
    /// Some are being asked for.
    is_opening: AtomicBool,
    /// One of them ended, and not by its own CLOSE.
    has_lost: AtomicBool,
}

impl Further {
    pub(super) fn new() -> Self {
        Self {
            open: Mutex::default(),
            most: AtomicUsize::new(usize::MAX),
            is_opening: AtomicBool::new(false),
            has_lost: AtomicBool::new(false),
        }
    }

    /// As many as the server bears. A connection that broke while some were asked for bears none.
    pub(super) fn most(&self) -> usize {
        if self.is_opening.load(Ordering::Relaxed) {
            0
        } else {
            self.most.load(Ordering::Relaxed)
        }
    }

    /// The same, where the server has shown it.
    pub(super) fn known_limit(&self) -> Option<usize> {
        let most = self.most.load(Ordering::Relaxed);
        (most < usize::MAX).then_some(most)
    }

    pub(super) fn limit(&self, most: usize) {
        self.most.fetch_min(most, Ordering::Relaxed);
    }

    /// Whether nothing is on its way on any of them. What one that ended had on its way may still be sent.
    pub(super) fn are_at_rest(&self) -> bool {
        let all = self.lock();
        let is_at_rest =
            |session: &Arc<sftp::Session>| !session.is_closed() && session.outstanding() == 0;
        !self.has_lost.load(Ordering::Relaxed) && all.iter().all(is_at_rest)
    }

    /// Up to `wanted` that nobody uses; those that are missing are opened by `open`, all at once. A refused one is no
    /// error: it is not asked for again.
    pub(super) async fn take<F>(
        &self,
        wanted: usize,
        open: impl Fn() -> F,
    ) -> Vec<Arc<sftp::Session>>
    where
        F: Future<Output = Result<sftp::Session, ConnectError>>,
    {
        let (mut taken, missing) = {
            let mut all = self.lock();
            let before = all.len();
            all.retain(|session| !session.is_closed());
            self.has_lost
                .fetch_or(all.len() < before, Ordering::Relaxed);
            let free = all
                .iter()
                .filter(|session| Arc::strong_count(session) == 1 && session.outstanding() == 0);
            let most = self.most();
            let taken: Vec<_> = free.take(wanted.min(most)).map(Arc::clone).collect();
            let room = most.saturating_sub(all.len());
            let missing = (wanted - taken.len()).min(room);
            (taken, missing)
        };
        if missing == 0 {
            return taken;
        }
        self.is_opening.store(true, Ordering::Relaxed);
        let opened = join_all((0..missing).map(|_| open())).await;
        self.is_opening.store(false, Ordering::Relaxed);
        let mut all = self.lock();
        let mut refusal = None;
        for opened in opened {
            match opened {
                Ok(session) => {
                    let session = Arc::new(session);
                    all.push(Arc::clone(&session));
                    taken.push(session);
                }
                Err(error) => refusal = Some(error),
            }
        }
        if let Some(error) = refusal {
            self.limit(all.len());
            let error: &dyn std::error::Error = &error;
            tracing::info!(
                channels = all.len() + 1,
                error,
                "the server bears no more channels"
            );
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<sftp::Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;

    use super::*;

    /// Whoever asks finds the end of the connection by a write first, and waits no longer.
    #[test]
    fn a_connection_that_broke_while_channels_were_asked_for_bears_none() {
        let further = Further::new();
        assert!(further.take(3, pending).now_or_never().is_none());
        assert_eq!(further.most(), 0);
    }
}
