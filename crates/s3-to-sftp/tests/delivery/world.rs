//! An S3, a server, and what a body asks of them.

use std::any::Any;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use s3_to_sftp::event::{Item, Job};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::{Loaded, Problems, Settings};
use s3_to_sftp::source::S3;
use testkit::account::Account;
use testkit::s3::{Action, S3Server, Store};
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::checked::Checked;
use crate::files::Files;

pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) account: Account,
    pub(crate) files: Files,
    lacks: &'static [Lack],
    /// The server: it runs as long as this is held.
    _server: Box<dyn Any>,
}

/// What a server cannot do, so that a promise is kept in another way: docs/servers.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// A file is written through one channel, whatever is set.
    SeveralChannels,
    /// A file cannot be gone on with: it is begun anew, and has to fit into one invocation.
    GoingOn,
    /// Whether a file is there, and how long it is.
    Telling,
    /// A file's permissions are the server's own.
    Modes,
    /// A file that is there is not opened to be written over, not even one's own.
    Reopening,
    /// A file is not made shorter: `direct` removes an old one that is longer.
    Cutting,
}

impl World {
    pub(crate) const BUCKET: &str = "inbox";

    pub(crate) async fn new(account: Account, server: impl Any) -> Self {
        let s3 = S3Server::start().await;
        s3.store().create_bucket(Self::BUCKET);
        Self {
            s3,
            files: Files::Directory(account.home.clone()),
            lacks: &[],
            account,
            _server: Box::new(server),
        }
    }

    /// With files elsewhere than in a directory.
    pub(crate) fn over(self, files: Files) -> Self {
        Self { files, ..self }
    }

    pub(crate) fn lacking(self, lacks: &'static [Lack]) -> Self {
        Self { lacks, ..self }
    }

    /// Whether the server lacks this. What is promised is then kept in another way, which the table of servers tells: it is
    /// made of these lines (dev/checks/servers.py).
    pub(crate) fn lacks(&self, lack: Lack) -> bool {
        let lacks = self.lacks.contains(&lack);
        if lacks {
            #[expect(
                clippy::print_stdout,
                reason = "the table is made of what a test has written"
            )]
            {
                println!("lacks: {lack:?}");
            }
        }
        lacks
    }

    pub(crate) fn home(&self) -> &Path {
        &self.account.home
    }

    pub(crate) fn put(&self, key: &str, body: impl Into<Bytes>) {
        self.s3.store().put(Self::BUCKET, key, body);
    }

    /// Has somebody do something to the bucket at the very moment of the `number`th request of
    /// `operation` on a key, before S3 carries it out.
    pub(crate) fn at(
        &self,
        operation: &'static str,
        number: u64,
        act: impl Fn(&Store) + Clone + Send + 'static,
    ) {
        let store = self.s3.store();
        self.s3.hook(move |request| {
            if (request.operation.as_str(), request.number) != (operation, number) {
                return Action::Pass;
            }
            let (store, act) = (store.clone(), act.clone());
            Action::run(move || act(&store))
        });
    }

    pub(crate) fn has_source(&self, key: &str) -> bool {
        self.s3.store().exists(Self::BUCKET, key)
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        let file = self.files.read(name);
        file.unwrap_or_else(|| panic!("{name} is not there"))
    }

    pub(crate) fn write_file(&self, name: &str, content: impl AsRef<[u8]>) {
        self.files.write(name, content.as_ref());
    }

    /// Time enough for every body, and an end to one that hangs.
    pub(crate) fn soon(&self) -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    pub(crate) fn settings(&self, extra: &[(&str, &str)]) -> Settings {
        self.load(extra)
            .unwrap_or_else(|problems| panic!("{problems}"))
            .settings
    }

    /// What is wrong with such settings.
    pub(crate) fn problems(&self, extra: &[(&str, &str)]) -> String {
        self.load(extra).map_or_else(
            |problems| problems.to_string(),
            |_| panic!("{extra:?} are good settings"),
        )
    }

    fn load(&self, extra: &[(&str, &str)]) -> Result<Loaded, Problems> {
        let account = &self.account;
        let lookup = |name: &str| {
            if let Some((_, value)) = extra.iter().find(|(it, _)| *it == name) {
                return Some((*value).to_owned());
            }
            match name {
                "SSH_HOST" => Some(account.host.clone()),
                "SSH_PORT" => Some(account.port.to_string()),
                "SSH_USERNAME" => Some(account.username.clone()),
                "SSH_PASSWORD" => account.password.clone(),
                "SSH_PRIVATE_KEY" if account.password.is_none() => Some("secrets:key".to_owned()),
                "SSH_HOST_KEY" => Some(account.host_key.clone()),
                "SSH_DIR" => account.dir.clone(),
                _ => None,
            }
        };
        Settings::from_lookup(lookup)
    }

    pub(crate) fn deliverer(&self, extra: &[(&str, &str)]) -> Deliverer {
        if let Some(key) = &self.account.private_key {
            self.s3.store().create_bucket("secrets");
            self.s3.store().put("secrets", "key", key.clone());
        }
        Deliverer::new(
            self.settings(extra),
            S3::with_client(self.s3.client()),
            Secrets::none(),
        )
        .with_journal(Checked)
    }

    pub(crate) async fn deliver(&self, key: &str) -> Outcome {
        self.deliver_from(Self::BUCKET, key).await
    }

    pub(crate) async fn deliver_from(&self, bucket: &str, key: &str) -> Outcome {
        let deliverer = self.deliverer(&[]);
        let invocation = deliverer.invocation(self.soon());
        let outcome = invocation.deliver(job(bucket, key), "owner").await;
        invocation.finish().await;
        outcome
    }

    pub(crate) async fn deliver_by(&self, deliverer: &Deliverer, key: &str) -> Outcome {
        let invocation = deliverer.invocation(self.soon());
        let outcome = invocation.deliver(job(Self::BUCKET, key), "owner").await;
        invocation.finish().await;
        outcome
    }

    pub(crate) async fn deliver_at(
        &self,
        together: &Arc<Barrier>,
        key: &str,
        owner: &str,
    ) -> Outcome {
        let deliverer = self.deliverer(&[]);
        let invocation = deliverer.invocation(self.soon());
        together.wait().await;
        let outcome = invocation.deliver(job(Self::BUCKET, key), owner).await;
        invocation.finish().await;
        outcome
    }

    pub(crate) fn assert_only(&self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(self.files.names(), expected);
    }

    pub(crate) fn assert_no_temporary(&self) {
        let files = self.files.names();
        assert!(
            !files.iter().any(|name| name.ends_with(".part")),
            "{files:?}"
        );
    }
}

/// A record that asks for one object.
pub(crate) fn job(bucket: &str, key: &str) -> Item {
    Item::Job(Job {
        name: ObjectName {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        },
        etag: None,
        version_id: None,
        size: None,
        sequencer: None,
        time: None,
    })
}
