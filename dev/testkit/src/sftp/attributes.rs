//! Attributes of files, from the disk and to it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::wire::Attributes;

pub(super) fn set_of_path(path: &Path, attributes: &Attributes) -> io::Result<()> {
    // Only a change of size needs write access.
    let file = {
        let size = attributes.size.is_some();
        OpenOptions::new().read(!size).write(size).open(path)?
    };
    set(&file, attributes)
}

pub(super) fn set(file: &File, attributes: &Attributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        file.set_len(size)?;
    }
    if let Some(permissions) = attributes.permissions {
        file.set_permissions(fs::Permissions::from_mode(permissions & 0o7777))?;
    }
    if let Some((accessed, modified)) = attributes.times {
        let time = |seconds: u32| UNIX_EPOCH + Duration::from_secs(seconds.into());
        file.set_times(
            fs::FileTimes::new()
                .set_accessed(time(accessed))
                .set_modified(time(modified)),
        )?;
    }
    if let Some((user, group)) = attributes.owner {
        std::os::unix::fs::fchown(file, Some(user), Some(group))?;
    }
    Ok(())
}

pub(super) fn of(metadata: &fs::Metadata) -> Attributes {
    // Version 3 has 32 bits for a time, and wraps in 2106.
    let seconds = |time: i64| u32::try_from(time).unwrap_or(0);
    Attributes {
        size: Some(metadata.size()),
        owner: Some((metadata.uid(), metadata.gid())),
        permissions: Some(metadata.mode()),
        times: Some((seconds(metadata.atime()), seconds(metadata.mtime()))),
    }
}

/// A line in the manner of `ls -l`, which clients show and must not parse.
pub(super) fn long_name(name: &[u8], metadata: &fs::Metadata) -> String {
    let kind = if metadata.is_dir() { 'd' } else { '-' };
    let mut mode = String::new();
    for (bit, letter) in (0..9).rev().zip("rwxrwxrwx".chars()) {
        mode.push(if metadata.mode() & (1 << bit) == 0 {
            '-'
        } else {
            letter
        });
    }
    let name = String::from_utf8_lossy(name);
    format!(
        "{kind}{mode} {:>4} {:<8} {:<8} {:>8} Jan  1  1970 {name}",
        metadata.nlink(),
        metadata.uid(),
        metadata.gid(),
        metadata.size()
    )
}
