//! The servers, the Runtime API, and the process between them.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::aws_calls::AwsCalls;
use testkit::event::{self, ObjectRef};
use testkit::runtime_api::{Bootstrap, RuntimeApi};
use testkit::s3::S3Server;
use testkit::sftp::{Action, Operation, Request, SftpServer, status};

pub(crate) const BUCKET: &str = "inbox";

/// Longer than anything here takes on a slow machine.
const SOON: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) sftp: SftpServer,
    pub(crate) api: RuntimeApi,
    /// SQS and Lambda.
    pub(crate) aws: AwsCalls,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SftpServer::start().await).await
    }

    pub(crate) async fn with(sftp: SftpServer) -> Self {
        let s3 = S3Server::start().await;
        s3.create_bucket(BUCKET);
        Self {
            s3,
            sftp,
            api: RuntimeApi::start().await,
            aws: AwsCalls::start().await,
        }
    }

    /// Starts the function. `extra` wins over what a working one has; an empty value is as good as none.
    pub(crate) fn start(&self, extra: &[(&str, &str)]) -> Bootstrap {
        self.start_under(&self.api, extra)
    }

    /// Another environment of the same function.
    pub(crate) fn start_under(&self, api: &RuntimeApi, extra: &[(&str, &str)]) -> Bootstrap {
        let account = self.sftp.account();
        let mut env = self.s3.env();
        env.extend(self.aws.env());
        let ours = [
            ("SSH_HOST", account.host),
            ("SSH_PORT", account.port.to_string()),
            ("SSH_USERNAME", account.username),
            ("SSH_PASSWORD", account.password.unwrap_or_default()),
            ("SSH_HOST_KEY", account.host_key),
        ];
        env.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        env.extend(extra.iter().map(owned));
        Bootstrap::spawn(executable(), api, env)
    }

    /// Stores an object; what its notification says of it.
    pub(crate) fn upload(&self, key: &str, body: impl Into<Vec<u8>>) -> ObjectRef {
        ObjectRef::stored(key, &self.s3.put(BUCKET, key, body.into()))
    }

    /// Stores an object, and notifies of it.
    pub(crate) fn uploaded(&self, key: &str, body: impl Into<Vec<u8>>) -> Value {
        notification(&[self.upload(key, body)])
    }

    pub(crate) fn has_source(&self, key: &str) -> bool {
        self.s3.exists(BUCKET, key)
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        let path = self.sftp.home().join(name);
        fs::read(path).unwrap_or_else(|error| panic!("{name}: {error}; there is {:?}", self.tree()))
    }

    /// Every file and directory on the server, relative to the login directory.
    pub(crate) fn tree(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        walk(self.sftp.home(), Path::new(""), &mut names);
        names
    }

    pub(crate) fn assert_tree(&self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(self.tree(), expected);
    }
}

fn walk(home: &Path, directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(home.join(directory)).expect("a directory of the server") {
        let entry = entry.expect("a readable entry");
        let path = directory.join(entry.file_name());
        if entry.file_type().expect("a known type").is_dir() {
            walk(home, &path, names);
        }
        names.insert(path.to_string_lossy().into_owned());
    }
}

/// What S3 tells about objects in the bucket.
pub(crate) fn notification(objects: &[ObjectRef]) -> Value {
    event::notification(BUCKET, objects)
}

/// What a queue is answered of whose messages these failed.
pub(crate) fn failures(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids
        .iter()
        .map(|id| json!({ "itemIdentifier": id }))
        .collect();
    json!({ "batchItemFailures": failures })
}

/// What a direct trigger is answered: how many were delivered, gone, skipped, continued and rejected.
pub(crate) fn counts(answer: &Value) -> [u64; 5] {
    ["delivered", "gone", "skipped", "continued", "rejected"]
        .map(|name| answer[name].as_u64().expect("a number"))
}

/// Whether a request is about the file of this name, or about a temporary of it: whose other half is hexadecimal, and
/// may spell a short name.
pub(crate) fn is_about(request: &Request, name: &str) -> bool {
    let path = request.path.as_deref().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let rest = file.strip_prefix('.').unwrap_or(file).strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Has the server refuse to open the file of this name, whatever its temporary is called.
pub(crate) fn refuse_to_open(name: &'static str) -> impl Fn(&Request) -> Action + Send + Sync {
    refuse_to_open_by(name, status::FAILURE)
}

/// The same, with a status of its own.
pub(crate) fn refuse_to_open_by(
    name: &'static str,
    status: u32,
) -> impl Fn(&Request) -> Action + Send + Sync {
    move |request| {
        if request.operation == Operation::Open && is_about(request, name) {
            Action::refuse(status)
        } else {
            Action::Pass
        }
    }
}

/// Waits for something that happens without a signal to wait for.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < SOON, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn executable() -> PathBuf {
    env::var_os("BOOTSTRAP").map_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into(), PathBuf::from)
}
