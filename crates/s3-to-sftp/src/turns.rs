//! Whose turn it is among the records of one invocation, or of the invocations of one service, that meet at one name.
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

/// So many paths are remembered by whose they were last: what a service delivers has no end.
const REMEMBERED: usize = 10_000;

/// The records that are on their way.
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
            if state.last.len() >= REMEMBERED {
                state.last.clear();
            }
            let before = state.last.insert(path.to_owned(), object.clone());
            Some((object, before))
        };
        let (object, before) = self.turns.wait(may).await;
        if let Some(before) = before.filter(|before| *before != object) {
            tracing::warn!(
                %object, %before, path,
                "two objects have the same remote path: the later one goes over the earlier; give them \
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;

    /// A record of one of three objects, whose paths are in the order in which it finds them: a version that changes
    /// may bring another.
    #[derive(Debug, Clone)]
    struct Record {
        object: u8,
        is_path_known: bool,
        paths: Vec<u8>,
        pauses: u8,
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let paths = prop::collection::vec(0_u8..3, 1..4);
        let record = (0_u8..3, any::<bool>(), paths, 0_u8..4);
        let record = record.prop_map(|(object, is_path_known, paths, pauses)| Record {
            object,
            is_path_known,
            paths,
            pauses,
        });
        prop::collection::vec(record, 1..12)
    }

    fn name(object: u8) -> ObjectName {
        ObjectName {
            bucket: "inbox".to_owned(),
            key: object.to_string(),
        }
    }

    async fn pause(times: u8) {
        for _ in 0..times {
            yield_now().await;
        }
    }

    /// What is under way now, and in which order records of one object had their turn.
    #[derive(Debug, Default)]
    struct Seen {
        objects: HashSet<u8>,
        paths: HashSet<u8>,
        order: Vec<(u8, usize)>,
    }

    async fn run(turn: Turn<'_>, number: usize, record: Record, seen: &Mutex<Seen>) {
        let now = || seen.lock().expect("nobody panics");
        turn.of_object().await;
        assert!(now().objects.insert(record.object), "two of one object");
        now().order.push((record.object, number));
        pause(record.pauses).await;
        for path in record.paths {
            turn.of_path(&path.to_string()).await;
            assert!(now().paths.insert(path), "two with one path");
            pause(record.pauses).await;
            now().paths.remove(&path);
        }
        now().objects.remove(&record.object);
    }

    proptest! {
        /// Whatever they meet at, all get their turn, never two at once, and in order where it is one object.
        #[test]
        fn nobody_waits_for_ever_and_nobody_meets(records in records()) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime");
            let turns: &'static Turns = Box::leak(Box::default());
            let seen: &'static Mutex<Seen> = Box::leak(Box::default());
            LocalSet::new().block_on(&runtime, async {
                let mut running = Vec::new();
                for (number, record) in records.into_iter().enumerate() {
                    let path = record.is_path_known.then(|| record.paths[0].to_string());
                    let turn = turns.enter(name(record.object), path);
                    running.push(spawn_local(run(turn, number, record, seen)));
                }
                for record in running {
                    let ended = tokio::time::timeout(Duration::from_secs(10), record).await;
                    ended.expect("it has its turn").expect("alone");
                }
            });
            let order = &seen.lock().expect("nobody panics").order;
            for object in 0..3 {
                let of = order.iter().filter(|(it, _)| *it == object);
                let numbers: Vec<usize> = of.map(|(_, number)| *number).collect();
                prop_assert!(numbers.is_sorted(), "{order:?}");
            }
        }
    }
}
