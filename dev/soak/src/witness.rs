//! The invariants. A thread looks all the time, at samples; the end is compared byte by byte.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use testkit::payload::{first_difference_from, ramp_at};
use testkit::s3::Store;

use crate::random::Random;
use crate::world::BUCKET;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(3);

/// So many places of a file are compared at each look, so many bytes at each.
const SAMPLES: u64 = 8;
const SAMPLE: usize = 4096;

/// What an object is: so many bytes of the ramp, from `offset` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// All that was ever put under the round's key, the newest last.
#[derive(Clone, Default)]
pub(crate) struct Versions(Arc<Mutex<Vec<Version>>>);

impl Versions {
    /// To be called before the object is there: the file may follow at once.
    pub(crate) fn add(&self, version: Version) {
        lock(&self.0).push(version);
    }

    pub(crate) fn newest(&self) -> Version {
        *lock(&self.0).last().expect("a round has an object")
    }

    fn all(&self) -> Vec<Version> {
        lock(&self.0).clone()
    }
}

/// Looks at the final name until it is asked what it saw.
pub(crate) struct Witness {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    file: PathBuf,
    key: String,
    store: Store,
    versions: Versions,
    is_over: AtomicBool,
    looks: AtomicU64,
    /// How many files have had the final name.
    published: AtomicU64,
    violation: Mutex<Option<String>>,
}

/// What a witness saw.
pub(crate) struct Seen {
    pub(crate) looks: u64,
    pub(crate) published: u64,
    pub(crate) violation: Option<String>,
}

impl Witness {
    pub(crate) fn start(file: PathBuf, key: &str, store: Store, versions: Versions) -> Self {
        let shared = Arc::new(Shared {
            file,
            key: key.to_owned(),
            store,
            versions,
            is_over: AtomicBool::new(false),
            looks: AtomicU64::new(0),
            published: AtomicU64::new(0),
            violation: Mutex::new(None),
        });
        let looking = Arc::clone(&shared);
        Self {
            shared,
            thread: Some(thread::spawn(move || looking.watch())),
        }
    }

    /// What is wrong so far.
    pub(crate) fn violation(&self) -> Option<String> {
        lock(&self.shared.violation).clone()
    }

    pub(crate) fn end(mut self) -> Seen {
        self.stop();
        Seen {
            looks: self.shared.looks.load(Ordering::SeqCst),
            published: self.shared.published.load(Ordering::SeqCst),
            violation: self.violation(),
        }
    }

    fn stop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("looking does not panic");
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn watch(&self) {
        let mut random = Random::new(0);
        let mut last = None;
        while !self.is_over.load(Ordering::SeqCst) {
            // In this order: once the source is gone, the file is there for good.
            let source_is_gone = !self.store.exists(BUCKET, &self.key);
            let look = match File::open(&self.file) {
                Ok(file) => self.look(&file, &mut random, &mut last),
                Err(error) if error.kind() == ErrorKind::NotFound && !source_is_gone => Ok(()),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Err("the source is gone and the file is not there: bytes are lost".to_owned())
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(violation) = look {
                *lock(&self.violation) = Some(violation);
                return;
            }
            self.looks.fetch_add(1, Ordering::SeqCst);
            thread::sleep(PAUSE);
        }
    }

    /// Whether it is a complete version, as far as samples tell.
    fn look(&self, file: &File, random: &mut Random, last: &mut Option<u64>) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        let metadata = file.metadata().map_err(text)?;
        if *last != Some(metadata.ino()) {
            *last = Some(metadata.ino());
            self.published.fetch_add(1, Ordering::SeqCst);
        }
        let size = metadata.len();
        let mut candidates = self.versions.all();
        candidates.retain(|version| version.size == size);
        if candidates.is_empty() {
            return Err(format!(
                "the final name holds {size} bytes, which no version has"
            ));
        }
        let mut buffer = vec![0; SAMPLE];
        for sample in 0..SAMPLES {
            let at = match sample {
                0 => 0,
                1 => size.saturating_sub(SAMPLE as u64),
                _ => random.below(size.max(1)),
            };
            let read = file.read_at(&mut buffer, at).map_err(text)?;
            candidates.retain(|version| buffer[..read] == ramp_at(version.offset + at, read)[..]);
            if candidates.is_empty() {
                return Err(format!(
                    "the final name holds what no version is, at byte {at} or near it"
                ));
            }
        }
        Ok(())
    }
}

/// Compares all of a file with a version.
pub(crate) fn compare(path: &Path, version: Version) -> Result<(), String> {
    let file = File::open(path).map_err(|error| format!("the file is not there: {error}"))?;
    match first_difference_from(file, version.offset, version.size) {
        Ok(None) => Ok(()),
        Ok(Some(at)) => Err(format!(
            "the file is not the newest version: it differs at byte {at} of {}",
            version.size
        )),
        Err(error) => Err(format!("the file cannot be read: {error}")),
    }
}

/// What is in the server's directory beside the final file: temporaries of the function's pattern, and anything else.
pub(crate) fn leftovers(home: &Path, key: &str) -> io::Result<(Vec<String>, Vec<String>)> {
    let names: io::Result<Vec<String>> = fs::read_dir(home)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect();
    Ok(names?
        .into_iter()
        .filter(|name| name != key)
        .partition(|name| is_temporary(name, key)))
}

/// `.{name}.{tag}.part` with a tag of twenty hexadecimal digits: what `s3-to-sftp clean` removes.
fn is_temporary(name: &str, key: &str) -> bool {
    name.strip_prefix(&format!(".{key}."))
        .and_then(|rest| rest.strip_suffix(".part"))
        .map(|tag| tag.strip_suffix(".old").unwrap_or(tag))
        .is_some_and(|tag| tag.len() == 20 && tag.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
