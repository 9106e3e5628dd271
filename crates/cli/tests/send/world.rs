//! An S3, a server, and the command between them.

use std::fs;
use std::process::Stdio;

use serde_json::Value;
use testkit::program::Ended;
use testkit::receipt;
use testkit::s3::S3Server;
use testkit::sftp::SftpServer;
use tokio::process::Command;

pub(crate) const BUCKET: &str = "inbox";

pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) sftp: SftpServer,
}

impl World {
    pub(crate) async fn new() -> Self {
        let s3 = S3Server::start().await;
        s3.create_bucket(BUCKET);
        Self {
            s3,
            sftp: SftpServer::start().await,
        }
    }

    /// The command with these arguments, in an environment of nothing but what it needs.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.within(Command::new(env!("CARGO_BIN_EXE_s3-to-sftp")), arguments)
    }

    /// Another program that runs it.
    pub(crate) fn within(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .env_clear()
            .envs(self.s3.env())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.sftp.account().env())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// What it prints for `--json` is held to the schema.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        let ended = Ended::of(self.command(arguments)).await;
        if arguments.contains(&"--json") {
            records(&ended);
        }
        ended
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.sftp.home().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.sftp.home()).expect("the login directory");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// The records that were printed for `--json`. What is only foreseen is none.
pub(crate) fn records(ended: &Ended) -> Vec<Value> {
    receipt::of_lines(&ended.stdout, |line| line["outcome"] == "foreseen")
}
