//! Bytes to calls and answers to bytes: SFTP version 3, draft-ietf-secsh-filexfer-02.
//!
//! Written for this crate and not taken from `russh-sftp`'s server half, which cannot leave a request unanswered,
//! cannot send a status above 8, and cannot hand out a handle that is not UTF-8: three things that clients must survive.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest packet that OpenSSH's sftp-server takes (`SFTP_MAX_MSG_LENGTH`), without its length field.
pub(super) const MAX_PACKET: usize = 256 * 1024;

/// What a client asked for.
#[derive(Debug)]
pub(super) enum Call {
    Init,
    Open {
        path: Bytes,
        flags: u32,
        attributes: Attributes,
    },
    Close {
        handle: Bytes,
    },
    Read {
        handle: Bytes,
        offset: u64,
        len: u32,
    },
    Write {
        handle: Bytes,
        offset: u64,
        data: Bytes,
    },
    Lstat {
        path: Bytes,
    },
    Fstat {
        handle: Bytes,
    },
    Setstat {
        path: Bytes,
        attributes: Attributes,
    },
    Fsetstat {
        handle: Bytes,
        attributes: Attributes,
    },
    Opendir {
        path: Bytes,
    },
    Readdir {
        handle: Bytes,
    },
    Remove {
        path: Bytes,
    },
    Mkdir {
        path: Bytes,
        attributes: Attributes,
    },
    Rmdir {
        path: Bytes,
    },
    Realpath {
        path: Bytes,
    },
    Stat {
        path: Bytes,
    },
    Rename {
        from: Bytes,
        to: Bytes,
    },
    PosixRename {
        from: Bytes,
        to: Bytes,
    },
    Hardlink {
        from: Bytes,
        to: Bytes,
    },
    Fsync {
        handle: Bytes,
    },
    Limits,
    Statvfs {
        path: Bytes,
    },
    /// A request that this server does not know: READLINK, SYMLINK, other extensions.
    Other,
}

/// What goes back.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Version(Vec<(&'static str, &'static str)>),
    Status(u32, String),
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<Name>),
    Attributes(Attributes),
    Extended(Bytes),
}

/// One line of a directory listing.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) name: Bytes,
    pub(super) long: String,
    pub(super) attributes: Attributes,
}

/// The attributes of a file, as far as they are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Size in bytes; in SETSTAT and FSETSTAT a cut or an extension to that size.
    pub size: Option<u64>,
    /// Owner and group.
    pub owner: Option<(u32, u32)>,
    /// Permissions, with the file's type in the upper bits.
    pub permissions: Option<u32>,
    /// Times of last access and last modification, in seconds since 1970.
    pub times: Option<(u32, u32)>,
}

/// A packet that ends before its fields do, or that is none.
#[derive(Debug)]
pub(super) struct Malformed;

/// Splits a request into its number and what it asks for. INIT has no number: its version is returned in that place.
pub(super) fn decode(packet: Bytes) -> Result<(u32, Call), Malformed> {
    let mut fields = Fields(packet);
    let kind = fields.u8()?;
    let id = fields.u32()?;
    let call = match kind {
        1 => Call::Init,
        3 => Call::Open {
            path: fields.string()?,
            flags: fields.u32()?,
            attributes: fields.attributes()?,
        },
        4 => Call::Close {
            handle: fields.string()?,
        },
        5 => Call::Read {
            handle: fields.string()?,
            offset: fields.u64()?,
            len: fields.u32()?,
        },
        6 => Call::Write {
            handle: fields.string()?,
            offset: fields.u64()?,
            data: fields.string()?,
        },
        7 => Call::Lstat {
            path: fields.string()?,
        },
        8 => Call::Fstat {
            handle: fields.string()?,
        },
        9 => Call::Setstat {
            path: fields.string()?,
            attributes: fields.attributes()?,
        },
        10 => Call::Fsetstat {
            handle: fields.string()?,
            attributes: fields.attributes()?,
        },
        11 => Call::Opendir {
            path: fields.string()?,
        },
        12 => Call::Readdir {
            handle: fields.string()?,
        },
        13 => Call::Remove {
            path: fields.string()?,
        },
        14 => Call::Mkdir {
            path: fields.string()?,
            attributes: fields.attributes()?,
        },
        15 => Call::Rmdir {
            path: fields.string()?,
        },
        16 => Call::Realpath {
            path: fields.string()?,
        },
        17 => Call::Stat {
            path: fields.string()?,
        },
        18 => Call::Rename {
            from: fields.string()?,
            to: fields.string()?,
        },
        200 => extended(&mut fields)?,
        _ => Call::Other,
    };
    Ok((id, call))
}

fn extended(fields: &mut Fields) -> Result<Call, Malformed> {
    let name = fields.string()?;
    Ok(match &name[..] {
        b"posix-rename@openssh.com" => Call::PosixRename {
            from: fields.string()?,
            to: fields.string()?,
        },
        b"hardlink@openssh.com" => Call::Hardlink {
            from: fields.string()?,
            to: fields.string()?,
        },
        b"fsync@openssh.com" => Call::Fsync {
            handle: fields.string()?,
        },
        b"limits@openssh.com" => Call::Limits,
        b"statvfs@openssh.com" => Call::Statvfs {
            path: fields.string()?,
        },
        _ => Call::Other,
    })
}

/// The whole answer, its length in front.
pub(super) fn encode(id: u32, answer: &Answer) -> Bytes {
    let mut out = BytesMut::with_capacity(64);
    out.put_u32(0);
    match answer {
        Answer::Version(extensions) => {
            out.put_u8(2);
            out.put_u32(3);
            for (name, data) in extensions {
                put_string(&mut out, name.as_bytes());
                put_string(&mut out, data.as_bytes());
            }
        }
        Answer::Status(code, message) => {
            head(&mut out, 101, id);
            out.put_u32(*code);
            put_string(&mut out, message.as_bytes());
            put_string(&mut out, b"");
        }
        Answer::Handle(handle) => {
            head(&mut out, 102, id);
            put_string(&mut out, handle);
        }
        Answer::Data(data) => {
            head(&mut out, 103, id);
            put_string(&mut out, data);
        }
        Answer::Names(names) => {
            head(&mut out, 104, id);
            out.put_u32(length(names.len()));
            for name in names {
                put_string(&mut out, &name.name);
                put_string(&mut out, name.long.as_bytes());
                put_attributes(&mut out, &name.attributes);
            }
        }
        Answer::Attributes(attributes) => {
            head(&mut out, 105, id);
            put_attributes(&mut out, attributes);
        }
        Answer::Extended(data) => {
            head(&mut out, 201, id);
            out.put_slice(data);
        }
    }
    let len = length(out.len() - 4);
    out[..4].copy_from_slice(&len.to_be_bytes());
    out.freeze()
}

fn head(out: &mut BytesMut, kind: u8, id: u32) {
    out.put_u8(kind);
    out.put_u32(id);
}

fn put_string(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(length(bytes.len()));
    out.put_slice(bytes);
}

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("an answer is far below 4 GiB")
}

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const PERMISSIONS: u32 = 4;
const TIMES: u32 = 8;

fn put_attributes(out: &mut BytesMut, attributes: &Attributes) {
    let mut flags = 0;
    flags |= attributes.size.map_or(0, |_| SIZE);
    flags |= attributes.owner.map_or(0, |_| OWNER);
    flags |= attributes.permissions.map_or(0, |_| PERMISSIONS);
    flags |= attributes.times.map_or(0, |_| TIMES);
    out.put_u32(flags);
    if let Some(size) = attributes.size {
        out.put_u64(size);
    }
    if let Some((user, group)) = attributes.owner {
        out.put_u32(user);
        out.put_u32(group);
    }
    if let Some(permissions) = attributes.permissions {
        out.put_u32(permissions);
    }
    if let Some((access, modification)) = attributes.times {
        out.put_u32(access);
        out.put_u32(modification);
    }
}

/// What is left of a packet.
struct Fields(Bytes);

impl Fields {
    fn u8(&mut self) -> Result<u8, Malformed> {
        self.0.try_get_u8().map_err(|_| Malformed)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32().map_err(|_| Malformed)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.0.try_get_u64().map_err(|_| Malformed)
    }

    fn string(&mut self) -> Result<Bytes, Malformed> {
        let len = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        if len > self.0.len() {
            return Err(Malformed);
        }
        Ok(self.0.split_to(len))
    }

    fn attributes(&mut self) -> Result<Attributes, Malformed> {
        let flags = self.u32()?;
        Ok(Attributes {
            size: (flags & SIZE != 0).then(|| self.u64()).transpose()?,
            owner: (flags & OWNER != 0)
                .then(|| Ok((self.u32()?, self.u32()?)))
                .transpose()?,
            permissions: (flags & PERMISSIONS != 0).then(|| self.u32()).transpose()?,
            times: (flags & TIMES != 0)
                .then(|| Ok((self.u32()?, self.u32()?)))
                .transpose()?,
        })
    }
}
