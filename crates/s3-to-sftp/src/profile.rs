//! What a server has shown to be without, or to do in a way of its own: for whoever reads a receipt, or asks `check`.
//!
//! It is kept as long as the process, costs no request, and decides nothing: a delivery finds out anew what it has to know. What
//! does decide, how long a write may be and how many channels there are, is the connection's, and `kept` hands it on.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::ssh::Connection;

/// One of these things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The server does not offer `posix-rename@openssh.com`.
    NoPosixRename,
    /// It does not offer `fsync@openssh.com`.
    NoFsync,
    /// It stored less of a large write than it acknowledged, or did not tell.
    SmallWrites,
    /// It takes one write at a time.
    OneWrite,
    /// It bears one channel on a connection.
    OneChannel,
    /// It bears fewer channels on a connection than were asked for.
    FewChannels,
    /// A directory that a key asks for was not made.
    NoMkdir,
    /// It does not tell how long a file is.
    NoSize,
    /// It told a file's length late.
    LateSize,
    /// `SSH_FILE_MODE` has no effect.
    NoMode,
    /// A name that exists, one's own, was not opened: it was removed first.
    NoReopen,
    /// A file could not be gone on with: it was begun anew.
    NoResume,
    /// A rename over a file that is there was refused: that one was moved aside.
    NoReplace,
    /// A longer file was not cut.
    NoCut,
}

impl Finding {
    /// All of them, in the order in which a receipt has them.
    pub const ALL: [Self; 14] = [
        Self::NoPosixRename,
        Self::NoFsync,
        Self::SmallWrites,
        Self::OneWrite,
        Self::OneChannel,
        Self::FewChannels,
        Self::NoMkdir,
        Self::NoSize,
        Self::LateSize,
        Self::NoMode,
        Self::NoReopen,
        Self::NoResume,
        Self::NoReplace,
        Self::NoCut,
    ];

    /// As a receipt has it.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The name, and what it says.
    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::NoPosixRename => (
                "no-posix-rename",
                "`posix-rename@openssh.com` is not offered",
            ),
            Self::NoFsync => ("no-fsync", "`fsync@openssh.com` is not offered"),
            Self::SmallWrites => (
                "small-writes",
                "less of a large write was stored than was acknowledged, or nothing was told: writes have 32 KiB",
            ),
            Self::OneWrite => (
                "one-write",
                "writes were refused that were sent before the one before was answered: they are sent one by one",
            ),
            Self::OneChannel => ("one-channel", "a file is written through one channel"),
            Self::FewChannels => (
                "few-channels",
                "the server bears fewer channels than were asked for",
            ),
            Self::NoMkdir => (
                "no-mkdir",
                "a directory that a key asks for was not there, and not made",
            ),
            Self::NoSize => (
                "no-size",
                "a file's length is not told: acknowledgements count",
            ),
            Self::LateSize => (
                "late-size",
                "a file's length was told late, when it was asked again",
            ),
            Self::NoMode => ("no-mode", "`SSH_FILE_MODE` was refused, or had no effect"),
            Self::NoReopen => (
                "no-reopen",
                "a name that exists, of an attempt before, was not opened: it was removed first",
            ),
            Self::NoResume => (
                "no-resume",
                "a file could not be gone on with: it was begun anew",
            ),
            Self::NoReplace => (
                "no-replace",
                "a rename over the old file was refused: it was moved aside",
            ),
            Self::NoCut => (
                "no-cut",
                "a longer file was not cut: `direct` removed it, and wrote anew",
            ),
        }
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What was found of one server. It is only ever added to: what a server did once, it may do again.
#[derive(Debug, Default)]
pub(crate) struct Profile(AtomicU32);

impl Profile {
    pub(crate) fn saw(&self, finding: Finding) {
        self.0.fetch_or(finding.bit(), Ordering::Relaxed);
    }

    /// Their names, with what this connection tells; none where the server is like OpenSSH in all.
    pub(crate) fn with(&self, connection: &Connection) -> Option<String> {
        let seen = self.0.load(Ordering::Relaxed) | bits(of_connection(connection));
        let names = Finding::ALL.into_iter().filter(|it| seen & it.bit() != 0);
        let names: Vec<_> = names.map(Finding::name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

fn bits(findings: impl IntoIterator<Item = Finding>) -> u32 {
    findings.into_iter().fold(0, |all, it| all | it.bit())
}

fn of_connection(connection: &Connection) -> impl Iterator<Item = Finding> {
    let sftp = connection.sftp();
    let channels = match connection.known_limit() {
        Some(0) => Some(Finding::OneChannel),
        Some(_) => Some(Finding::FewChannels),
        None => None,
    };
    let told = [
        (!sftp.has_posix_rename()).then_some(Finding::NoPosixRename),
        (!sftp.has_fsync()).then_some(Finding::NoFsync),
        sftp.are_limits_untrue().then_some(Finding::SmallWrites),
        channels,
    ];
    told.into_iter().flatten()
}

/// As docs/servers.md shows them.
pub fn markdown() -> String {
    let mut text = "| in a receipt | what was seen |\n|---|---|\n".to_owned();
    for (name, tells) in Finding::ALL.map(Finding::row) {
        text += &format!("| `{name}` | {tells} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_a_place_of_its_own() {
        let places = Finding::ALL.map(|it| it as usize);
        assert_eq!(places.to_vec(), (0..Finding::ALL.len()).collect::<Vec<_>>());
    }
}
