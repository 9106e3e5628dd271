//! A file's attributes: draft section 5.

use crate::error::Result;
use crate::wire::{Builder, Fields};

const SIZE: u32 = 0x0000_0001;
const OWNER: u32 = 0x0000_0002;
const PERMISSIONS: u32 = 0x0000_0004;
const TIMES: u32 = 0x0000_0008;
const EXTENDED: u32 = 0x8000_0000;

/// The type bits of a mode, and the one that says directory (POSIX `S_IFMT`, `S_IFDIR`).
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;

/// What a server tells of a file, or is asked to set. Each part may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Length in bytes.
    pub size: Option<u64>,
    /// User and group id.
    pub owner: Option<(u32, u32)>,
    /// POSIX mode, with the type bits in a server's answer.
    pub permissions: Option<u32>,
    /// Access and modification time, in seconds since 1970.
    pub times: Option<(u32, u32)>,
}

impl Attributes {
    /// Modification time, in seconds since 1970.
    pub fn modified(&self) -> Option<u32> {
        self.times.map(|(_, modified)| modified)
    }

    /// Whether this is a directory, where the server sent the type bits.
    pub fn is_directory(&self) -> bool {
        self.permissions
            .is_some_and(|mode| mode & TYPE == DIRECTORY)
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self> {
        let flags = fields.u32()?;
        let mut attributes = Self::default();
        if flags & SIZE != 0 {
            attributes.size = Some(fields.u64()?);
        }
        if flags & OWNER != 0 {
            attributes.owner = Some((fields.u32()?, fields.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            attributes.permissions = Some(fields.u32()?);
        }
        if flags & TIMES != 0 {
            attributes.times = Some((fields.u32()?, fields.u32()?));
        }
        if flags & EXTENDED != 0 {
            for _ in 0..fields.u32()? {
                fields.string()?;
                fields.string()?;
            }
        }
        Ok(attributes)
    }

    pub(crate) fn write(&self, mut builder: Builder) -> Builder {
        let mut flags = 0;
        for (set, flag) in [
            (self.size.is_some(), SIZE),
            (self.owner.is_some(), OWNER),
            (self.permissions.is_some(), PERMISSIONS),
            (self.times.is_some(), TIMES),
        ] {
            if set {
                flags |= flag;
            }
        }
        builder = builder.u32(flags);
        if let Some(size) = self.size {
            builder = builder.u64(size);
        }
        if let Some((user, group)) = self.owner {
            builder = builder.u32(user).u32(group);
        }
        if let Some(permissions) = self.permissions {
            builder = builder.u32(permissions);
        }
        if let Some((accessed, modified)) = self.times {
            builder = builder.u32(accessed).u32(modified);
        }
        builder
    }
}
