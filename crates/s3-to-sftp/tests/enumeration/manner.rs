//! How a server of a guise deals with a request.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use testkit::sftp::{Action, Operation, Request, flags, status};

use crate::world::Guise;

/// The manners of one server, and what it remembers.
pub(crate) struct Manner {
    guise: Guise,
    home: PathBuf,
    /// Files whose bytes are on the disk.
    synced: Mutex<HashSet<String>>,
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
            (Guise::IgnoresExcl, _) if writes => Action::OpenWith(request.flags & !flags::EXCL),
            // The first one is not, or the look behind it would end every first round.
            (Guise::WritesSideBySide, Operation::Write)
                if request.offset / self.guise.write_length() as u64 % 2 == 1 =>
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

    fn remember(&self, request: &Request) {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let path = request.path.clone().unwrap_or_default();
        match request.operation {
            Operation::Fsync => {
                synced.insert(path);
            }
            Operation::Write => {
                synced.remove(&path);
            }
            Operation::Rename | Operation::PosixRename if synced.remove(&path) => {
                synced.extend(request.to.clone());
            }
            _ => {}
        }
    }

    /// The server goes down and comes back. Of each of `names` the second half is lost, unless it was synced.
    pub(crate) fn reboot(&self, names: &[String], left: Left) {
        let synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if synced.iter().any(|it| it.trim_start_matches('/') == name) {
                continue;
            }
            let path = self.home.join(name);
            let Ok(mut bytes) = std::fs::read(&path) else {
                continue;
            };
            let half = bytes.len() / 2;
            match left {
                Left::Shorter => bytes.truncate(half),
                Left::Zeros => bytes[half..].fill(0),
            }
            // In place: handles that are open see it, as they would not be after a true reboot.
            _ = std::fs::write(&path, bytes);
        }
    }
}
