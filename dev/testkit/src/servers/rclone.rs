//! rclone's `serve sftp`, on Go's x/crypto and pkg/sftp: a server to be afraid of. It truncates a file at every OPEN for
//! writing, whoever else has it open, and ignores EXCL.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use super::keys::Keys;
use super::process::{Process, Waited};
use super::{Missing, TRIES, find};
use crate::account::Account;

/// It takes a moment; more is a machine in trouble.
const START: Duration = Duration::from_secs(20);

const USERNAME: &str = "acme";
const PASSWORD: &str = crate::secrets::PASSWORD;

/// What it says once it listens, before the address.
const LISTENING: &str = "SFTP server listening on ";

/// Whether files are kept aside before they reach the directory: rclone's `--vfs-cache-mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Written as they come, in order only. What rclone does unless told otherwise.
    #[default]
    Off,
    /// Only files that are open for reading and writing.
    Minimal,
    /// Every file that is written; it reaches the directory five seconds after CLOSE.
    Writes,
    /// Files that are read as well.
    Full,
}

impl CacheMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Minimal => "minimal",
            Self::Writes => "writes",
            Self::Full => "full",
        }
    }
}

/// A running `rclone serve sftp`. Its user logs in by password or by key, and begins in the directory it serves.
pub struct Rclone {
    account: Account,
    fingerprint: String,
    process: Process,
    program: PathBuf,
    /// How it was started.
    option: String,
    /// Removed with the server.
    directory: TempDir,
}

impl Rclone {
    /// Starts it without a cache.
    ///
    /// # Errors
    ///
    /// When it is not installed.
    ///
    /// # Panics
    ///
    /// When it is installed and does not start, with what it wrote.
    pub async fn start() -> Result<Self, Missing> {
        Self::start_with(CacheMode::Off).await
    }

    /// Starts it with a cache, which is in its own temporary directory.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// As for [`start`](Self::start).
    pub async fn start_with(cache_mode: CacheMode) -> Result<Self, Missing> {
        let cache_mode = format!("--vfs-cache-mode={}", cache_mode.as_str());
        Self::start_by(cache_mode).await
    }

    /// Starts it so that nothing can be written.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// As for [`start`](Self::start).
    pub async fn start_read_only() -> Result<Self, Missing> {
        Self::start_by("--read-only".to_owned()).await
    }

    async fn start_by(option: String) -> Result<Self, Missing> {
        let missing = Missing {
            program: "rclone",
            install: "apt-get install rclone",
        };
        let program = find("rclone", &[]).ok_or(missing)?;
        let directory = tempfile::Builder::new()
            .prefix("rclone-")
            .tempdir()
            .expect("a temporary directory");
        let keys = Keys::write(directory.path());
        let home = directory.path().join("home");
        for name in ["home", "cache", "tmp"] {
            fs::create_dir(directory.path().join(name))
                .expect("a directory can be made in a new one");
        }
        let (process, port) = run(&program, directory.path(), &option, 0)
            .await
            .expect("the system gives a port that nobody has");
        let account = Account {
            host: "127.0.0.1".into(),
            port,
            username: USERNAME.into(),
            password: Some(PASSWORD.into()),
            private_key: Some(keys.user),
            host_key: keys.host,
            home,
            dir: None,
        };
        Ok(Self {
            account,
            fingerprint: keys.fingerprint,
            process,
            program,
            option,
            directory,
        })
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port, with the same keys and the same directory.
    /// [`logs`](Self::logs) begin anew.
    ///
    /// # Panics
    ///
    /// When it does not start, with what it wrote; when somebody else keeps the port.
    pub async fn restart(&mut self) {
        self.process.kill();
        let (directory, port) = (self.directory.path(), self.account.port);
        for _ in 0..TRIES {
            if let Some((process, _)) = run(&self.program, directory, &self.option, port).await {
                self.process = process;
                return;
            }
        }
        panic!("somebody else has rclone's port {port}");
    }

    /// What a client needs to log in, by password or by key.
    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// The directory that it serves.
    pub fn home(&self) -> &Path {
        &self.account.home
    }

    /// The host key's fingerprint, `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What it wrote.
    pub fn logs(&self) -> String {
        self.process.logs()
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// The process and its port, which is the system's choice for port 0. None: somebody has the port.
async fn run(program: &Path, directory: &Path, option: &str, port: u16) -> Option<(Process, u16)> {
    let path = |name: &str| directory.join(name);
    let mut command = Command::new(program);
    // Nothing of this machine's configuration, and nothing of it outside its directory.
    command.env_clear();
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
    command.env("HOME", directory);
    command.env("TMPDIR", path("tmp"));
    command.args(["serve", "sftp"]).arg(path("home"));
    command.args(["--addr", &format!("127.0.0.1:{port}")]);
    command.args(["--user", USERNAME, "--pass", PASSWORD]);
    command
        .arg("--authorized-keys")
        .arg(path("authorized_keys"));
    command.arg("--key").arg(path("host"));
    command.arg("--config").arg(path("rclone.conf"));
    command.arg("--cache-dir").arg(path("cache"));
    command.arg(option);
    // The tests look at its directory from behind.
    command.args(["--dir-cache-time", "0s"]);
    command.arg("-v");
    let process = Process::spawn(command).expect("rclone can be run");
    let listening = process
        .wait_for_line(START, |line| line.contains(LISTENING))
        .await;
    match listening {
        Ok(line) => {
            let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
            Some((process, port.expect("it names its address")))
        }
        Err(Waited::Ended(_)) if process.logs().contains("address already in use") => None,
        Err(waited) => panic!("rclone did not start ({waited:?}):\n{}", process.logs()),
    }
}
