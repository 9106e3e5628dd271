//! What all programs share: one S3, one SFTP server, lines of several lengths to it, and the files of this run.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;
use tempfile::TempDir;
use testkit::account::Account;
use testkit::proxy::Proxy;
use testkit::servers::Sshd;

use crate::Options;
use crate::payload::Payload;
use crate::proc;
use crate::s3_process::S3Process;

/// The object in S3 that holds the private key.
pub(crate) const KEY: &str = "id";

/// The name of the server in `known_hosts`, whatever port it is reached at.
pub(crate) const HOST_ALIAS: &str = "bench";

/// rclone has commands run by the user's shell, which would read what this machine's user has in `.bashrc`.
const NO_HOME: &str = "SetEnv HOME=/nonexistent";

/// How long a server's process may outlive its client.
const FAREWELL: Duration = Duration::from_secs(20);

/// How often it is looked whether they have ended.
const LOOK: Duration = Duration::from_millis(5);

/// Beside what is moved, this much of the disk stays free.
const SPARE: u64 = 1 << 30;

pub(crate) struct World {
    pub(crate) s3: S3Process,
    pub(crate) account: Account,
    pub(crate) bootstrap: PathBuf,
    pub(crate) python: Option<PathBuf>,
    sshd: Sshd,
    /// Of all lines, in bytes per second.
    rate: Option<u64>,
    lines: BTreeMap<u64, Proxy>,
    local: Option<Payload>,
    directory: TempDir,
    /// Where files arrive, if not on the disk.
    memory: Option<TempDir>,
}

/// The directory of what is kept in memory, on Linux.
const MEMORY: &str = "/dev/shm";

impl World {
    /// With files arriving on the disk, or in memory.
    pub(crate) async fn start(options: &Options, in_memory: bool) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut s3 = S3Process::start(&program)?;
        let sshd = Sshd::start_with(&[NO_HOME])
            .await
            .map_err(|missing| missing.to_string())?;
        let mut account = sshd.account();
        let key = account
            .private_key
            .as_deref()
            .ok_or("the server takes no key")?;
        s3.put_secret(KEY, key)?;
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir()
            .map_err(|error| error.to_string())?;
        let memory =
            in_memory.then(|| tempfile::Builder::new().prefix("bench-").tempdir_in(MEMORY));
        let memory = memory
            .transpose()
            .map_err(|error| format!("{MEMORY}: {error}"))?;
        if let Some(memory) = &memory {
            account.dir = Some(memory.path().display().to_string());
        }
        let world = Self {
            s3,
            bootstrap: options.bootstrap.clone(),
            python: options.python.clone(),
            rate: options.rate,
            lines: BTreeMap::new(),
            local: None,
            directory,
            memory,
            account: account.clone(),
            sshd,
        };
        world.write("id", key)?;
        world.write(
            "known_hosts",
            &format!("{HOST_ALIAS} {}\n", account.host_key),
        )?;
        Ok(world)
    }

    /// The server's port at the end of a line of that round trip: the server's own where that is none.
    pub(crate) async fn port(&mut self, rtt_ms: u64) -> u16 {
        if rtt_ms == 0 && self.rate.is_none() {
            return self.account.port;
        }
        if !self.lines.contains_key(&rtt_ms) {
            let line = Proxy::start(self.account.port).await;
            line.delay(Duration::from_millis(rtt_ms));
            line.rate(self.rate.unwrap_or_default());
            self.lines.insert(rtt_ms, line);
        }
        self.lines[&rtt_ms].port()
    }

    /// Where files arrive.
    pub(crate) fn home(&self) -> &Path {
        let memory = self.memory.as_ref().map(TempDir::path);
        memory.unwrap_or_else(|| self.sshd.home())
    }

    /// A file of this run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes one, for nobody else to read, and answers where it is.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.path(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// The directory of local copies, which the programs without an S3 leg send. It keeps those of one payload.
    pub(crate) fn local(&mut self, payload: Payload) -> Result<PathBuf, String> {
        let directory = self.path("local");
        if self.local != Some(payload) {
            self.forget_local()?;
            payload
                .write(&directory)
                .map_err(|error| format!("{}: {error}", directory.display()))?;
            self.local = Some(payload);
        }
        Ok(directory)
    }

    pub(crate) fn forget_local(&mut self) -> Result<(), String> {
        if self.local.take().is_some() {
            let directory = self.path("local");
            fs::remove_dir_all(&directory)
                .map_err(|error| format!("{}: {error}", directory.display()))?;
        }
        Ok(())
    }

    /// The time on processors of the server and of the processes that served its connections; waits until those have ended
    /// and the server has noticed, for before their time is not added to its own.
    pub(crate) fn server_cpu(&self) -> Result<Duration, String> {
        let sshd = self.sshd.process().pid();
        let begun = Instant::now();
        while proc::family(sshd).len() > 1 {
            if begun.elapsed() > FAREWELL {
                return Err("a connection to the server outlives its client".into());
            }
            std::thread::sleep(LOOK);
        }
        Ok(proc::cpu(sshd).unwrap_or_default().total())
    }

    /// How many logins the server has accepted.
    pub(crate) fn connections(&self) -> u64 {
        self.sshd.logs().matches("Accepted publickey").count() as u64
    }

    /// Whether the disk has room for a file and its copy.
    pub(crate) fn has_room(&self, bytes: u64) -> Result<(), String> {
        let disk = statvfs(self.home()).map_err(|error| error.to_string())?;
        let free = disk.f_bavail * disk.f_frsize;
        let wanted = 2 * bytes + SPARE;
        if free < wanted {
            return Err(format!(
                "{} has {} MiB free, and {} are needed: set TMPDIR",
                self.home().display(),
                free >> 20,
                wanted >> 20
            ));
        }
        Ok(())
    }
}
