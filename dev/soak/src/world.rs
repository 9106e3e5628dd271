//! Everything that runs: an S3 in this process, a real server behind a line that can be cut, and the function.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::account::Account;
use testkit::proxy::Proxy;
use testkit::runtime_api::{Bootstrap, Invocation, Outcome, RuntimeApi};
use testkit::s3::S3Server;
use testkit::servers::{Rclone, Sshd};
use tokio::task::JoinHandle;

use crate::{Known, Options};

pub(crate) const BUCKET: &str = "inbox";

/// The server's patience with a client that says nothing: three seconds, where three minutes are usual.
const PATIENCE: [&str; 2] = ["ClientAliveInterval 1", "ClientAliveCountMax 2"];

/// Which real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// OpenSSH's.
    Sshd,
    /// `rclone serve sftp`.
    Rclone,
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sshd => "sshd",
            Self::Rclone => "rclone",
        })
    }
}

pub(crate) enum Server {
    Sshd(Sshd),
    Rclone(Rclone),
}

impl Server {
    async fn start(kind: ServerKind) -> Self {
        match kind {
            ServerKind::Sshd => Self::Sshd(
                Sshd::start_with(&PATIENCE)
                    .await
                    .unwrap_or_else(|missing| panic!("{missing}")),
            ),
            ServerKind::Rclone => Self::Rclone(
                Rclone::start()
                    .await
                    .unwrap_or_else(|missing| panic!("{missing}")),
            ),
        }
    }

    fn account(&self) -> Account {
        match self {
            Self::Sshd(server) => server.account(),
            Self::Rclone(server) => server.account(),
        }
    }

    pub(crate) fn logs(&self) -> String {
        match self {
            Self::Sshd(server) => server.logs(),
            Self::Rclone(server) => server.logs(),
        }
    }

    pub(crate) fn kill(&self) {
        match self {
            Self::Sshd(server) => server.kill(),
            Self::Rclone(server) => server.kill(),
        }
    }

    pub(crate) async fn restart(&mut self) {
        match self {
            Self::Sshd(server) => server.restart().await,
            Self::Rclone(server) => server.restart().await,
        }
    }
}

/// One process of the function, under a Runtime API of its own: two of them are two environments.
#[derive(Clone)]
pub(crate) struct Function {
    api: Arc<RuntimeApi>,
    pub(crate) process: Arc<Bootstrap>,
}

/// An event that a process works on.
pub(crate) struct Attempt {
    pub(crate) function: Function,
    pub(crate) outcome: JoinHandle<Outcome>,
    pub(crate) began: Instant,
    /// What had gone through the line before.
    pub(crate) sent_before: u64,
}

/// See the module.
pub struct World {
    pub(crate) kind: ServerKind,
    pub(crate) s3: S3Server,
    pub(crate) server: Server,
    pub(crate) line: Arc<Proxy>,
    /// How long an undisturbed delivery takes.
    pub(crate) whole: Duration,
    /// The process that gets the next event, if one is alive.
    pub(crate) function: Option<Function>,
    /// Those of this round, in order: for their logs.
    processes: Vec<Arc<Bootstrap>>,
    bootstrap: PathBuf,
    pub(crate) known: Known,
}

impl World {
    pub(crate) async fn start(kind: ServerKind, options: &Options) -> Self {
        let s3 = S3Server::start().await;
        let server = Server::start(kind).await;
        s3.create_bucket(BUCKET);
        s3.create_bucket("secrets");
        let account = server.account();
        s3.put(
            "secrets",
            "id",
            account.private_key.expect("a key to log in with"),
        );
        Self {
            kind,
            s3,
            line: Arc::new(Proxy::start(account.port).await),
            server,
            whole: Duration::ZERO,
            function: None,
            processes: Vec::new(),
            bootstrap: options.bootstrap.clone(),
            known: options.known,
        }
    }

    /// The server's directory on this machine's disk.
    pub(crate) fn home(&self) -> PathBuf {
        self.server.account().home
    }

    /// Forgets the processes of the round before, but for one that lives on.
    pub(crate) fn begin_round(&mut self, is_warm: bool) {
        if !is_warm {
            self.function = None;
        }
        self.processes.clear();
        let living = self.function.iter();
        self.processes
            .extend(living.map(|function| Arc::clone(&function.process)));
    }

    /// Gives an event to the process that is alive, or to a new one.
    pub(crate) async fn begin(&mut self, invocation: Invocation) -> Attempt {
        // A function that leaves a failed server alone for a minute would do nothing else here: in life the
        // message comes again later, or to another environment.
        let is_waiting =
            |function: &Function| function.process.logs().contains("was not tried again");
        let function = match self.function.take() {
            Some(function)
                if function.process.process().status().is_none() && !is_waiting(&function) =>
            {
                function
            }
            _ => self.start_function().await,
        };
        self.function = Some(function.clone());
        let api = Arc::clone(&function.api);
        Attempt {
            sent_before: self.line.bytes_sent(),
            began: Instant::now(),
            outcome: tokio::spawn(async move { api.run(&invocation).await }),
            function,
        }
    }

    async fn start_function(&mut self) -> Function {
        let account = self.server.account();
        let mut env = self.s3.env();
        let ours = [
            ("SSH_HOST", account.host),
            ("SSH_PORT", self.line.port().to_string()),
            ("SSH_USERNAME", account.username),
            ("SSH_PRIVATE_KEY", "secrets:id".to_owned()),
            ("SSH_HOST_KEY", account.host_key),
            ("SSH_DIR", account.dir.unwrap_or_default()),
            // Half a minute in life.
            ("SSH_STALL_TIMEOUT", "4s".to_owned()),
        ];
        env.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        let api = Arc::new(RuntimeApi::start().await);
        let process = Arc::new(Bootstrap::spawn(&self.bootstrap, &api, env));
        // One that is frozen before it asks for an event would never get it.
        api.polled().await;
        self.processes.push(Arc::clone(&process));
        Function { api, process }
    }

    /// What the round's processes wrote.
    pub(crate) fn function_logs(&self) -> impl Iterator<Item = String> {
        self.processes.iter().map(|process| process.logs())
    }

    /// Moves the server's files into a directory that stays, with all logs; none where that cannot be made.
    pub(crate) fn keep_evidence(&self, what: &str) -> Option<PathBuf> {
        let directory = tempfile::Builder::new()
            .prefix("soak-")
            .tempdir()
            .ok()?
            .keep();
        // What cannot be written is missing there, and seen to be.
        let write = |name: &str, text: String| fs::write(directory.join(name), text).ok();
        write("what", what.to_owned());
        write("server.log", self.server.logs());
        let requests = self.s3.requests();
        write(
            "s3.log",
            requests
                .iter()
                .map(|request| format!("{request:?}\n"))
                .collect(),
        );
        for (number, log) in self.function_logs().enumerate() {
            write(&format!("function-{number}.log"), log);
        }
        move_directory(&self.home(), &directory.join("home"));
        Some(directory)
    }
}

fn move_directory(from: &Path, to: &Path) {
    // On another file system they go with the server, and the logs have to do.
    fs::rename(from, to).ok();
}
