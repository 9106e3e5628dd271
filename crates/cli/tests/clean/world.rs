//! A server with files of several ages on it, and the command.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use testkit::account::Account;
use tokio::process::Command as Program;
use tokio::time::timeout;

/// Longer than anything here takes on a slow machine.
const SOON: Duration = Duration::from_secs(60);

/// 2 days and 3 hours, and half an hour that is never over while a test runs.
pub(crate) const OLD: Duration = Duration::from_secs(51 * 3600 + 1800);

/// Not a day yet.
pub(crate) const YOUNG: Duration = Duration::from_secs(23 * 3600);

/// As long as a tag is.
pub(crate) const TAG: &str = "0123456789abcdef0123";

pub(crate) struct World<S> {
    pub(crate) server: S,
    /// The directory that is looked through, on this machine.
    pub(crate) home: PathBuf,
    environment: Vec<(String, String)>,
}

impl<S> World<S> {
    pub(crate) fn new(account: Account, server: S) -> Self {
        let mut world = Self {
            server,
            home: account.home,
            environment: Vec::new(),
        };
        world.set("SSH_HOST", account.host);
        world.set("SSH_PORT", account.port.to_string());
        world.set("SSH_USERNAME", account.username);
        world.set("SSH_PASSWORD", account.password.unwrap_or_default());
        world.set("SSH_HOST_KEY", account.host_key);
        world.set("SSH_DIR", account.dir.unwrap_or_default());
        world
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// The command, in an environment of nothing but what it needs.
    pub(crate) async fn clean(&self, arguments: &[&str]) -> Ended {
        let mut command = Program::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
        command
            .arg("clean")
            .args(arguments)
            .env_clear()
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(SOON, command.output())
            .await
            .expect("in time")
            .expect("runs");
        testkit::secrets::output("s3-to-sftp", &output);
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    pub(crate) fn file(&self, path: &str, age: Duration) {
        let path = self.home.join(path);
        fs::create_dir_all(path.parent().expect("below the home")).expect("directories");
        let file = File::create(&path).expect("a new file");
        io_write(&file);
        touch(&file, SystemTime::now() - age);
    }

    /// A temporary of a file, as the default template names it.
    pub(crate) fn temporary(&self, directory: &str, name: &str, age: Duration) -> String {
        let path = format!("{directory}.{name}.{TAG}.part");
        self.file(&path, age);
        path
    }

    /// All files and links below the home, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(&self.home, &mut files);
        let mut names: Vec<String> = files
            .iter()
            .map(|path| {
                let below = path.strip_prefix(&self.home).expect("below the home");
                below.to_string_lossy().into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

fn io_write(mut file: &File) {
    std::io::Write::write_all(&mut file, b"abc").expect("three bytes");
}

/// A link as old as can be: its age must not be what saves it.
pub(crate) fn old_link(to: &str, at: &Path) {
    symlink(to, at).expect("a link");
    let touched = Command::new("touch")
        .args(["-h", "-t", "200001010000"])
        .arg(at)
        .status()
        .expect("every Unix has `touch`");
    assert!(touched.success());
}

pub(crate) fn touch(file: &File, time: SystemTime) {
    file.set_times(FileTimes::new().set_modified(time))
        .expect("one's own file");
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("readable");
        if entry.file_type().expect("known").is_dir() {
            collect(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}

/// How the command ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// What a line says of a file of `OLD`.
pub(crate) fn line(path: &str, fate: &str) -> String {
    format!("{path}  3 bytes  2d 3h  {fate}")
}
