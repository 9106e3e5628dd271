//! AsyncSSH, in Python: a server whose logins are what a test asks for, independent of OpenSSH and of Rust.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::keys::Keys;
use super::process::Process;
use super::{Missing, workspace};
use crate::account::Account;

/// Python and its cryptography, on slow machines.
const START: Duration = Duration::from_secs(60);

const USERNAME: &str = "acme";
const PASSWORD: &str = crate::secrets::PASSWORD;

/// What it says once it listens, before the port.
const LISTENING: &str = "listening on ";

/// Who gets in.
#[derive(Debug, Clone, Copy)]
pub struct Logins<'a> {
    /// Of `publickey`, `password` and `keyboard-interactive`.
    pub methods: &'a [&'a str],
    /// Whether all of them are needed, in this order, each but the last answered by *partial success*.
    pub all: bool,
    /// What keyboard-interactive asks, round by round: a text, and whether the answer may be shown.
    pub questions: &'a [&'a [(&'a str, bool)]],
    /// A public key in place of the account's own, one line.
    pub user_key: Option<&'a str>,
    /// By what a login's key may sign; everything where there is none.
    pub signatures: &'a [&'a str],
    /// What they get in to.
    pub serves: Serves,
}

/// What a login leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Serves {
    /// SFTP.
    #[default]
    Sftp,
    /// SFTP; no file is opened for writing.
    ReadOnly,
    /// No SFTP.
    Nothing,
}

impl Serves {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sftp => "sftp",
            Self::ReadOnly => "sftp read-only",
            Self::Nothing => "nothing",
        }
    }
}

impl Default for Logins<'_> {
    fn default() -> Self {
        Self {
            methods: &["publickey", "password", "keyboard-interactive"],
            all: false,
            questions: &[&[("Password: ", false)]],
            user_key: None,
            signatures: &[],
            serves: Serves::default(),
        }
    }
}

/// A running server of AsyncSSH.
pub struct AsyncSsh {
    account: Account,
    process: Process,
    /// How many times it was asked.
    asked: AtomicUsize,
    /// Removed with the server.
    _directory: TempDir,
}

impl AsyncSsh {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When AsyncSSH is not in `.test/venv` of the workspace.
    ///
    /// # Panics
    ///
    /// When it is installed and does not start, with what it wrote.
    pub async fn start(logins: Logins<'_>) -> Result<Self, Missing> {
        let python = workspace().join(".test/venv/bin/python");
        let missing = Missing {
            program: "AsyncSSH",
            install: "make test, or dev/scripts/setup.sh",
        };
        if !python.is_file() {
            return Err(missing);
        }
        let directory = tempfile::Builder::new()
            .prefix("asyncssh-")
            .tempdir()
            .expect("a temporary directory");
        let keys = Keys::write(directory.path());
        let home = directory.path().join("home");
        fs::create_dir(&home).expect("a directory can be made in a new one");
        let text = |path: &Path| path.to_str().expect("its name is text").to_owned();
        let own = fs::read_to_string(directory.path().join("authorized_keys"));
        let own = own.expect("it was just written");
        let options = json!({
            "home": text(&home),
            "host_key": text(&directory.path().join("host")),
            "user_key": logins.user_key.unwrap_or(&own),
            "user": USERNAME,
            "password": PASSWORD,
            "methods": logins.methods,
            "all": logins.all,
            "questions": logins.questions,
            "signatures": logins.signatures,
            "serves": logins.serves.as_str(),
        });
        let mut command = Command::new(python);
        command.args(["-c", include_str!("asyncssh.py"), &options.to_string()]);
        command.env_clear();
        command.env("HOME", directory.path());
        let process = Process::spawn(command).expect("Python can be run");
        let line = process
            .wait_for_line(START, |line| line.starts_with(LISTENING))
            .await;
        let line = match line {
            Ok(line) => line,
            Err(_) if process.logs().contains("No module named") => return Err(missing),
            Err(waited) => panic!("AsyncSSH did not start ({waited:?}):\n{}", process.logs()),
        };
        let port = line.strip_prefix(LISTENING).map(str::parse);
        let account = Account {
            host: "127.0.0.1".into(),
            port: port.and_then(Result::ok).expect("it names its port"),
            username: USERNAME.into(),
            password: Some(PASSWORD.into()),
            private_key: Some(keys.user),
            host_key: keys.host,
            home,
            dir: None,
        };
        Ok(Self {
            account,
            process,
            asked: AtomicUsize::new(0),
            _directory: directory,
        })
    }

    /// What a client needs to log in.
    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// How many times it was given a password, by whichever method, right or wrong.
    ///
    /// # Panics
    ///
    /// When it does not answer, with what it wrote.
    pub fn passwords_sent(&self) -> usize {
        // What it has told may be on its way still.
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.process.ask(START, &format!("asked {number}"));
        let logs = self.process.logs();
        logs.lines()
            .filter(|line| line.starts_with("password "))
            .count()
    }

    /// What it wrote.
    pub fn logs(&self) -> String {
        self.process.logs()
    }
}
