//! The directories that keys ask for, made once for all files that need them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sftp::{Handle, Reply, Session, StatusCode};

use super::Place;
use crate::error::Cause;
use crate::profile::Finding;

/// The directories of an invocation's files, by the innermost ones.
#[derive(Debug, Default)]
pub(crate) struct Directories(Mutex<HashMap<String, Arc<Path>>>);

/// The directories that one file needs.
#[derive(Debug, Default)]
struct Path {
    /// Held while they are made: whoever needs them too waits.
    making: tokio::sync::Mutex<()>,
    /// How often they have been made.
    times: AtomicU64,
}

/// What there was when an OPEN was sent.
#[derive(Debug)]
pub(super) struct Needed {
    path: Arc<Path>,
    times: u64,
}

impl Directories {
    /// To be asked before the OPEN that needs the directories: only so is it known afterwards whether they have been
    /// made since.
    pub(super) fn needed(&self, place: &Place<'_>) -> Needed {
        let innermost = [
            place.path.directories().last(),
            place.name.directories.last().map(String::as_str),
        ];
        let key = innermost.map(Option::unwrap_or_default).join("\n");
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = Arc::clone(paths.entry(key).or_default());
        let times = path.times.load(Ordering::Relaxed);
        Needed { path, times }
    }
}

impl Needed {
    /// An OPEN found no directory: it is sent again when there should be one. Where another file has had them made
    /// since the OPEN, they are made only if that has not helped: the partner may have removed them.
    ///
    /// Beside the answer to the last OPEN: why they could not be made, to explain it.
    pub(super) async fn open(
        self,
        session: &Session,
        place: &Place<'_>,
        open: impl Fn() -> Reply<Handle>,
    ) -> (sftp::Result<Handle>, Result<(), Cause>) {
        let mut making = self.path.making.lock().await;
        if self.path.times.load(Ordering::Relaxed) > self.times {
            drop(making);
            match open().await {
                Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {}
                opened => return (opened, Ok(())),
            }
            making = self.path.making.lock().await;
        }
        let made = self.make(session, place).await;
        drop(making);
        let opened = open().await;
        if made.is_err() && matches!(&opened, Err(error) if error.status().is_some()) {
            place.profile.saw(Finding::NoMkdir);
        }
        (opened, made)
    }

    /// Makes the directories, outermost first. Their statuses are not judged, for servers answer
    /// FAILURE, or worse, for what exists already: the OPEN behind them tells. What is handed back is
    /// the first refusal that is no FAILURE, to explain that OPEN's.
    async fn make(&self, session: &Session, place: &Place<'_>) -> Result<(), Cause> {
        let names: Vec<&str> = place
            .path
            .directories()
            .chain(place.name.directories.iter().map(String::as_str))
            .collect();
        let replies: Vec<_> = names.iter().map(|name| session.mkdir(name)).collect();
        let mut refusal = Ok(());
        for (name, reply) in names.iter().zip(replies) {
            let answer = reply.await;
            if refusal.is_ok() && !matches!(&answer, Err(error) if error.is(StatusCode::FAILURE)) {
                refusal = answer.map_err(Cause::sftp(format!("MKDIR of {name}")));
            }
        }
        self.path.times.fetch_add(1, Ordering::Relaxed);
        refusal
    }
}
