//! How a server of a guise deals with a request.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use testkit::sftp::{Action, Operation, Request, flags, status};

use crate::world::{Guise, Kind};

/// How long a slow server takes for a write.
const WRITE: Duration = Duration::from_millis(3);

/// The manners of one server, and what it remembers.
pub(crate) struct Manner {
    kind: Kind,
    home: PathBuf,
    /// Up to where the bytes of a file are on the disk.
    synced: Mutex<HashMap<String, u64>>,
    /// Files whose size was asked for.
    asked: Mutex<HashSet<String>>,
    /// The first channel of each connection.
    first: Mutex<HashMap<u64, u64>>,
}

/// What a reboot leaves of bytes that were acknowledged and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The file is shorter.
    Shorter,
    /// It has its length, and zeros.
    Zeros,
}

impl Manner {
    pub(crate) fn new(kind: Kind, home: PathBuf) -> Self {
        Self {
            kind,
            home,
            synced: Mutex::default(),
            asked: Mutex::default(),
            first: Mutex::default(),
        }
    }

    pub(crate) fn path(&self, path: &Option<String>) -> PathBuf {
        let path = path.as_deref().unwrap_or_default();
        self.home.join(path.trim_start_matches('/'))
    }

    /// What the server makes of a request. Nothing happens before that is carried out.
    pub(crate) fn action(&self, request: &Request) -> Action {
        self.remember(request);
        let what = self.made_of(request);
        if self.kind.is_slow && request.operation == Operation::Write {
            return Action::Both(Box::new(Action::Delay(WRITE)), Box::new(what));
        }
        what
    }

    fn made_of(&self, request: &Request) -> Action {
        let is_temporary = request
            .path
            .as_deref()
            .is_some_and(|path| path.ends_with(".part"));
        let writes = request.operation == Operation::Open && request.flags & flags::WRITE != 0;
        match (self.kind.guise, request.operation) {
            (Guise::OwnCopies, Operation::Write) if !self.is_by_the_first(request) => {
                Action::AcknowledgeOnly
            }
            (Guise::RenameOverwrites, Operation::Rename) => Action::RenameOver,
            (Guise::OpenTruncates, _) if writes => {
                Action::OpenWith((request.flags | flags::TRUNC) & !flags::EXCL)
            }
            (Guise::RefusesReopen, _) if writes && self.path(&request.path).exists() => {
                Action::refuse(status::PERMISSION_DENIED)
            }
            (Guise::ForcesAppend, _) if writes => Action::OpenWith(request.flags | flags::APPEND),
            (Guise::IgnoresExcl, _) if writes => Action::OpenWith(request.flags & !flags::EXCL),
            // The first one is not, or the look behind it would end every first round.
            (Guise::WritesSideBySide, Operation::Write)
                if request.offset / self.kind.guise.write_length() as u64 % 2 == 1 =>
            {
                Action::Overtaken(2)
            }
            (Guise::StoresTheBeginning, Operation::Write) if request.len > 32 * 1024 => {
                Action::Keep(32 * 1024)
            }
            (Guise::TakesAtClose, Operation::Close) if is_temporary => {
                let file = self.path(&request.path);
                Action::Run(Box::new(move || {
                    _ = std::fs::remove_file(file);
                }))
            }
            (Guise::LateSize, Operation::Stat) if is_temporary => {
                let path = request.path.clone().unwrap_or_default();
                let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                if asked.insert(path) {
                    Action::Size(0)
                } else {
                    Action::Pass
                }
            }
            _ => Action::Pass,
        }
    }

    fn is_by_the_first(&self, request: &Request) -> bool {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        *first.entry(request.connection).or_insert(request.channel) == request.channel
    }

    fn remember(&self, request: &Request) {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.path.clone().unwrap_or_default();
        match request.operation {
            Operation::Fsync => {
                let length = std::fs::metadata(self.path(&request.path)).map_or(0, |it| it.len());
                synced.insert(path, length);
            }
            Operation::Write => {
                let left = synced.get(&path).map(|it| request.offset.min(*it));
                synced.extend(left.map(|left| (path, left)));
            }
            Operation::Rename | Operation::PosixRename => {
                // Of both names: a rename that is held is still to come. What is written to a name anew undoes it.
                let length = synced.get(&path).copied();
                synced.extend(request.to.clone().zip(length));
            }
            _ => {}
        }
    }

    /// The server goes down and comes back. Of each of `names` the second half is lost, but for what was synced.
    pub(crate) fn reboot(&self, names: &[String], left: Left) {
        let synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            let is_it = |it: &&String| it.trim_start_matches('/') == name;
            let kept = synced.iter().find(|(path, _)| is_it(path));
            let kept = kept.map_or(0, |(_, length)| {
                usize::try_from(*length).unwrap_or(usize::MAX)
            });
            let path = self.home.join(name);
            let Ok(mut bytes) = std::fs::read(&path) else {
                continue;
            };
            let kept = kept.max(bytes.len() / 2).min(bytes.len());
            match left {
                Left::Shorter => bytes.truncate(kept),
                Left::Zeros => bytes[kept..].fill(0),
            }
            // In place: handles that are open see it, as they would not be after a true reboot.
            _ = std::fs::write(&path, bytes);
        }
    }
}
