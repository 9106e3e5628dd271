//! Paths of the client to paths on this machine's disk, never above the root.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directory that clients see as `/`, and the one below it that they begin in.
#[derive(Debug, Clone)]
pub(super) struct Root {
    disk: PathBuf,
    login: Vec<u8>,
}

impl Root {
    pub(super) fn new(disk: PathBuf, login: &str) -> Self {
        let mut root = Self {
            disk,
            login: b"/".to_vec(),
        };
        root.login = root.absolute(login.as_bytes());
        root
    }

    /// The client's path, absolute and without `.` and `..`; above the root is the root, as in a chroot.
    pub(super) fn absolute(&self, path: &[u8]) -> Vec<u8> {
        let mut segments: Vec<&[u8]> = Vec::new();
        let start: &[u8] = if path.starts_with(b"/") {
            b""
        } else {
            &self.login
        };
        for segment in start
            .split(|byte| *byte == b'/')
            .chain(path.split(|byte| *byte == b'/'))
        {
            match segment {
                b"" | b"." => {}
                b".." => {
                    segments.pop();
                }
                name => segments.push(name),
            }
        }
        let mut absolute = Vec::with_capacity(path.len() + 1);
        for segment in segments {
            absolute.push(b'/');
            absolute.extend_from_slice(segment);
        }
        if absolute.is_empty() {
            absolute.push(b'/');
        }
        absolute
    }

    /// Where the client's path is on the disk. A trailing slash stays: `file/` is no file.
    pub(super) fn on_disk(&self, path: &[u8]) -> PathBuf {
        let absolute = self.absolute(path);
        let mut inside = absolute[1..].to_vec();
        if path.ends_with(b"/") && !inside.is_empty() {
            inside.push(b'/');
        }
        self.disk.join(OsStr::from_bytes(&inside))
    }

    /// The login directory on the disk.
    pub(super) fn home(&self) -> PathBuf {
        self.on_disk(b".")
    }

    pub(super) fn disk(&self) -> &Path {
        &self.disk
    }
}
