//! What is found, and what became of it.

use std::fmt;
use std::time::Duration;

/// What is told while it is looked.
#[derive(Debug)]
pub enum Finding {
    /// A temporary that is old enough, or may be.
    Temporary(Leftover),
    /// A directory that could not be read, or not to its end: more may be there.
    Unread {
        /// The directory, `SSH_DIR` included.
        path: String,
        /// What the server said.
        why: String,
    },
}

/// A temporary that nobody took away.
#[derive(Debug)]
pub struct Leftover {
    /// The whole path, `SSH_DIR` included. Holds no control characters.
    pub path: String,
    /// Its size, where the server tells it.
    pub size: Option<u64>,
    /// How long nothing has been written to it, where the server tells it.
    pub age: Option<Duration>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a temporary.
#[derive(Debug)]
pub enum Fate {
    /// Nothing yet: removing was not asked for.
    WouldRemove,
    /// It is removed.
    Removed,
    /// Somebody else was faster.
    Gone,
    /// The server did not remove it.
    Refused(sftp::Error),
    /// It must not be removed without somebody's look at it.
    Kept(Kept),
}

/// Why a temporary stays.
#[derive(Debug)]
pub enum Kept {
    /// The server does not tell when it was written.
    NoAge,
    /// The server does not tell whether it is a file.
    NoKind,
    /// A delivery that died between two renames left the partner's file under this name alone.
    NothingHasItsName {
        /// Where it belongs.
        to: String,
    },
    /// The partner's file, and its own name cannot be told from this one.
    NameUnknown,
    /// The partner's file, and a directory has its name.
    NameIsDirectory {
        /// Where it belonged.
        to: String,
    },
    /// The partner's file, and the server does not tell whether its name is taken.
    NameUnread {
        /// Where it belongs.
        to: String,
        /// What the server said.
        error: sftp::Error,
    },
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldRemove => f.write_str("would remove"),
            Self::Removed => f.write_str("removed"),
            Self::Gone => f.write_str("gone meanwhile"),
            Self::Refused(error) => write!(f, "not removed: {error}"),
            Self::Kept(kept) => write!(f, "not removed: {kept}"),
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BY_HAND: &str =
            "it is a file that was moved aside; look at it, and rename or remove it by hand";
        match self {
            Self::NoAge => f.write_str("the server does not tell its age"),
            Self::NoKind => f.write_str("the server does not tell whether it is a file"),
            Self::NothingHasItsName { to } => {
                write!(f, "nothing has its name; rename it back by hand to {to}")
            }
            Self::NameUnknown => write!(f, "its own name cannot be told: {BY_HAND}"),
            Self::NameIsDirectory { to } => write!(f, "{to} is a directory: {BY_HAND}"),
            Self::NameUnread { to, error } => write!(f, "{to} cannot be looked at: {error}"),
        }
    }
}
