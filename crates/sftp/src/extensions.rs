//! What the server offers beyond the draft, and its limits.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::Result;
use crate::packet::Fields;

/// Name of the extension that renames over an existing file in one step.
pub const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// Name of the extension that makes a file durable.
pub const FSYNC: &str = "fsync@openssh.com";
/// Name of the extension that tells the server's limits.
pub const LIMITS: &str = "limits@openssh.com";

/// What `sftp-server` lists (`process_init` in its `sftp-server.c`, 8.7 and later); newer ones list more.
const OPENSSH: [&str; 8] = [
    POSIX_RENAME,
    "statvfs@openssh.com",
    "fstatvfs@openssh.com",
    "hardlink@openssh.com",
    FSYNC,
    "lsetstat@openssh.com",
    LIMITS,
    "expand-path@openssh.com",
];

/// The extensions that a server listed in its VERSION packet, with the versions it gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions(BTreeMap<String, Bytes>);

impl Extensions {
    /// Reads name and data pairs to the end. Names that are not UTF-8 are none that we know.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self> {
        let mut extensions = BTreeMap::new();
        while !fields.is_empty() {
            let name = fields.string()?;
            // Some servers end the packet behind a name (an old Sterling, by pkg/sftp's tests).
            let data = if fields.is_empty() {
                Bytes::new()
            } else {
                fields.string()?
            };
            if let Ok(name) = std::str::from_utf8(&name) {
                extensions.insert(name.to_owned(), data);
            }
        }
        Ok(Self(extensions))
    }

    /// Whether the server listed `name`.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether these are those of OpenSSH's own `sftp-server` (since 8.7): its handles on one file are file
    /// descriptors, so that what one writes all see. The SSH server's identification tells less: its subsystem may be
    /// another program.
    pub fn are_those_of_openssh(&self) -> bool {
        OPENSSH.iter().all(|name| self.has(name))
    }

    /// The names that the server listed, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The longest header of a WRITE: length, type, id, a handle of 256 bytes (the draft's maximum),
/// offset, length of the data.
pub const WRITE_HEADER: u32 = 4 + 1 + 4 + (4 + 256) + 8 + 4;

/// Bytes of payload in a WRITE when the server told no limit. The draft's section 3 asks servers
/// for packets of 34,000 bytes; some store only the beginning of a longer one and say OK
/// (ssh2-sftp-client#531), or refuse it (Win32-OpenSSH#1395), so nothing larger is sent unasked,
/// header included.
pub const DEFAULT_WRITE_LENGTH: u32 = 32 * 1024 - WRITE_HEADER;

/// The largest write that is sent whatever a server allows: OpenSSH's own limit, 256 KiB for the
/// packet less 1 KiB for its header.
pub const MAX_WRITE_LENGTH: u32 = 256 * 1024 - 1024;

/// What one request may be and how many handles may be open, in bytes and handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Payload of one WRITE in bytes: at least 1, at most [`MAX_WRITE_LENGTH`].
    pub write_length: u32,
    /// Payload of one READ in bytes, within the same bounds.
    pub read_length: u32,
    /// Handles that may be open at once; none where the server did not say.
    pub open_handles: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            write_length: DEFAULT_WRITE_LENGTH,
            read_length: DEFAULT_WRITE_LENGTH,
            open_handles: None,
        }
    }
}

impl Limits {
    /// Reads the answer to `limits@openssh.com`: packet, read, write and handles, 0 for unknown.
    pub(crate) fn read(mut fields: Fields) -> Result<Self> {
        let _packet = fields.u64()?;
        let read = fields.u64()?;
        let write = fields.u64()?;
        let handles = fields.u64()?;
        Ok(Self {
            write_length: length(write),
            read_length: length(read),
            open_handles: (handles > 0).then_some(handles),
        })
    }
}

fn length(told: u64) -> u32 {
    match told {
        0 => DEFAULT_WRITE_LENGTH,
        told => u32::try_from(told)
            .unwrap_or(u32::MAX)
            .min(MAX_WRITE_LENGTH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_clamped_and_zero_means_unknown() {
        assert_eq!(length(0), DEFAULT_WRITE_LENGTH);
        assert_eq!(length(1024), 1024);
        assert_eq!(length(4 << 30), MAX_WRITE_LENGTH);
        assert_eq!(length(u64::MAX), MAX_WRITE_LENGTH);
    }
}
