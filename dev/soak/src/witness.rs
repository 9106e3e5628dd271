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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use testkit::payload::ramp_at;

    use super::*;

    const SIZE: usize = 100_000;
    const KEY: &str = "k";

    struct Scene {
        directory: tempfile::TempDir,
        store: Store,
        witness: Witness,
    }

    impl Scene {
        /// One object in S3, of the ramp from 7 on, and nothing on the server.
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let store = Store::default();
            store.create_bucket(BUCKET);
            let (offset, size) = (7, SIZE as u64);
            let versions = Versions::default();
            versions.add(Version { offset, size });
            store.put_generated_from(BUCKET, KEY, offset, size);
            let file = directory.path().join(KEY);
            Self {
                witness: Witness::start(file, KEY, store.clone(), versions),
                store,
                directory,
            }
        }

        /// As a rename does, at once.
        fn publish(&self, content: &[u8]) {
            let temporary = self.directory.path().join("temporary");
            fs::write(&temporary, content).expect("written");
            fs::rename(temporary, self.directory.path().join(KEY)).expect("renamed");
        }

        /// Waits for some more looks, or for what is wrong.
        fn look(&self) -> Option<String> {
            let looks = || self.witness.shared.looks.load(Ordering::SeqCst);
            let (before, begin) = (looks(), Instant::now());
            while looks() < before + 3 && self.witness.violation().is_none() {
                assert!(begin.elapsed() < Duration::from_secs(20), "it looks");
                thread::yield_now();
            }
            self.witness.violation()
        }
    }

    #[test]
    fn a_whole_file_is_well_before_and_after_its_source_is_gone() {
        let scene = Scene::new();
        assert_eq!(scene.look(), None);
        scene.publish(&ramp_at(7, SIZE));
        assert_eq!(scene.look(), None);
        scene.store.delete(BUCKET, KEY);
        assert_eq!(scene.look(), None);
        scene.publish(&ramp_at(7, SIZE));
        assert_eq!(scene.look(), None);
        let seen = scene.witness.end();
        assert_eq!((seen.published, seen.violation), (2, None));
    }

    #[test]
    fn a_source_that_is_gone_without_a_file_is_seen() {
        let scene = Scene::new();
        scene.store.delete(BUCKET, KEY);
        let violation = scene.look().expect("seen");
        assert!(violation.contains("bytes are lost"), "{violation}");
    }

    #[test]
    fn half_a_file_is_seen() {
        let scene = Scene::new();
        scene.publish(&ramp_at(7, SIZE / 2));
        let violation = scene.look().expect("seen");
        assert!(violation.contains("50000 bytes"), "{violation}");
    }

    #[test]
    fn another_file_of_the_same_size_is_seen() {
        let scene = Scene::new();
        scene.publish(&ramp_at(8, SIZE));
        let violation = scene.look().expect("seen");
        assert!(violation.contains("no version is"), "{violation}");
    }

    #[test]
    fn every_byte_is_compared_at_the_end() {
        let scene = Scene::new();
        let version = Version {
            offset: 7,
            size: SIZE as u64,
        };
        let file = scene.directory.path().join("other");
        compare(&file, version).expect_err("it is not there");
        let mut content = ramp_at(7, SIZE).to_vec();
        fs::write(&file, &content).expect("written");
        assert_eq!(compare(&file, version), Ok(()));
        content[77_777] ^= 1;
        fs::write(&file, &content).expect("written");
        let wrong = compare(&file, version).expect_err("found");
        assert!(wrong.contains("77777"), "{wrong}");
    }

    #[test]
    fn temporaries_are_told_from_other_names() {
        let scene = Scene::new();
        let tag = "0123456789abcdef0123";
        let ours = [format!(".k.{tag}.part"), format!(".k.{tag}.old.part")];
        let others = [format!(".l.{tag}.part"), ".k.part".into(), "x".into()];
        for name in ours.iter().chain(&others).chain([&KEY.to_owned()]) {
            fs::write(scene.directory.path().join(name), "").expect("written");
        }
        let (mut found, mut rest) = leftovers(scene.directory.path(), KEY).expect("listed");
        let sorted = |names: &mut Vec<String>| {
            names.sort();
            names.clone()
        };
        assert_eq!(sorted(&mut found), sorted(&mut ours.to_vec()));
        assert_eq!(sorted(&mut rest), sorted(&mut others.to_vec()));
    }
}
