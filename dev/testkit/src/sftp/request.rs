//! A request as tests see it: in the log, and in a hook that decides about it.

use super::wire::{Attributes, Call};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The first packet of a channel, answered by the version and the extensions.
    Init,
    /// Open a file.
    Open,
    /// Close a file or a directory.
    Close,
    /// Read from a file.
    Read,
    /// Write to a file.
    Write,
    /// Attributes of a path, symbolic links not followed.
    Lstat,
    /// Attributes of an open file.
    Fstat,
    /// Change attributes of a path.
    Setstat,
    /// Change attributes of an open file.
    Fsetstat,
    /// Open a directory.
    Opendir,
    /// Read an open directory.
    Readdir,
    /// Remove a file.
    Remove,
    /// Make a directory.
    Mkdir,
    /// Remove a directory.
    Rmdir,
    /// Canonical form of a path.
    Realpath,
    /// Attributes of a path.
    Stat,
    /// Rename of the draft: never over an existing name.
    Rename,
    /// `posix-rename@openssh.com`: over an existing name.
    PosixRename,
    /// `hardlink@openssh.com`.
    Hardlink,
    /// `fsync@openssh.com`.
    Fsync,
    /// `limits@openssh.com`.
    Limits,
    /// `statvfs@openssh.com`.
    Statvfs,
    /// Something that this server does not know.
    Other,
}

/// One request of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub operation: Operation,
    /// The path as the client sent it; for an open file, the path that it was opened by.
    pub path: Option<String>,
    /// The other path of a rename or a link.
    pub to: Option<String>,
    /// The handle, in hexadecimal.
    pub handle: Option<String>,
    /// The flags of an OPEN: see [`flags`].
    pub flags: u32,
    /// Attributes of OPEN, MKDIR, SETSTAT and FSETSTAT.
    pub attributes: Attributes,
    /// Where a READ or a WRITE begins.
    pub offset: u64,
    /// How many bytes a WRITE carries or a READ asks for.
    pub len: usize,
    /// Which request of its operation on this server it is, from 1.
    pub number: u64,
    /// Which connection it came by, from 1.
    pub connection: u64,
    /// Which channel of this server it came by, from 1: no two connections share a number.
    pub channel: u64,
}

impl Request {
    /// Whether the path's last segment, or that of the other path, is `name`.
    pub fn names(&self, name: &str) -> bool {
        let last = |path: &Option<String>| {
            path.as_deref().and_then(|path| path.rsplit('/').next()) == Some(name)
        };
        last(&self.path) || last(&self.to)
    }

    pub(super) fn of(call: &Call) -> Self {
        let mut request = Self {
            operation: operation(call),
            path: None,
            to: None,
            handle: None,
            flags: 0,
            attributes: Attributes::default(),
            offset: 0,
            len: 0,
            number: 0,
            connection: 0,
            channel: 0,
        };
        let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
        match call {
            Call::Init | Call::Limits | Call::Other => {}
            Call::Open {
                path,
                flags,
                attributes,
            } => {
                request.path = text(path);
                request.flags = *flags;
                request.attributes = attributes.clone();
            }
            Call::Mkdir { path, attributes } | Call::Setstat { path, attributes } => {
                request.path = text(path);
                request.attributes = attributes.clone();
            }
            Call::Lstat { path }
            | Call::Stat { path }
            | Call::Opendir { path }
            | Call::Remove { path }
            | Call::Rmdir { path }
            | Call::Realpath { path }
            | Call::Statvfs { path } => request.path = text(path),
            Call::Rename { from, to }
            | Call::PosixRename { from, to }
            | Call::Hardlink { from, to } => {
                request.path = text(from);
                request.to = text(to);
            }
            Call::Close { handle }
            | Call::Fstat { handle }
            | Call::Readdir { handle }
            | Call::Fsync { handle } => {
                request.handle = Some(hexadecimal(handle));
            }
            Call::Fsetstat { handle, attributes } => {
                request.handle = Some(hexadecimal(handle));
                request.attributes = attributes.clone();
            }
            Call::Read {
                handle,
                offset,
                len,
            } => {
                request.handle = Some(hexadecimal(handle));
                request.offset = *offset;
                request.len = usize::try_from(*len).unwrap_or(usize::MAX);
            }
            Call::Write {
                handle,
                offset,
                data,
            } => {
                request.handle = Some(hexadecimal(handle));
                request.offset = *offset;
                request.len = data.len();
            }
        }
        request
    }
}

/// The flags of an OPEN.
pub mod flags {
    /// For reading.
    pub const READ: u32 = 1;
    /// For writing.
    pub const WRITE: u32 = 2;
    /// Every write goes to the end.
    pub const APPEND: u32 = 4;
    /// Made if it is not there.
    pub const CREAT: u32 = 8;
    /// Emptied.
    pub const TRUNC: u32 = 16;
    /// Refused if it is there.
    pub const EXCL: u32 = 32;
}

/// The status codes of version 3.
pub mod status {
    /// Done.
    pub const OK: u32 = 0;
    /// Nothing more to read.
    pub const EOF: u32 = 1;
    /// No such file or directory.
    pub const NO_SUCH_FILE: u32 = 2;
    /// Permission denied.
    pub const PERMISSION_DENIED: u32 = 3;
    /// Everything that has no code of its own: the name exists, the disk is full.
    pub const FAILURE: u32 = 4;
    /// The request makes no sense.
    pub const BAD_MESSAGE: u32 = 5;
    /// Not implemented here.
    pub const OP_UNSUPPORTED: u32 = 8;
}

fn operation(call: &Call) -> Operation {
    match call {
        Call::Init => Operation::Init,
        Call::Open { .. } => Operation::Open,
        Call::Close { .. } => Operation::Close,
        Call::Read { .. } => Operation::Read,
        Call::Write { .. } => Operation::Write,
        Call::Lstat { .. } => Operation::Lstat,
        Call::Fstat { .. } => Operation::Fstat,
        Call::Setstat { .. } => Operation::Setstat,
        Call::Fsetstat { .. } => Operation::Fsetstat,
        Call::Opendir { .. } => Operation::Opendir,
        Call::Readdir { .. } => Operation::Readdir,
        Call::Remove { .. } => Operation::Remove,
        Call::Mkdir { .. } => Operation::Mkdir,
        Call::Rmdir { .. } => Operation::Rmdir,
        Call::Realpath { .. } => Operation::Realpath,
        Call::Stat { .. } => Operation::Stat,
        Call::Rename { .. } => Operation::Rename,
        Call::PosixRename { .. } => Operation::PosixRename,
        Call::Hardlink { .. } => Operation::Hardlink,
        Call::Fsync { .. } => Operation::Fsync,
        Call::Limits => Operation::Limits,
        Call::Statvfs { .. } => Operation::Statvfs,
        Call::Other => Operation::Other,
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
