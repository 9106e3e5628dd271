//! Files that are compared in place of being stored: what is written has to be the ramp of [`crate::payload`].
//!
//! On the disk is a file of the right length without a block of data, so that names, sizes, renames and removals stay the
//! file system's own. What was written where is kept here, by the file's number, which a rename does not change.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

use crate::payload::ramp_at;

/// What was written to a file of a server that [verifies](super::Builder::verify_ramp).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Its length, in bytes.
    pub size: u64,
    /// Where it first is not the ramp.
    pub wrong: Option<u64>,
    /// Where something was first left out.
    pub missing: Option<u64>,
}

impl Written {
    /// Whether it is the first `size` bytes of the ramp exactly.
    pub fn is_ramp(&self, size: u64) -> bool {
        *self
            == Self {
                size,
                wrong: None,
                missing: None,
            }
    }
}

/// All files of one server.
#[derive(Default)]
pub(super) struct Ramps(Mutex<HashMap<(u64, u64), Content>>);

#[derive(Default)]
struct Content {
    right: Ranges,
    wrong: Ranges,
}

impl Ramps {
    pub(super) fn write(&self, file: &File, offset: u64, data: &[u8]) -> io::Result<()> {
        let range = offset..offset + data.len() as u64;
        self.with(&file.metadata()?, |content| {
            if data == &ramp_at(offset, data.len())[..] {
                content.right.add(range.clone());
                content.wrong.remove(range.clone());
            } else {
                content.right.remove(range.clone());
                content.wrong.add(range.clone());
            }
            // Within the lock: another channel must not make it shorter again.
            if file.metadata()?.len() < range.end {
                file.set_len(range.end)?;
            }
            Ok(())
        })
    }

    /// The ramp where it was written, and zeros elsewhere.
    pub(super) fn read(&self, file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let metadata = file.metadata()?;
        let end = metadata.len().min(offset.saturating_add(len as u64));
        let mut data = vec![0; index(end.saturating_sub(offset))];
        self.with(&metadata, |content| {
            for range in content.right.within(offset..end) {
                let bytes = ramp_at(range.start, index(range.end - range.start));
                let at = index(range.start - offset);
                data[at..at + bytes.len()].copy_from_slice(&bytes);
            }
        });
        Ok(data)
    }

    /// To be called when a file has a new length: what was beyond it is gone. Of an empty file, which may have the number
    /// of one that was removed, nothing is known.
    pub(super) fn resized(&self, metadata: &Metadata) {
        self.with(metadata, |content| {
            for ranges in [&mut content.right, &mut content.wrong] {
                ranges.remove(metadata.len()..u64::MAX);
            }
        });
    }

    pub(super) fn written(&self, metadata: &Metadata) -> Written {
        let size = metadata.len();
        self.with(metadata, |content| Written {
            size,
            wrong: content.wrong.0.first().map(|range| range.start),
            missing: content.first_gap(size),
        })
    }

    fn with<T>(&self, metadata: &Metadata, act: impl FnOnce(&mut Content) -> T) -> T {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(files.entry((metadata.dev(), metadata.ino())).or_default())
    }
}

impl Content {
    fn first_gap(&self, size: u64) -> Option<u64> {
        let mut all = self.right.clone();
        self.wrong.0.iter().for_each(|range| all.add(range.clone()));
        let begin = match all.0.first() {
            Some(first) if first.start == 0 => first.end,
            _ => 0,
        };
        (begin < size).then_some(begin)
    }
}

/// Stretches in order, none of which touch.
#[derive(Debug, Clone, Default)]
struct Ranges(Vec<Range<u64>>);

impl Ranges {
    fn add(&mut self, mut new: Range<u64>) {
        if new.is_empty() {
            return;
        }
        self.0.retain(|old| {
            let touches = old.start <= new.end && new.start <= old.end;
            if touches {
                new = old.start.min(new.start)..old.end.max(new.end);
            }
            !touches
        });
        let at = self.0.partition_point(|old| old.start < new.start);
        self.0.insert(at, new);
    }

    fn remove(&mut self, gone: Range<u64>) {
        let around = |old: &Range<u64>| {
            [
                old.start..old.end.min(gone.start),
                old.start.max(gone.end)..old.end,
            ]
        };
        self.0 = self
            .0
            .iter()
            .flat_map(around)
            .filter(|range| !range.is_empty())
            .collect();
    }

    fn within(&self, bounds: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        self.0
            .iter()
            .map(move |range| range.start.max(bounds.start)..range.end.min(bounds.end))
            .filter(|range| !range.is_empty())
    }
}

/// A position within a packet.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("what fits a packet is addressable")
}
