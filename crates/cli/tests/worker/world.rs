//! The queue, a bucket, a server, and the command.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::account::Account;
use testkit::aws_calls::{Answer, AwsCalls, Call};
use testkit::event::{self, ObjectRef};
use testkit::receipt;
use testkit::s3::S3Server;
use testkit::servers::process::Process;
use testkit::sftp::SftpServer;

use crate::queue::Queue;

pub(crate) const BUCKET: &str = "inbox";
pub(crate) const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/inbox";
pub(crate) const DEAD: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead";
pub(crate) const FIFO: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/inbox.fifo";

/// Longer than anything here takes on a slow machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What the queue says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) visibility: u32,
    pub(crate) gives_up: bool,
}

pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) sftp: SftpServer,
    pub(crate) aws: AwsCalls,
    pub(crate) queue: Queue,
}

/// A worker that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) records: Vec<Value>,
    pub(crate) logs: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Kind {
            visibility: 30,
            gives_up: true,
        })
        .await
    }

    pub(crate) async fn with(kind: Kind) -> Self {
        let s3 = S3Server::start().await;
        s3.create_bucket(BUCKET);
        let (aws, queue) = (AwsCalls::start().await, Queue::default());
        let answering = queue.clone();
        aws.answer(move |call| answer(kind, &answering, call));
        Self {
            s3,
            sftp: SftpServer::start().await,
            aws,
            queue,
        }
    }

    /// Stores an object; the event of it.
    pub(crate) fn uploaded(&self, key: &str, body: impl Into<Vec<u8>>) -> Value {
        let stored = self.s3.put(BUCKET, key, body.into());
        event::notification(BUCKET, &[ObjectRef::stored(key, &stored)])
    }

    /// Stores an object and puts its event into the queue, under its key.
    pub(crate) fn queued(&self, key: &str) {
        let event = self.uploaded(key, key);
        self.queue.put(key, &event);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.sftp.account(), arguments);
        command.envs(self.s3.env()).envs(self.aws.env());
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        ended(&spawn(self.command(arguments))).await
    }

    /// Whether the server has a file of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.sftp.home().join(name).exists()
    }
}

/// The command, in an environment of nothing but what it needs. It prints records, for [`ended`] to check.
pub(crate) fn command(account: &Account, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
    command
        .args(["worker", "--json"])
        .args(arguments)
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SSH_HOST", &account.host)
        .env("SSH_PORT", account.port.to_string())
        .env("SSH_USERNAME", &account.username)
        .env("SSH_HOST_KEY", &account.host_key);
    for (name, value) in [
        ("SSH_PASSWORD", &account.password),
        ("SSH_PRIVATE_KEY", &account.private_key),
        ("SSH_DIR", &account.dir),
    ] {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}

pub(crate) fn spawn(command: Command) -> Process {
    Process::spawn(command).expect("the command can be run")
}

/// Waits for its end. What it has printed is held to the schema: the log is beside it, and no JSON.
pub(crate) async fn ended(worker: &Process) -> Ended {
    let status: Result<ExitStatus, _> = worker.wait_for_exit(SOON).await;
    let status =
        status.unwrap_or_else(|waited| panic!("has not ended ({waited:?}):\n{}", worker.logs()));
    let logs = worker.logs();
    let printed: Vec<&str> = logs.lines().filter(|line| line.starts_with('{')).collect();
    Ended {
        code: status.code(),
        records: receipt::of_lines(&printed.join("\n"), |_| false),
        logs,
    }
}

/// Waits for a line that holds a text.
pub(crate) async fn told(worker: &Process, text: &'static str) {
    let line = worker.wait_for_line(SOON, move |line| line.contains(text));
    if let Err(waited) = line.await {
        panic!("no {text:?} ({waited:?}):\n{}", worker.logs());
    }
}

/// Waits for something that happens without a signal to wait for.
pub(crate) async fn eventually(what: &str, worker: &Process, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(
            begin.elapsed() < SOON,
            "not within {SOON:?}: {what}\n{}",
            worker.logs()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The names in a directory.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub(crate) fn answer(kind: Kind, queue: &Queue, call: &Call) -> Answer {
    match call.action.as_str() {
        "GetQueueAttributes" => attributes(kind, call),
        _ => queue.answer(call),
    }
}

fn attributes(kind: Kind, call: &Call) -> Answer {
    let url = call.body["QueueUrl"].as_str().expect("a URL");
    let name = url.rsplit('/').next().unwrap_or_default();
    let mut attributes = json!({
        "QueueArn": format!("arn:aws:sqs:eu-central-1:123456789012:{name}"),
        "VisibilityTimeout": kind.visibility.to_string(),
    });
    if kind.gives_up {
        attributes["RedrivePolicy"] = json!({ "maxReceiveCount": 5 }).to_string().into();
    }
    Answer::Body(json!({ "Attributes": attributes }))
}
