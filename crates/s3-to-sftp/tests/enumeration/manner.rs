//! How a server of a guise deals with a request.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use testkit::sftp::{Action, Operation, Request, flags, status};

use crate::world::Guise;

/// The manners of one server, and what it remembers.
pub(crate) struct Manner {
    guise: Guise,
    home: PathBuf,
    /// Up to where the bytes of a file are on the disk.
    synced: Mutex<HashMap<String, u64>>,
    /// Files whose size was asked for.
    asked: Mutex<HashSet<String>>,
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
    pub(crate) fn new(guise: Guise, home: PathBuf) -> Self {
        Self {
            guise,
            home,
            synced: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    pub(crate) fn path(&self, path: &Option<String>) -> PathBuf {
        let path = path.as_deref().unwrap_or_default();
        self.home.join(path.trim_start_matches('/'))
    }

    /// What the server makes of a request. Nothing happens before that is carried out.
    pub(crate) fn action(&self, request: &Request) -> Action {
        self.remember(request);
        let is_temporary = request
            .path
            .as_deref()
            .is_some_and(|path| path.ends_with(".part"));
        let writes = request.operation == Operation::Open && request.flags & flags::WRITE != 0;
        match (self.guise, request.operation) {
            (Guise::RenameOverwrites, Operation::Rename) => Action::RenameOver,
            (Guise::OpenTruncates, _) if writes => {
                Action::OpenWith((request.flags | flags::TRUNC) & !flags::EXCL)
            }
            (Guise::RefusesReopen, _) if writes && self.path(&request.path).exists() => {
                Action::refuse(status::PERMISSION_DENIED)
            }
            (Guise::ForcesAppend, _) if writes => Action::OpenWith(request.flags | flags::APPEND),
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
