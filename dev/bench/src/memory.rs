//! Memory for what arrives in memory.
//!
//! A virtual machine gives back to its host what it does not use, within a second or so, and gets it again page by page, which takes
//! longer than what is measured: seven times as long for each GiB on the machine of 2026-11-28. So a run finds its memory
//! occupied, and it is given up just before what arrives needs it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How far what is given up is ahead of what arrives.
const AHEAD: u64 = 128 << 20;

/// How often it is looked how much has arrived. That far ahead nobody comes within.
const LOOK: Duration = Duration::from_millis(10);

/// Memory of a run, occupied by a file beside what arrives.
pub(crate) struct Occupied {
    ended: Arc<AtomicBool>,
    giving_up: Option<JoinHandle<io::Result<()>>>,
}

impl Occupied {
    /// Occupies so many bytes, and gives them up as files in that directory grow.
    pub(crate) fn beside(home: &Path, bytes: u64) -> Result<Self, String> {
        let fail = |error: io::Error| format!("{}: {error}", home.display());
        // Without a name, it ends with this process, whatever happens.
        let mut file = tempfile::tempfile_in(home).map_err(fail)?;
        io::copy(&mut io::repeat(1).take(bytes), &mut file).map_err(fail)?;
        let ended = Arc::new(AtomicBool::new(false));
        let (home, stop) = (home.to_owned(), ended.clone());
        let giving_up = thread::spawn(move || give_up(&home, &file, bytes, &stop));
        Ok(Self {
            ended,
            giving_up: Some(giving_up),
        })
    }

    /// Gives up what is left.
    pub(crate) fn end(mut self) -> Result<(), String> {
        self.stop()
            .map_err(|error| format!("occupied memory: {error}"))
    }

    fn stop(&mut self) -> io::Result<()> {
        self.ended.store(true, Ordering::Relaxed);
        match self.giving_up.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            _ => Ok(()),
        }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn give_up(home: &Path, file: &File, bytes: u64, ended: &AtomicBool) -> io::Result<()> {
    while !ended.load(Ordering::Relaxed) {
        file.set_len(keeps(bytes, arrived(home)?))?;
        thread::sleep(LOOK);
    }
    Ok(())
}

/// How much of it stays occupied.
fn keeps(bytes: u64, arrived: u64) -> u64 {
    bytes.saturating_sub(arrived.saturating_add(AHEAD))
}

/// The lengths of all files there.
fn arrived(home: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(home)? {
        // Renamed between the two, it is there again at the next look.
        sum += entry?.metadata().map_or(0, |metadata| metadata.len());
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_up_ahead_of_what_arrives() {
        assert_eq!(keeps(8 << 30, 0), (8 << 30) - AHEAD);
        assert_eq!(keeps(8 << 30, 1 << 30), (7 << 30) - AHEAD);
        assert_eq!(keeps(8 << 30, (8 << 30) - 1), 0);
        assert_eq!(keeps(10, 0), 0);
    }

    #[test]
    fn what_has_arrived_is_counted_and_what_is_occupied_is_not() {
        let home = tempfile::tempdir().expect("a directory");
        let occupied = Occupied::beside(home.path(), 1000).expect("occupied");
        assert_eq!(arrived(home.path()).expect("looked at"), 0);
        fs::write(home.path().join("a"), [0; 300]).expect("written");
        fs::write(home.path().join("b"), [0; 7]).expect("written");
        assert_eq!(arrived(home.path()).expect("looked at"), 307);
        assert_eq!(occupied.end(), Ok(()));
    }

    #[test]
    fn a_directory_that_goes_away_is_told() {
        let home = tempfile::tempdir().expect("a directory");
        let occupied = Occupied::beside(home.path(), 1000).expect("occupied");
        let path = home.path().to_owned();
        home.close().expect("removed");
        // It looks once more before it is told to end, or has looked already.
        while occupied
            .giving_up
            .as_ref()
            .is_some_and(|it| !it.is_finished())
        {
            thread::yield_now();
        }
        let told = occupied.end().expect_err("it is gone");
        assert!(told.contains("No such file"), "{}: {told}", path.display());
    }
}
