//! Requests become bytes, and bytes become responses: draft sections 3, 4, 6 and 7.

use std::ops::BitOr;

use bytes::{Buf, Bytes, BytesMut};

use crate::error::{Error, Result};
use crate::extensions::{FSYNC, LIMITS, POSIX_RENAME};
use crate::wire::Builder;

pub use crate::attributes::Attributes;
pub use crate::status::{Status, StatusCode};
pub use crate::wire::Fields;

/// The protocol version that this client speaks.
pub const VERSION: u32 = 3;

/// The longest packet that is read: OpenSSH's own limit. Answers to READ are the only long ones,
/// and what they may hold is asked for within [`crate::extensions::MAX_WRITE_LENGTH`].
pub const MAX_PACKET: u32 = 256 * 1024;

const INIT: u8 = 1;
const VERSION_ANSWER: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED: u8 = 200;
const EXTENDED_REPLY: u8 = 201;

/// How a file is opened: draft section 6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    /// For reading.
    pub const READ: Self = Self(0x01);
    /// For writing.
    pub const WRITE: Self = Self(0x02);
    /// Make it where it does not exist.
    pub const CREAT: Self = Self(0x08);
    /// Cut what is there. Nothing in this project opens with it.
    pub const TRUNC: Self = Self(0x10);
    /// With CREAT: fail where it exists. No lock: some servers ignore it.
    pub const EXCL: Self = Self(0x20);
}

impl BitOr for OpenFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A server's name for an open file: up to 256 bytes, which are nobody's business but the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(pub(crate) Bytes);

/// A request, without its id.
#[expect(missing_docs, reason = "the fields have the draft's names and types")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'a> {
    /// Open a file.
    Open {
        path: &'a [u8],
        flags: OpenFlags,
        attributes: Attributes,
    },
    /// Close a handle, of a file or a directory.
    Close { handle: &'a Handle },
    /// Read up to `length` bytes.
    Read {
        handle: &'a Handle,
        offset: u64,
        length: u32,
    },
    /// Write; `length` bytes of payload follow right behind the packet that is built from this.
    Write {
        handle: &'a Handle,
        offset: u64,
        length: usize,
    },
    /// Attributes, of a link itself.
    Lstat { path: &'a [u8] },
    /// Attributes of an open file.
    Fstat { handle: &'a Handle },
    /// Attributes, links followed.
    Stat { path: &'a [u8] },
    /// Set attributes by name.
    Setstat {
        path: &'a [u8],
        attributes: Attributes,
    },
    /// Set attributes of an open file.
    Fsetstat {
        handle: &'a Handle,
        attributes: Attributes,
    },
    /// Open a directory.
    Opendir { path: &'a [u8] },
    /// The next names of a directory.
    Readdir { handle: &'a Handle },
    /// Remove a file.
    Remove { path: &'a [u8] },
    /// Make a directory.
    Mkdir { path: &'a [u8] },
    /// The canonical form of a path.
    Realpath { path: &'a [u8] },
    /// Rename; the draft has it fail where `to` exists.
    Rename { from: &'a [u8], to: &'a [u8] },
    /// Rename over whatever is there, in one step.
    PosixRename { from: &'a [u8], to: &'a [u8] },
    /// Make an open file durable.
    Fsync { handle: &'a Handle },
    /// Ask for the server's limits.
    Limits,
}

impl Request<'_> {
    /// The packet; of a WRITE, all but its payload.
    pub fn encode(&self, id: u32) -> Bytes {
        let start = |kind| Builder::new(kind).u32(id);
        match *self {
            Self::Open {
                path,
                flags,
                attributes,
            } => attributes
                .write(start(OPEN).string(path).u32(flags.0))
                .finish(),
            Self::Close { handle } => start(CLOSE).string(&handle.0).finish(),
            Self::Read {
                handle,
                offset,
                length,
            } => start(READ)
                .string(&handle.0)
                .u64(offset)
                .u32(length)
                .finish(),
            Self::Write {
                handle,
                offset,
                length,
            } => start(WRITE)
                .string(&handle.0)
                .u64(offset)
                .u32(crate::wire::wire_length(length))
                .finish_before(length),
            Self::Lstat { path } => start(LSTAT).string(path).finish(),
            Self::Fstat { handle } => start(FSTAT).string(&handle.0).finish(),
            Self::Stat { path } => start(STAT).string(path).finish(),
            Self::Setstat { path, attributes } => {
                attributes.write(start(SETSTAT).string(path)).finish()
            }
            Self::Fsetstat { handle, attributes } => {
                attributes.write(start(FSETSTAT).string(&handle.0)).finish()
            }
            Self::Opendir { path } => start(OPENDIR).string(path).finish(),
            Self::Readdir { handle } => start(READDIR).string(&handle.0).finish(),
            Self::Remove { path } => start(REMOVE).string(path).finish(),
            Self::Mkdir { path } => Attributes::default()
                .write(start(MKDIR).string(path))
                .finish(),
            Self::Realpath { path } => start(REALPATH).string(path).finish(),
            Self::Rename { from, to } => start(RENAME).string(from).string(to).finish(),
            Self::PosixRename { from, to } => start(EXTENDED)
                .string(POSIX_RENAME.as_bytes())
                .string(from)
                .string(to)
                .finish(),
            Self::Fsync { handle } => start(EXTENDED)
                .string(FSYNC.as_bytes())
                .string(&handle.0)
                .finish(),
            Self::Limits => start(EXTENDED).string(LIMITS.as_bytes()).finish(),
        }
    }
}

/// The first packet of a session; it has no id.
pub fn encode_init() -> Bytes {
    Builder::new(INIT).u32(VERSION).finish()
}

/// A name in a directory, or the answer to REALPATH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The file's name, in whatever encoding the server has.
    pub filename: Bytes,
    /// Its attributes.
    pub attributes: Attributes,
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// A verdict, OK included.
    Status(Status),
    /// An opened file.
    Handle(Handle),
    /// Bytes of a file.
    Data(Bytes),
    /// Names of a directory.
    Names(Vec<Name>),
    /// Attributes of a file.
    Attributes(Attributes),
    /// The answer of an extension.
    Extended(Bytes),
}

/// A packet from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The answer to INIT: the version, and fields to read extensions from.
    Version(u32, Bytes),
    /// The answer to the request with this id.
    Answer(u32, Response),
}

impl Incoming {
    /// Reads one packet, given without its length.
    pub fn decode(packet: Bytes) -> Result<Self> {
        let mut fields = Fields::new(packet);
        let kind = fields.u8()?;
        let id = fields.u32()?;
        let response = match kind {
            // Where answers have their id, the version packet has its number.
            VERSION_ANSWER => return Ok(Self::Version(id, fields.into_bytes())),
            STATUS => Response::Status(Status::read(&mut fields)?),
            HANDLE => Response::Handle(handle(&mut fields)?),
            DATA => Response::Data(fields.string()?),
            NAME => Response::Names(names(&mut fields)?),
            ATTRS => Response::Attributes(Attributes::read(&mut fields)?),
            EXTENDED_REPLY => Response::Extended(fields.into_bytes()),
            other => return Err(Error::protocol(format!("packet of unknown type {other}"))),
        };
        Ok(Self::Answer(id, response))
    }
}

/// The longest handle: draft section 7. It is part of every WRITE, and so of what is in flight.
const MAX_HANDLE: usize = 256;

fn handle(fields: &mut Fields) -> Result<Handle> {
    let handle = fields.string()?;
    if handle.len() > MAX_HANDLE {
        return Err(Error::protocol(format!(
            "a handle of {} bytes, {MAX_HANDLE} are allowed",
            handle.len()
        )));
    }
    // A copy: what came may be a slice of everything else that came with it.
    Ok(Handle(Bytes::copy_from_slice(&handle)))
}

fn names(fields: &mut Fields) -> Result<Vec<Name>> {
    let count = fields.u32()?;
    // The count is the server's claim; the vector grows with what is really there.
    let mut names = Vec::new();
    for _ in 0..count {
        let filename = fields.string()?;
        let _long_name = fields.string()?;
        names.push(Name {
            filename,
            attributes: Attributes::read(fields)?,
        });
    }
    Ok(names)
}

/// Cuts a stream of bytes into packets.
#[derive(Debug, Default)]
pub struct Deframer(BytesMut);

impl Deframer {
    /// Takes what came in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Whether [`Self::next_packet`] has something to say: a whole packet, or that none can come.
    pub fn has_packet(&self) -> bool {
        let length = self.0.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        length.is_some_and(|it| it > MAX_PACKET || self.0.len() - 4 >= it as usize)
    }

    /// The next whole packet, without its length; none while more has to come.
    pub fn next_packet(&mut self) -> Result<Option<Bytes>> {
        let Some(length) = self.0.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else {
            return Ok(None);
        };
        if length > MAX_PACKET {
            return Err(self.not_sftp(length));
        }
        let whole = 4 + length as usize;
        if self.0.len() < whole {
            return Ok(None);
        }
        let mut packet = self.0.split_to(whole);
        packet.advance(4);
        Ok(Some(packet.freeze()))
    }

    /// A shell that greets before the SFTP server starts is the usual cause, and its text tells.
    fn not_sftp(&self, length: u32) -> Error {
        let text = &self.0[..self.0.len().min(200)];
        if text
            .iter()
            .take(4)
            .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        {
            Error::protocol(format!(
                "the server sent text before SFTP, which its account's start-up files may print: \
                 \"{}\"",
                text.escape_ascii()
            ))
        } else {
            Error::protocol(format!(
                "a packet of {length} bytes, {MAX_PACKET} are allowed"
            ))
        }
    }
}
