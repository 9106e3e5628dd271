//! OpenSSH's extensions: which of them a server has, and the answers that are figures.

use bytes::{BufMut, Bytes, BytesMut};

use super::wire::{Call, MAX_PACKET};

/// The longest data of one READ or WRITE: what OpenSSH's `limits@openssh.com` says.
pub(super) const MAX_DATA: u64 = 261_120;

/// Which extensions are announced and understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions {
    /// `posix-rename@openssh.com`.
    pub posix_rename: bool,
    /// `fsync@openssh.com`.
    pub fsync: bool,
    /// `limits@openssh.com`: without it clients have to stay with 32 KiB.
    pub limits: bool,
    /// What it says there of the longest WRITE, in bytes. Longer ones are carried out all the same.
    pub write_limit: u64,
    /// `hardlink@openssh.com`.
    pub hardlink: bool,
    /// `statvfs@openssh.com`.
    pub statvfs: bool,
    /// The rest of what OpenSSH's `sftp-server` lists. Announced, so that it passes for one, and not understood:
    /// nobody who uploads needs them.
    pub rest: bool,
}

impl Extensions {
    /// What OpenSSH has.
    pub const OPENSSH: Self = Self {
        posix_rename: true,
        fsync: true,
        limits: true,
        write_limit: MAX_DATA,
        hardlink: true,
        statvfs: true,
        rest: true,
    };
    /// A server that knows the draft and nothing else.
    pub const NONE: Self = Self {
        posix_rename: false,
        fsync: false,
        limits: false,
        write_limit: MAX_DATA,
        hardlink: false,
        statvfs: false,
        rest: false,
    };

    pub(super) fn announced(self) -> Vec<(&'static str, &'static str)> {
        [
            (self.posix_rename, ("posix-rename@openssh.com", "1")),
            (self.statvfs, ("statvfs@openssh.com", "2")),
            (self.hardlink, ("hardlink@openssh.com", "1")),
            (self.fsync, ("fsync@openssh.com", "1")),
            (self.limits, ("limits@openssh.com", "1")),
            (self.rest, ("fstatvfs@openssh.com", "2")),
            (self.rest, ("lsetstat@openssh.com", "1")),
            (self.rest, ("expand-path@openssh.com", "1")),
        ]
        .into_iter()
        .filter_map(|(on, extension)| on.then_some(extension))
        .collect()
    }

    pub(super) fn understands(self, call: &Call) -> bool {
        match call {
            Call::PosixRename { .. } => self.posix_rename,
            Call::Fsync { .. } => self.fsync,
            Call::Limits => self.limits,
            Call::Hardlink { .. } => self.hardlink,
            Call::Statvfs { .. } => self.statvfs,
            _ => true,
        }
    }
}

/// Longest packet, longest READ, longest WRITE, most open handles.
pub(super) fn limits(write_limit: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(32);
    out.put_u64(MAX_PACKET as u64);
    out.put_u64(MAX_DATA);
    out.put_u64(write_limit);
    out.put_u64(1019);
    out.freeze()
}

/// A file system of 4 EiB that is empty: the disk's true figures would make tests depend on the machine.
pub(super) fn plenty_of_space() -> Bytes {
    let mut out = BytesMut::with_capacity(88);
    for field in [
        4096,
        4096,
        1 << 50,
        1 << 50,
        1 << 50,
        1 << 40,
        1 << 40,
        1 << 40,
        1,
        0,
        255_u64,
    ] {
        out.put_u64(field);
    }
    out.freeze()
}
