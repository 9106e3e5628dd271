//! OpenSSH's `sftp-server` without SSH around it: the SFTP protocol on its standard input and output.
//!
//! No daemon, no port, no login: the shortest way to the reference implementation.

use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Missing, find};

/// Where distributions put it.
const PLACES: [&str; 6] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/lib/misc/sftp-server",
    "/usr/lib/sftp-server",
];

/// A running `sftp-server`, ended when dropped.
#[derive(Debug)]
pub struct SftpServerProcess {
    /// What it reads: requests.
    pub stdin: ChildStdin,
    /// What it writes: answers.
    pub stdout: ChildStdout,
    /// Ends the program when it is dropped.
    pub child: Child,
}

impl SftpServerProcess {
    /// Starts it with `directory` as the login directory. Its complaints go to this process's standard error.
    ///
    /// # Errors
    ///
    /// When it is not installed.
    ///
    /// # Panics
    ///
    /// When it is installed and cannot be run.
    pub fn start(directory: &Path) -> Result<Self, Missing> {
        Self::start_with(directory, &[])
    }

    /// Starts it with further options, such as `-R` for read-only or `-P write` to refuse a request.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// As for [`start`](Self::start).
    pub fn start_with(directory: &Path, options: &[&str]) -> Result<Self, Missing> {
        let missing = Missing {
            program: "sftp-server",
            install: "apt-get install openssh-sftp-server",
        };
        let program = find("sftp-server", &PLACES).ok_or(missing)?;
        let mut child = Command::new(program)
            .arg("-e")
            .args(options)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sftp-server can be run");
        let stdin = child.stdin.take().expect("it was asked for");
        let stdout = child.stdout.take().expect("it was asked for");
        Ok(Self {
            stdin,
            stdout,
            child,
        })
    }
}
