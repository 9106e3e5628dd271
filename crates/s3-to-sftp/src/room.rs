//! How much may be on its way at once: files, by what the server allows, and bytes, by the function's memory.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Memory is shared out in pieces of this size.
const UNIT: u64 = 64 * 1024;

/// The least and the most that all files have together, in bytes.
const SMALLEST: u64 = 512 * 1024;
const LARGEST: u64 = 40 * 1024 * 1024;

/// Handles that a connection may have open where the server does not say: OpenSSH's number before it did.
const HANDLES: u64 = 100;
/// What is left of them: for the directories that are synced, and for what an answer that was lost has left open.
const SPARE_HANDLES: u64 = 16;

/// The room of all files that are on their way.
#[derive(Debug)]
pub(crate) struct Room {
    max_files: usize,
    /// One until the server's limits are known.
    files: Semaphore,
    are_limits_known: AtomicBool,
    memory: Semaphore,
    /// In units.
    total: u32,
}

/// A delivery's part of it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    /// Bytes that may be written and not acknowledged.
    pub(crate) bytes: usize,
    _file: Option<SemaphorePermit<'a>>,
    _memory: Option<SemaphorePermit<'a>>,
}

impl Room {
    /// An eighth of `memory`, which is what Lambda gives the function: what is written is kept until it is
    /// acknowledged.
    pub(crate) fn new(max_files: usize, memory: Option<u64>) -> Self {
        let bytes = memory.map_or(LARGEST, |memory| (memory / 8).clamp(SMALLEST, LARGEST));
        Self::of(max_files, units(bytes))
    }

    fn of(max_files: usize, total: u32) -> Self {
        Self {
            max_files,
            files: Semaphore::new(1),
            are_limits_known: AtomicBool::new(false),
            memory: Semaphore::new(total as usize),
            total,
        }
    }

    /// Waits for room for a file of `size` bytes, whoever came first goes first. `open_handles` are asked for
    /// where a second file comes beside the first.
    ///
    /// A delivery asks once, before it writes, and for all that it will need: one that held a part and waited for
    /// more might wait for another that does the same.
    pub(crate) async fn share(
        &self,
        size: u64,
        open_handles: impl Future<Output = Option<u64>>,
    ) -> Share<'_> {
        let file = match self.files.try_acquire() {
            Ok(permit) => Some(permit),
            Err(_) => {
                if !self.are_limits_known.load(Ordering::Relaxed) {
                    self.widen(open_handles.await);
                }
                // It is never closed.
                self.files.acquire().await.ok()
            }
        };
        let part = units(size).clamp(1, (self.total * 3 / 4).max(1));
        let memory = self.memory.acquire_many(part).await.ok();
        Share {
            bytes: usize::try_from(u64::from(part) * UNIT).unwrap_or(usize::MAX),
            _file: file,
            _memory: memory,
        }
    }

    fn widen(&self, open_handles: Option<u64>) {
        if self.are_limits_known.swap(true, Ordering::Relaxed) {
            return;
        }
        let handles = open_handles.unwrap_or(HANDLES);
        let allowed = usize::try_from(handles.saturating_sub(SPARE_HANDLES)).unwrap_or(usize::MAX);
        let files = self.max_files.min(allowed).max(1);
        self.files.add_permits(files - 1);
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[tokio::test]
    async fn the_budget_is_an_eighth_of_the_memory() {
        for (memory, total) in [
            (None, 40),
            (Some(128), 16),
            (Some(16), 2),
            (Some(10240), 40),
        ] {
            let room = Room::new(16, memory.map(|it| it * MIB));
            assert_eq!(u64::from(room.total) * UNIT, total * MIB, "{memory:?}");
            let share = room.share(u64::MAX, ready(None)).await;
            assert_eq!(share.bytes as u64, total * MIB * 3 / 4, "{memory:?}");
        }
        let room = Room::new(16, None);
        assert_eq!(room.share(0, ready(None)).await.bytes as u64, UNIT);
    }

    #[tokio::test]
    async fn files_are_bounded_by_the_servers_handles() {
        for (max, handles, expected) in [
            (16, None, 16),
            (256, None, 84),
            (16, Some(20), 4),
            (16, Some(3), 1),
            (2, Some(1000), 2),
        ] {
            let room = Room::of(max, 10_000);
            let mut shares = Vec::new();
            for _ in 0..expected {
                shares.push(room.share(1, ready(handles)).await);
            }
            let one_more = room.share(1, ready(handles));
            let waiting = tokio::time::timeout(Duration::from_millis(1), one_more).await;
            assert!(waiting.is_err(), "{max} {handles:?}");
            drop(shares);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// However little there is, all get their part in the end, and never more than there is at once.
        #[test]
        fn a_hundred_files_never_block_one_another(
            total in 1_u32..8,
            max_files in 1_usize..20,
            sizes in prop::collection::vec(0_u64..2 * MIB, 100),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime");
            let (room, held) = (Room::of(max_files, total), AtomicUsize::new(0));
            let (room, held): (&'static Room, &'static AtomicUsize) =
                (Box::leak(Box::new(room)), Box::leak(Box::new(held)));
            LocalSet::new().block_on(&runtime, async {
                let files: Vec<_> = sizes
                    .into_iter()
                    .map(|size| {
                        spawn_local(async move {
                            let share = room.share(size, ready(None)).await;
                            let now = held.fetch_add(share.bytes, Ordering::Relaxed) + share.bytes;
                            assert!(now as u64 <= u64::from(room.total) * UNIT);
                            yield_now().await;
                            held.fetch_sub(share.bytes, Ordering::Relaxed);
                        })
                    })
                    .collect();
                for file in files {
                    let ended = tokio::time::timeout(Duration::from_secs(10), file).await;
                    ended.expect("it gets its part").expect("there was room");
                }
            });
        }
    }
}
