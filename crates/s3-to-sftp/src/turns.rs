//! Whose turn it is among the records of one invocation that meet at one name.
//!
//! Two deliveries of one object by one owner have the same temporary; two objects with the same remote path would
//! race for who is the last. So they go one after the other, in the order of the event.
//!
//! A record waits for earlier ones, and for one that is at work on its path, never for a later one that waits
//! itself: so nobody waits for ever.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::object::ObjectName;

/// The records of an invocation that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// In the order of the event.
    under_way: BTreeMap<u64, Claim>,
    /// Whose each path was last, for those who wonder at a file that was replaced.
    last: HashMap<String, ObjectName>,
}

#[derive(Debug)]
struct Claim {
    object: ObjectName,
    path: Path,
}

#[derive(Debug, PartialEq, Eq)]
enum Path {
    /// It depends on what S3 answers.
    Unknown,
    Wanted(String),
    Held(String),
}

/// A record's place in the order, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    /// The next record. `path` is its remote path, where that is known already.
    pub(crate) fn enter(&self, object: ObjectName, path: Option<String>) -> Turn<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        let path = path.map_or(Path::Unknown, Path::Wanted);
        state.under_way.insert(number, Claim { object, path });
        Turn {
            turns: self,
            number,
        }
    }

    /// Waits until `may` says so; it is asked again after each change.
    async fn wait<T>(&self, mut may: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(it) = may(&mut self.lock()) {
                return it;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Waits until no earlier record of the same object is under way.
    pub(crate) async fn of_object(&self) {
        let number = self.number;
        let may = |state: &mut State| {
            let own = state.under_way.get(&number)?;
            let mut before = state.under_way.range(..number);
            (!before.any(|(_, it)| it.object == own.object)).then_some(())
        };
        self.turns.wait(may).await;
    }

    /// Waits until the path is nobody else's, and holds it. A path that was held before is let go.
    pub(crate) async fn of_path(&self, path: &str) {
        self.want(path);
        let number = self.number;
        let may = |state: &mut State| {
            let is_in_the_way = |(it, claim): (&u64, &Claim)| match &claim.path {
                Path::Held(other) => *it != number && other == path,
                Path::Wanted(other) => *it < number && other == path,
                Path::Unknown => *it < number,
            };
            if state.under_way.iter().any(is_in_the_way) {
                return None;
            }
            let own = state.under_way.get_mut(&number)?;
            own.path = Path::Held(path.to_owned());
            let object = own.object.clone();
            let before = state.last.insert(path.to_owned(), object.clone());
            Some((object, before))
        };
        let (object, before) = self.turns.wait(may).await;
        if let Some(before) = before.filter(|before| *before != object) {
            tracing::warn!(
                %object, %before, path,
                "two objects of one event have the same remote path: the later one goes over the earlier; give them \
                 names of their own by SSH_FILENAME"
            );
        }
    }

    fn want(&self, path: &str) {
        if let Some(own) = self.turns.lock().under_way.get_mut(&self.number) {
            own.path = Path::Wanted(path.to_owned());
        }
        self.turns.changed.notify_waiters();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.lock().under_way.remove(&self.number);
        self.turns.changed.notify_waiters();
    }
}
