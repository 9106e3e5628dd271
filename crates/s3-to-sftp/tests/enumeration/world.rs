//! A server in one guise, a bucket of one kind, and what lies there at the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use s3_to_sftp::event::{Item, Job};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;
use testkit::payload;
use testkit::s3::S3Server;
use testkit::sftp::{Action, Extensions, Operation, Request, SftpServer, flags, status};
use tokio::time::Instant;

use crate::event::{Event, Plan};

pub(crate) const BUCKET: &str = "inbox";
/// Two writes on a server without limits.
pub(crate) const SIZE: usize = 40_000;

/// A way in which servers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guise {
    OpenSsh,
    NoPosixRename,
    RenameOverwrites,
    OpenTruncates,
    RefusesReopen,
}

/// A way in which stores differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    Plain,
    Versioned,
    IgnoresIfMatch,
}

/// What lies in the directory before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Nothing,
    /// Yesterday's file: the same size, other content.
    OlderFinal,
    /// Somebody else's temporary.
    ForeignTemporary,
}

impl Start {
    pub(crate) const ALL: [Self; 3] = [Self::Nothing, Self::OlderFinal, Self::ForeignTemporary];
}

pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) server: SftpServer,
    pub(crate) guise: Guise,
    pub(crate) bucket: Bucket,
    deliverer: Arc<Deliverer>,
}

/// One delivery under its own name, and what happens to it.
pub(crate) struct Round<'a> {
    pub(crate) world: &'a World,
    pub(crate) key: String,
    pub(crate) start: Start,
}

impl World {
    pub(crate) async fn new(guise: Guise, bucket: Bucket) -> Self {
        let extensions = match guise {
            Guise::OpenSsh | Guise::OpenTruncates | Guise::RefusesReopen => Extensions::OPENSSH,
            Guise::NoPosixRename | Guise::RenameOverwrites => Extensions::NONE,
        };
        let server = SftpServer::builder().extensions(extensions).start().await;
        let s3 = S3Server::start().await;
        match bucket {
            Bucket::Plain => s3.store().create_bucket(BUCKET),
            Bucket::Versioned => s3.store().create_versioned_bucket(BUCKET),
            Bucket::IgnoresIfMatch => {
                s3.store().create_bucket(BUCKET);
                s3.store().ignore_if_match_on_delete();
            }
        }
        let account = server.account();
        let lookup = |name: &str| match name {
            "SSH_HOST" => Some(account.host.clone()),
            "SSH_PORT" => Some(account.port.to_string()),
            "SSH_USERNAME" => Some(account.username.clone()),
            "SSH_PASSWORD" => account.password.clone(),
            "SSH_HOST_KEY" => Some(account.host_key.clone()),
            _ => None,
        };
        let settings = Settings::from_lookup(lookup)
            .expect("they are right")
            .settings;
        let client = S3::with_client(s3.client());
        let deliverer = Arc::new(Deliverer::new(settings, client));
        Self {
            s3,
            server,
            guise,
            bucket,
            deliverer,
        }
    }

    /// Everything as it is before the delivery of round `at`.
    pub(crate) async fn begin(&self, at: usize, start: Start) -> Round<'_> {
        let key = format!("f{at}");
        let round = Round {
            world: self,
            key,
            start,
        };
        self.s3.store().put(BUCKET, &round.key, first_content());
        match start {
            Start::Nothing => {}
            Start::OlderFinal => round.write_file(&round.key, &older_content()),
            Start::ForeignTemporary => round.write_file(&round.foreign(), b"not ours"),
        }
        self.wear(None);
        round
    }

    /// Puts the guise on, with `plan` under it.
    pub(crate) fn wear(&self, plan: Option<Arc<Plan>>) {
        let (guise, home) = (self.guise, self.server.home().to_owned());
        self.server.clear_hooks();
        self.server.hook(move |request: &Request| {
            let file = |path: &Option<String>| {
                home.join(path.as_deref().unwrap_or_default().trim_start_matches('/'))
            };
            if let Some(action) = plan.as_ref().and_then(|plan| plan.at_sftp(request)) {
                return action;
            }
            match (guise, request.operation) {
                (Guise::RenameOverwrites, Operation::Rename) if file(&request.path).exists() => {
                    _ = std::fs::remove_file(file(&request.to));
                    Action::Pass
                }
                (Guise::OpenTruncates, Operation::Open) if request.flags & flags::WRITE != 0 => {
                    Action::OpenWith(request.flags | flags::TRUNC)
                }
                (Guise::RefusesReopen, Operation::Open) if file(&request.path).exists() => {
                    Action::refuse(status::PERMISSION_DENIED)
                }
                _ => Action::Pass,
            }
        });
    }

    /// What another environment would do.
    pub(crate) fn other_environment(&self) -> Arc<Deliverer> {
        Arc::clone(&self.deliverer)
    }
}

impl Round<'_> {
    pub(crate) fn let_happen(&self, event: Event, at: usize) -> Arc<Plan> {
        let plan = Arc::new(Plan::new(self, event, at));
        self.world.wear(Some(Arc::clone(&plan)));
        let of_s3 = Arc::clone(&plan);
        self.world.s3.hook(move |request| of_s3.at_s3(request));
        plan
    }

    pub(crate) fn calm_down(&self) {
        self.world.s3.clear_hooks();
        self.world.wear(None);
    }

    pub(crate) async fn attempt(&self, owner: &str) -> Outcome {
        deliver(&self.world.deliverer, &self.key, owner).await
    }

    pub(crate) fn foreign(&self) -> String {
        format!(".{}.0123456789abcdef0123.part", self.key)
    }

    pub(crate) fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.world.server.home().join(name)).ok()
    }

    fn write_file(&self, name: &str, content: &[u8]) {
        let path = self.world.server.home().join(name);
        std::fs::write(path, content).expect("the home can be written to");
    }
}

/// One invocation, with time enough, and an end if it hangs.
pub(crate) async fn deliver(deliverer: &Deliverer, key: &str, owner: &str) -> Outcome {
    let deadline = Instant::now() + std::time::Duration::from_secs(60);
    let mut invocation = deliverer.invocation(deadline);
    let job = Item::Job(Job {
        name: ObjectName {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
        },
        etag: None,
        version_id: None,
        size: None,
        sequencer: None,
    });
    let outcome = invocation.deliver(job, owner).await;
    invocation.finish().await;
    outcome
}

pub(crate) fn first_content() -> Bytes {
    payload::ramp(SIZE)
}

pub(crate) fn second_content() -> Bytes {
    payload::seeded(2, SIZE)
}

pub(crate) fn older_content() -> Bytes {
    payload::seeded(0, SIZE)
}

/// So that one event happens once, whichever side comes first.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

impl Once {
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
