//! MiniStack, an emulator of AWS in Python that runs a real `bootstrap`: S3 with notifications, SQS, SNS, EventBridge,
//! Secrets Manager, SSM, Lambda.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

use super::keys::Keys;
use super::process::{Process, Waited};
use super::{Missing, TRIES, find, free_port, workspace};

/// It loads ninety services, on slow machines in many seconds.
const START: Duration = Duration::from_secs(60);

/// A running MiniStack. Its data goes with it, and so do the functions that it started.
pub struct MiniStack {
    endpoint: String,
    process: Process,
    /// Removed with the server.
    _directory: TempDir,
}

impl MiniStack {
    /// Starts the command that `MINISTACK` names, or the one in `.test/venv` of the workspace, or the one in `PATH`.
    ///
    /// # Errors
    ///
    /// When there is none.
    ///
    /// # Panics
    ///
    /// When it is installed and does not start, with what it wrote.
    pub async fn start() -> Result<Self, Missing> {
        let directory = directory();
        Self::start_in(directory, &[]).await
    }

    /// With a Transfer Family server that will listen on `sftp_port`, and the keys of it and of a user.
    pub(super) async fn start_for_transfer(sftp_port: u16) -> Result<(Self, Keys), Missing> {
        let directory = directory();
        let keys = Keys::write(directory.path());
        // It takes the host key that an earlier run has left.
        let state = directory.path().join("state");
        fs::create_dir(&state).expect("a directory can be made in a new one");
        let left = fs::copy(
            directory.path().join("host"),
            state.join("transfer-host-key"),
        );
        left.expect("a file can be copied there");
        let port = sftp_port.to_string();
        let variables = [
            ("PERSIST_STATE", "1"),
            ("SFTP_PORT", port.as_str()),
            ("SFTP_HOST", "127.0.0.1"),
        ];
        let ministack = Self::start_in(directory, &variables).await?;
        Ok((ministack, keys))
    }

    async fn start_in(directory: TempDir, variables: &[(&str, &str)]) -> Result<Self, Missing> {
        let missing = Missing {
            program: "ministack",
            install: "make test, or in a virtual environment `pip install ministack==1.5.33` and MINISTACK=<its path>",
        };
        let program = program().ok_or(missing)?;
        for _ in 0..TRIES {
            let port = free_port();
            let mut command = command(&program, &directory, port);
            command.envs(variables.iter().copied());
            let process = Process::spawn(command).expect("ministack can be run");
            // Its own word for it: an answer on the port could be somebody else's.
            let running = process
                .wait_for_line(START, |line| line.contains("Running on http"))
                .await;
            match running {
                Ok(_) => {
                    return Ok(Self {
                        endpoint: format!("http://127.0.0.1:{port}"),
                        process,
                        _directory: directory,
                    });
                }
                Err(Waited::Ended(_))
                    if process.logs().to_lowercase().contains("already in use") => {}
                Err(waited) => panic!("ministack did not start ({waited:?}):\n{}", process.logs()),
            }
        }
        panic!("ministack found no free port in {TRIES} tries");
    }

    /// The address of every service, `http://127.0.0.1:…`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What a program needs in its environment to use it in place of AWS.
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            // An instance's role must not be asked for.
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
    }

    /// What it wrote, the functions' logs among it.
    pub fn logs(&self) -> String {
        self.process.logs()
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn directory() -> TempDir {
    tempfile::Builder::new()
        .prefix("ministack-")
        .tempdir()
        .expect("a temporary directory")
}

fn program() -> Option<PathBuf> {
    if let Some(named) = env::var_os("MINISTACK") {
        return Some(named.into());
    }
    let installed = workspace().join(".test/venv/bin/ministack");
    find("ministack", &[installed.to_str()?])
}

fn command(program: &PathBuf, directory: &TempDir, port: u16) -> Command {
    let temporary = directory.path().join("tmp");
    fs::create_dir_all(&temporary).expect("a directory can be made in a new one");
    let mut command = Command::new(program);
    // Nothing of this machine's AWS configuration, and nothing of it outside its directory.
    command.env_clear();
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
    command.env("GATEWAY_PORT", port.to_string());
    command.env("MINISTACK_HOST", "127.0.0.1");
    command.env("HOME", directory.path());
    command.env("TMPDIR", temporary);
    command.env("STATE_DIR", directory.path().join("state"));
    command.env("S3_DATA_DIR", directory.path().join("s3"));
    command
}
