//! The SFTP server behind the line, as long as it means well: names, lengths, and whether the bytes were right. It stores
//! none, so that its memory is no part of what is measured.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use testkit::payload;

use crate::line::string;

pub(crate) const INIT: u8 = 1;
pub(crate) const OPEN: u8 = 3;
pub(crate) const CLOSE: u8 = 4;
const READ: u8 = 5;
pub(crate) const WRITE: u8 = 6;
const LSTAT: u8 = 7;
pub(crate) const FSTAT: u8 = 8;
const REMOVE: u8 = 13;
pub(crate) const STAT: u8 = 17;
pub(crate) const RENAME: u8 = 18;

pub(crate) const VERSION: u8 = 2;
pub(crate) const STATUS: u8 = 101;
pub(crate) const HANDLE: u8 = 102;
const DATA: u8 = 103;
pub(crate) const ATTRS: u8 = 105;

const EOF: u32 = 1;
const NO_SUCH_FILE: u32 = 2;
const FAILURE: u32 = 4;
const UNSUPPORTED: u32 = 8;

/// What there is of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) length: u64,
    /// Whether every byte was that of the ramp, in its place.
    pub(crate) is_right: bool,
}

/// The names of a server, whatever its connections. A handle is a name.
#[derive(Debug)]
pub(crate) struct Files {
    names: Mutex<BTreeMap<Vec<u8>, File>>,
    are_read: bool,
}

/// A request, as far as it is understood.
pub(crate) struct Request<'a> {
    pub(crate) kind: u8,
    pub(crate) id: u32,
    rest: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn read(packet: &'a [u8]) -> Self {
        let (kind, mut rest) = packet.split_first().expect("a packet has a type");
        Self {
            kind: *kind,
            id: take_number(&mut rest),
            rest,
        }
    }
}

impl Files {
    /// No names. `are_read`: READ is not refused.
    pub(crate) fn new(are_read: bool) -> Self {
        Self {
            names: Mutex::default(),
            are_read,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<File> {
        self.lock().get(name.as_bytes()).copied()
    }

    /// What a server answers that means well.
    pub(crate) fn answer(&self, request: &Request<'_>) -> Vec<u8> {
        let id = request.id;
        let mut rest = request.rest;
        if request.kind == INIT {
            return framed(VERSION, 3, &[]);
        }
        let name = take_string(&mut rest);
        let mut files = self.lock();
        match request.kind {
            OPEN => {
                let creates = take_number(&mut rest) & 8 > 0;
                if !creates && !files.contains_key(name) {
                    return status(id, NO_SUCH_FILE);
                }
                let empty = File {
                    length: 0,
                    is_right: true,
                };
                files.entry(name.to_vec()).or_insert(empty);
                framed(HANDLE, id, &string(name))
            }
            WRITE => {
                let (offset, data) = rest[..].split_at(8);
                let offset = u64::from_be_bytes(offset.try_into().expect("eight bytes"));
                let data = take_string(&mut &*data);
                let Some(file) = files.get_mut(name) else {
                    return status(id, FAILURE);
                };
                file.is_right &= data == payload::ramp_at(offset, data.len());
                file.length = file.length.max(offset + data.len() as u64);
                status(id, 0)
            }
            READ if self.are_read => {
                let (offset, length) = rest.split_at(8);
                let offset = u64::from_be_bytes(offset.try_into().expect("eight bytes"));
                let length = take_number(&mut &*length).min(32 * 1024);
                let there = files.get(name).map_or(0, |file| file.length);
                match there.saturating_sub(offset).min(length.into()) {
                    0 => status(id, EOF),
                    length => {
                        let length = usize::try_from(length).expect("short");
                        framed(DATA, id, &string(&payload::ramp_at(offset, length)))
                    }
                }
            }
            CLOSE => status(id, 0),
            STAT | LSTAT | FSTAT => match files.get(name) {
                Some(file) => framed(ATTRS, id, &attributes(file.length)),
                None => status(id, NO_SUCH_FILE),
            },
            RENAME => {
                let to = take_string(&mut rest);
                match files.remove(name) {
                    Some(file) if !files.contains_key(to) => {
                        files.insert(to.to_vec(), file);
                        status(id, 0)
                    }
                    Some(file) => {
                        files.insert(name.to_vec(), file);
                        status(id, FAILURE)
                    }
                    None => status(id, NO_SUCH_FILE),
                }
            }
            REMOVE => match files.remove(name) {
                Some(_) => status(id, 0),
                None => status(id, NO_SUCH_FILE),
            },
            _ => status(id, UNSUPPORTED),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, File>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn status(id: u32, code: u32) -> Vec<u8> {
    framed(STATUS, id, &code.to_be_bytes())
}

fn attributes(size: u64) -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], &size.to_be_bytes()].concat()
}

/// A packet of SFTP.
pub(crate) fn framed(kind: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    string(&[&[kind], &id.to_be_bytes()[..], rest].concat())
}

pub(crate) fn take_number(bytes: &mut &[u8]) -> u32 {
    let (number, rest) = bytes.split_first_chunk().expect("four bytes");
    *bytes = rest;
    u32::from_be_bytes(*number)
}

pub(crate) fn take_string<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = take_number(bytes) as usize;
    let (string, rest) = bytes.split_at(length);
    *bytes = rest;
    string
}
