//! The file system behind a channel: a directory of this machine, with the manners of OpenSSH's sftp-server.
//!
//! Where a choice had to be made, `sftp-server.c` of OpenSSH 9.2 made it: which errno becomes which status, that a plain
//! rename is a link and an unlink and so never overwrites, that a read at the end is EOF.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::attributes;
use super::extensions::{Extensions, MAX_DATA, limits, plenty_of_space};
use super::hook::message;
use super::path::Root;
use super::ramp::Ramps;
use super::record::Record;
use super::request::{flags, status};
use super::wire::{Answer, Attributes, Call, Name};

/// The open files of one channel. All are closed when it goes.
pub(super) struct Disk {
    root: Arc<Root>,
    record: Arc<Record>,
    extensions: Extensions,
    opaque_handles: bool,
    /// Where files are compared and not stored.
    ramps: Option<Arc<Ramps>>,
    open: HashMap<Bytes, Open>,
}

struct Open {
    number: u64,
    path: String,
    kind: Kind,
}

enum Kind {
    File {
        file: File,
        append: bool,
    },
    /// What READDIR has not handed out yet.
    Directory(Vec<Name>),
}

impl Disk {
    pub(super) fn new(
        root: Arc<Root>,
        record: Arc<Record>,
        extensions: Extensions,
        opaque_handles: bool,
        ramps: Option<Arc<Ramps>>,
    ) -> Self {
        Self {
            root,
            record,
            extensions,
            opaque_handles,
            ramps,
            open: HashMap::new(),
        }
    }

    /// The path that a handle was opened by.
    pub(super) fn path_of(&self, call: &Call) -> Option<String> {
        let (Call::Close { handle }
        | Call::Read { handle, .. }
        | Call::Write { handle, .. }
        | Call::Fstat { handle }
        | Call::Fsetstat { handle, .. }
        | Call::Readdir { handle }
        | Call::Fsync { handle }) = call
        else {
            return None;
        };
        self.open.get(handle).map(|open| open.path.clone())
    }

    /// Does what is asked, and says what came of it.
    pub(super) fn answer(&mut self, call: Call) -> Answer {
        if !self.extensions.understands(&call) {
            return status_answer(status::OP_UNSUPPORTED);
        }
        self.act(call)
            .unwrap_or_else(|error| status_answer(code_of(&error)))
    }

    /// The same, with a plain RENAME that replaces what has the name.
    pub(super) fn answer_renaming_over(&mut self, call: Call) -> Answer {
        match call {
            Call::Rename { from, to } => self
                .act(Call::PosixRename { from, to })
                .unwrap_or_else(|error| status_answer(code_of(&error))),
            other => self.answer(other),
        }
    }

    fn act(&mut self, call: Call) -> io::Result<Answer> {
        let root = Arc::clone(&self.root);
        let at = |path: &[u8]| root.on_disk(path);
        match call {
            Call::Init => Ok(Answer::Version(self.extensions.announced())),
            Call::Open {
                path,
                flags,
                attributes,
            } => self.open_file(&path, flags, &attributes),
            Call::Opendir { path } => self.open_directory(&path),
            Call::Close { handle } => {
                let open = self.open.remove(&handle).ok_or_else(no_handle)?;
                self.record.closed(open.number);
                done()
            }
            Call::Read {
                handle,
                offset,
                len,
            } => {
                let (file, _) = self.file(&handle)?;
                let len = usize::try_from(MAX_DATA.min(len.into())).unwrap_or(usize::MAX);
                let data = match &self.ramps {
                    Some(ramps) => ramps.read(file, offset, len)?,
                    None => read_at(file, offset, len)?,
                };
                Ok(if data.is_empty() {
                    status_answer(status::EOF)
                } else {
                    Answer::Data(data.into())
                })
            }
            Call::Write {
                handle,
                offset,
                data,
            } => {
                let (file, append) = self.file(&handle)?;
                if let Some(ramps) = &self.ramps {
                    let end = if append {
                        file.metadata()?.len()
                    } else {
                        offset
                    };
                    ramps.write(file, end, &data)?;
                } else if append {
                    io::Write::write_all(&mut &*file, &data)?;
                } else {
                    file.write_all_at(&data, offset)?;
                }
                done()
            }
            Call::Lstat { path } => Ok(Answer::Attributes(attributes::of(&fs::symlink_metadata(
                at(&path),
            )?))),
            Call::Stat { path } => Ok(Answer::Attributes(attributes::of(&fs::metadata(at(
                &path,
            ))?))),
            Call::Fstat { handle } => Ok(Answer::Attributes(attributes::of(
                &self.file(&handle)?.0.metadata()?,
            ))),
            Call::Setstat { path, attributes } => {
                attributes::set_of_path(&at(&path), &attributes)?;
                self.resized(attributes.size, || fs::metadata(at(&path)))?;
                done()
            }
            Call::Fsetstat { handle, attributes } => {
                let (file, _) = self.file(&handle)?;
                attributes::set(file, &attributes)?;
                self.resized(attributes.size, || file.metadata())?;
                done()
            }
            Call::Readdir { handle } => {
                match &mut self.open.get_mut(&handle).ok_or_else(no_handle)?.kind {
                    Kind::File { .. } => Err(no_handle()),
                    Kind::Directory(left) if left.is_empty() => Ok(status_answer(status::EOF)),
                    // As many at once as OpenSSH hands out.
                    Kind::Directory(left) => Ok(Answer::Names(
                        left.split_off(left.len().saturating_sub(100)),
                    )),
                }
            }
            Call::Remove { path } => fs::remove_file(at(&path)).and_then(|()| done()),
            Call::Mkdir { path, attributes } => {
                let mode = attributes.permissions.unwrap_or(0o777) & 0o7777;
                fs::DirBuilder::new().mode(mode).create(at(&path))?;
                done()
            }
            Call::Rmdir { path } => fs::remove_dir(at(&path)).and_then(|()| done()),
            Call::Realpath { path } => self.real_path(&path),
            Call::Rename { from, to } => rename(&at(&from), &at(&to)),
            Call::PosixRename { from, to } => fs::rename(at(&from), at(&to)).and_then(|()| done()),
            Call::Hardlink { from, to } => fs::hard_link(at(&from), at(&to)).and_then(|()| done()),
            Call::Fsync { handle } => {
                // Not really: no test of this crate survives a power cut, and a real one costs a disk's turn.
                self.file(&handle)?;
                done()
            }
            Call::Limits => Ok(Answer::Extended(limits(self.extensions.write_limit))),
            Call::Statvfs { path } => {
                fs::metadata(at(&path))?;
                Ok(Answer::Extended(plenty_of_space()))
            }
            Call::Other => Ok(status_answer(status::OP_UNSUPPORTED)),
        }
    }

    fn open_file(&mut self, path: &[u8], bits: u32, attributes: &Attributes) -> io::Result<Answer> {
        let set = |flag| bits & flag != 0;
        let disk_path = self.root.on_disk(path);
        let mut options = OpenOptions::new();
        // Neither READ nor WRITE is O_RDONLY to OpenSSH.
        options.read(set(flags::READ) || !set(flags::WRITE));
        options.write(set(flags::WRITE));
        options.mode(attributes.permissions.unwrap_or(0o666) & 0o7777);
        let append = set(flags::APPEND) && set(flags::WRITE);
        options.append(append);
        // The standard library refuses what open(2) allows: creation or truncation without write access, and
        // truncation with append. A client that asks for it is told that the request makes no sense.
        if set(flags::CREAT) && set(flags::EXCL) {
            options.create_new(true);
        } else {
            options.create(set(flags::CREAT));
        }
        options.truncate(set(flags::TRUNC));
        let file = options.open(&disk_path)?;
        let metadata = file.metadata()?;
        if let Some(ramps) = &self.ramps {
            ramps.resized(&metadata);
        }
        Ok(self.add(path, Kind::File { file, append }))
    }

    fn open_directory(&mut self, path: &[u8]) -> io::Result<Answer> {
        use std::os::unix::ffi::OsStrExt;

        let mut names = Vec::new();
        let disk_path = self.root.on_disk(path);
        let name = |name: &[u8], path: &Path| -> io::Result<Name> {
            let metadata = fs::symlink_metadata(path)?;
            Ok(Name {
                name: Bytes::copy_from_slice(name),
                long: attributes::long_name(name, &metadata),
                attributes: attributes::of(&metadata),
            })
        };
        for entry in fs::read_dir(&disk_path)? {
            let entry = entry?;
            // A file that went away while the listing was made is not in it.
            names.extend(name(entry.file_name().as_bytes(), &entry.path()).ok());
        }
        names.push(name(b".", &disk_path)?);
        names.push(name(b"..", &disk_path)?);
        Ok(self.add(path, Kind::Directory(names)))
    }

    fn add(&mut self, path: &[u8], kind: Kind) -> Answer {
        let path = String::from_utf8_lossy(path).into_owned();
        let number = self.record.opened(path.clone());
        let mut handle = BytesMut::new();
        if self.opaque_handles {
            // Neither text nor free of zeros: what the draft allows and text-minded clients break on.
            handle.put_slice(&[0xff, 0x00, 0xfe, 0x80]);
        }
        // OpenSSH's handles are four bytes, too.
        handle.put_u32(
            u32::try_from(number).expect("a test opens fewer than four thousand million files"),
        );
        let handle = handle.freeze();
        self.open
            .insert(handle.clone(), Open { number, path, kind });
        Answer::Handle(handle)
    }

    fn resized(
        &self,
        size: Option<u64>,
        metadata: impl FnOnce() -> io::Result<Metadata>,
    ) -> io::Result<()> {
        if let (Some(ramps), Some(_)) = (&self.ramps, size) {
            ramps.resized(&metadata()?);
        }
        Ok(())
    }

    fn file(&self, handle: &Bytes) -> io::Result<(&File, bool)> {
        match &self.open.get(handle).ok_or_else(no_handle)?.kind {
            Kind::File { file, append } => Ok((file, *append)),
            Kind::Directory(_) => Err(no_handle()),
        }
    }

    /// OpenSSH lets the last segment be missing, and no other.
    fn real_path(&self, path: &[u8]) -> io::Result<Answer> {
        let absolute = self.root.absolute(path);
        if let Some(parent) = self.root.on_disk(&absolute).parent()
            && absolute != b"/"
        {
            fs::metadata(parent)?;
        }
        let long = String::from_utf8_lossy(&absolute).into_owned();
        Ok(Answer::Names(vec![Name {
            name: absolute.into(),
            long,
            attributes: Attributes::default(),
        }]))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for open in self.open.values() {
            self.record.closed(open.number);
        }
    }
}

/// A status with OpenSSH's words.
pub(super) fn status_answer(code: u32) -> Answer {
    Answer::Status(code, message(code).into())
}

fn done() -> io::Result<Answer> {
    Ok(status_answer(status::OK))
}

/// OpenSSH says "Failure" to a handle it does not know.
fn no_handle() -> io::Error {
    io::Error::other("no such handle")
}

/// `errno_to_portable`.
fn code_of(error: &io::Error) -> u32 {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => status::NO_SUCH_FILE,
        ErrorKind::PermissionDenied => status::PERMISSION_DENIED,
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => status::BAD_MESSAGE,
        _ => status::FAILURE,
    }
}

fn read_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0; len];
    let read = file.read_at(&mut data, offset)?;
    data.truncate(read);
    Ok(data)
}

fn rename(from: &Path, to: &Path) -> io::Result<Answer> {
    if fs::symlink_metadata(from)?.is_file() {
        // Atomic, and fails with EEXIST where a rename would overwrite.
        fs::hard_link(from, to)?;
        fs::remove_file(from)?;
    } else if fs::symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    } else {
        fs::rename(from, to)?;
    }
    done()
}
