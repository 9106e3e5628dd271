//! What has been put, seen and taken, and what must never be. Content is compared, not sizes.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use testkit::s3::Store;

use crate::world::{BUCKET, Contents, Guise, Kind, Start};

/// How far a file system's clock may be behind.
const CLOCK: Duration = Duration::from_millis(20);

/// Something that must never be.
#[derive(Debug, Clone)]
pub(crate) struct Violation(pub(crate) String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One put.
#[derive(Debug, Clone)]
struct Version {
    content: Bytes,
    /// The user has deleted it, or has put another one while it was still there.
    is_withdrawn: bool,
    /// It was seen under the final name.
    is_published: bool,
}

/// What an outside observer knows of one key.
pub(crate) struct Ledger {
    pub(crate) home: PathBuf,
    pub(crate) key: String,
    pub(crate) store: Store,
    pub(crate) contents: Contents,
    kind: Kind,
    start: Start,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    versions: Vec<Version>,
    /// The newest that was seen under the final name.
    newest: Option<usize>,
    /// The server, or the partner, has taken the final file away.
    is_taken: bool,
    /// Somebody else has put a file there.
    is_foreign: bool,
    /// A connection was cut.
    was_cut: bool,
    violation: Option<Violation>,
    /// Why a temporary may be left, for each, and since when it has to be there.
    excuses: Vec<(&'static str, SystemTime)>,
    /// Why the partner's old file may be left under a name that it was moved aside to, for each.
    excuses_aside: Vec<&'static str>,
}

impl Ledger {
    pub(crate) fn new(home: PathBuf, key: String, store: Store, kind: Kind, start: Start) -> Self {
        Self {
            home,
            key,
            store,
            contents: Contents::new(kind.size()),
            kind,
            start,
            state: Mutex::new(State {
                // It stays whatever comes, as somebody else's does.
                is_foreign: kind.replaces_nothing() && start == Start::OlderFinal,
                ..State::default()
            }),
        }
    }

    /// A user puts a version.
    pub(crate) fn put(&self, content: Bytes, is_later: bool) {
        let mut state = self.lock();
        let was_there = self.store.exists(BUCKET, &self.key);
        if let Some(last) = state.versions.last_mut() {
            last.is_withdrawn |= was_there;
        }
        self.store.put(BUCKET, &self.key, content.clone());
        if is_later {
            // S3's clock has seconds, and the test is faster than that.
            let later = SystemTime::now() + Duration::from_secs(5);
            self.store.set_last_modified(BUCKET, &self.key, later);
        }
        state.versions.push(Version {
            content,
            is_withdrawn: false,
            is_published: false,
        });
    }

    /// A user deletes what is there.
    pub(crate) fn delete(&self) {
        let mut state = self.lock();
        if self.store.exists(BUCKET, &self.key)
            && let Some(last) = state.versions.last_mut()
        {
            last.is_withdrawn = true;
        }
        self.store.delete(BUCKET, &self.key);
    }

    /// Somebody else's file appears under the final name.
    pub(crate) fn appears(&self) {
        self.watch();
        let mut state = self.lock();
        // In one step: whoever looks meanwhile sees no half of it.
        let aside = format!("{}, on its way", self.key);
        self.write_file(&aside, &self.contents.older);
        std::fs::rename(self.home.join(aside), self.home.join(&self.key))
            .expect("the home can be written to");
        state.is_foreign = true;
    }

    pub(crate) fn is_foreign(&self) -> bool {
        self.lock().is_foreign
    }

    /// Whether a part of a version has the final name and keeps it: an attempt that wrote directly died.
    pub(crate) fn is_blocked(&self) -> bool {
        let state = self.lock();
        let is_version = |file| state.versions.iter().any(|version| version.content == file);
        self.kind.is_direct()
            && self.kind.replaces_nothing()
            && self.file(&self.key).is_some_and(|file| !is_version(file))
    }

    /// The partner has read the file and removes it, if it is one of ours.
    pub(crate) fn consume(&self) {
        self.watch();
        let mut state = self.lock();
        if self.file(&self.key).is_some() && state.newest.is_some() {
            _ = std::fs::remove_file(self.home.join(&self.key));
            state.is_taken = true;
        }
    }

    pub(crate) fn versions(&self) -> usize {
        self.lock().versions.len()
    }

    pub(crate) fn cut(&self) {
        self.lock().was_cut = true;
    }

    pub(crate) fn was_cut(&self) -> bool {
        self.lock().was_cut
    }

    /// One temporary may be left, for this reason: one that was made since then.
    pub(crate) fn excuse(&self, reason: &'static str, since: Option<SystemTime>) {
        // A file system's clock may be some milliseconds behind.
        let since = since.map_or(SystemTime::UNIX_EPOCH, |since| since - CLOCK);
        self.lock().excuses.push((reason, since));
    }

    pub(crate) fn excuse_aside(&self, reason: &'static str) {
        self.lock().excuses_aside.push(reason);
    }

    /// What has to hold whenever one looks.
    pub(crate) fn watch(&self) {
        let mut state = self.lock();
        // In this order: what is published between the two looks is then seen.
        let has_source = self.store.exists(BUCKET, &self.key);
        let file = self.file(&self.key);
        let seen = self.judge(&mut state, file.as_deref(), has_source);
        if let (Err(violation), None) = (seen, &state.violation) {
            state.violation = Some(violation);
        }
        if self.kind.guise == Guise::TakesAtRename
            && state.newest.is_some()
            && !self.is_older(&file)
        {
            _ = std::fs::remove_file(self.home.join(&self.key));
            state.is_taken = true;
        }
    }

    fn judge(
        &self,
        state: &mut State,
        file: Option<&[u8]>,
        has_source: bool,
    ) -> Result<(), Violation> {
        self.judge_file(state, file)?;
        // I3: what is gone from S3 was delivered or withdrawn.
        let gone = state.versions.len() - usize::from(has_source);
        for (index, version) in state.versions[..gone].iter().enumerate() {
            if !version.is_withdrawn && !version.is_published {
                return violation(format!(
                    "I3: version {} is gone from S3 and was never under the final name",
                    index + 1
                ));
            }
        }
        // I5: what is not ours stays.
        if self.start == Start::ForeignTemporary {
            for name in self.foreign() {
                if self.file(&name).as_deref() != Some(b"not ours") {
                    return violation(format!("I5: {name} is not ours, and not what it was"));
                }
            }
        }
        Ok(())
    }

    fn judge_file(&self, state: &mut State, file: Option<&[u8]>) -> Result<(), Violation> {
        let is_older = file.is_some_and(|file| file == self.contents.older);
        if state.is_foreign {
            // I5 again: under `fail` it stays whatever comes.
            return if is_older {
                Ok(())
            } else {
                violation("I5: somebody else's file is replaced")
            };
        }
        let was_older = self.start == Start::OlderFinal;
        let Some(file) = file else {
            // What was there before is never destroyed for nothing.
            let is_lost = was_older && state.newest.is_none() && !self.is_aside();
            return if is_lost && !self.kind.is_direct() {
                violation("I5: the old file is destroyed, and nothing is in its place")
            } else {
                Ok(())
            };
        };
        if was_older && is_older {
            return if state.newest.is_some() && !state.is_taken {
                violation("I2: yesterday's file is back over a newer one")
            } else {
                Ok(())
            };
        }
        let mut versions = state.versions.iter().enumerate().rev();
        let Some((index, _)) = versions.find(|(_, version)| version.content == file) else {
            // I1: the final is absent, or some complete version.
            return if self.kind.is_direct() {
                Ok(())
            } else {
                violation(format!(
                    "I1: {} bytes that are no version stand under the final name",
                    file.len()
                ))
            };
        };
        // I2: never an older one over a newer one.
        if state.newest.is_some_and(|newest| newest > index) {
            return violation("I2: an older version stands over a newer one");
        }
        state.newest = Some(index);
        state.is_taken = false;
        for version in &mut state.versions[..=index] {
            version.is_published |= version.content == file;
        }
        Ok(())
    }

    /// When every event has been dealt with, and every retry is over.
    pub(crate) fn finally(&self) -> Result<(), Violation> {
        self.watch();
        let is_blocked = self.is_blocked();
        let state = self.lock();
        if let Some(violation) = &state.violation {
            return Err(violation.clone());
        }
        let file = self.file(&self.key);
        let newest = state.versions.last().filter(|last| !last.is_withdrawn);
        if state.is_foreign {
            // Refused, or overwritten by its owner: the source stays, or was delivered before.
        } else if self.kind.guise == Guise::TakesAtClose || is_blocked {
            // Refused: everything stays as it was.
            if newest.is_some() && !self.store.exists(BUCKET, &self.key) {
                return violation("the source is gone, and the server has no whole file");
            }
        } else if let Some(newest) = newest {
            let is_there = file.as_ref().is_some_and(|file| *file == newest.content);
            let was_taken = state.is_taken && newest.is_published;
            if !is_there && !was_taken {
                return violation("the newest version is not there in the end");
            }
            if self.store.exists(BUCKET, &self.key) {
                return violation("the source is still there in the end");
            }
        } else if state.newest.is_none() && self.start == Start::OlderFinal {
            let is_excused = self.is_aside() && !state.excuses_aside.is_empty();
            if !self.is_older(&file) && !is_excused {
                return violation("the object was withdrawn, and the old file is not back");
            }
        } else if state.newest.is_some() && file.is_none() && !state.is_taken {
            return violation("a version that was published is gone");
        }
        // I4: no name of ours is left.
        let left = self.names_of_ours();
        let aside = left.iter().filter(|name| is_aside(name)).count();
        let (excuses, excuses_aside) = (&state.excuses, &state.excuses_aside);
        let temporaries = left.iter().filter(|name| !is_aside(name));
        let mut made: Vec<_> = temporaries.map(|name| self.made(name)).collect();
        made.sort();
        // An excuse is for one, and the oldest have the fewest.
        let mut made = made.into_iter().enumerate();
        let are_excused = made.all(|(older, made)| {
            let count = excuses.iter().filter(|(_, since)| *since <= made).count();
            count > older
        });
        if are_excused && aside <= excuses_aside.len() {
            Ok(())
        } else {
            violation(format!(
                "I4: {left:?} are left, with {excuses:?} and {excuses_aside:?}"
            ))
        }
    }

    /// When a file was made.
    fn made(&self, name: &str) -> SystemTime {
        let made = std::fs::metadata(self.home.join(name)).and_then(|it| it.created());
        made.expect("the file system knows it")
    }

    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.home.join(name)).ok()
    }

    pub(crate) fn write_file(&self, name: &str, content: &[u8]) {
        std::fs::write(self.home.join(name), content).expect("the home can be written to");
    }

    /// The same, as of yesterday.
    pub(crate) fn write_old_file(&self, name: &str, content: &[u8]) {
        self.write_file(name, content);
        let yesterday = SystemTime::now() - Duration::from_secs(86_400);
        std::fs::File::open(self.home.join(name))
            .and_then(|file| file.set_modified(yesterday))
            .expect("its time can be set");
    }

    pub(crate) fn foreign(&self) -> [String; 2] {
        ["0123456789abcdef0123", "0123456789abcdef0123.old"]
            .map(|tag| format!(".{}.{tag}.part", self.key))
    }

    /// Temporaries, and files that were moved aside.
    pub(crate) fn names_of_ours(&self) -> Vec<String> {
        let prefix = format!(".{}.", self.key);
        let foreign = self.foreign();
        let entries = std::fs::read_dir(&self.home).expect("the home is there");
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(&prefix) && !foreign.contains(name))
            .collect()
    }

    pub(crate) fn temporaries(&self) -> Vec<String> {
        let mut names = self.names_of_ours();
        names.retain(|name| !is_aside(name));
        names
    }

    fn is_aside(&self) -> bool {
        let names = self.names_of_ours();
        let mut aside = names.iter().filter(|name| is_aside(name));
        aside.any(|name| self.is_older(&self.file(name)))
    }

    fn is_older(&self, file: &Option<Vec<u8>>) -> bool {
        file.as_ref()
            .is_some_and(|file| *file == self.contents.older)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_aside(name: &str) -> bool {
    name.ends_with(".old.part")
}

fn violation(what: impl Into<String>) -> Result<(), Violation> {
    Err(Violation(what.into()))
}
