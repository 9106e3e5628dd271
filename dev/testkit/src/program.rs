//! A program that runs to its end: how that was, and what it wrote.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// Longer than anything takes that a test waits for, on a slow machine.
pub const SOON: Duration = Duration::from_secs(60);

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Runs a program, with nothing on its standard input.
    ///
    /// # Panics
    ///
    /// When it cannot be started, does not end within [`SOON`], or writes what is no text.
    pub async fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(SOON, command.output()).await;
        Self::from(output.expect("in time").expect("runs"))
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        crate::secrets::output("s3-to-sftp", &output);
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}
