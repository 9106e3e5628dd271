//! A server in one guise, a bucket of one kind, and what lies in the directory at the start.

use bytes::Bytes;
use s3_to_sftp::rules::Rule;
use s3_to_sftp::settings::Settings;
use testkit::s3::S3Server;
use testkit::sftp::{Extensions, SftpServer};

pub(crate) const BUCKET: &str = "inbox";

/// A way in which servers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guise {
    OpenSsh,
    NoPosixRename,
    /// A plain rename overwrites: Go servers.
    RenameOverwrites,
    /// Every OPEN for writing truncates, and EXCL is no lock: `rclone serve sftp`.
    OpenTruncates,
    /// A name that exists is not opened for writing: ProFTPD without `AllowOverwrite`, Azure.
    RefusesReopen,
    /// Every write goes to the file's end: accounts that may only add.
    ForcesAppend,
    /// Stores 32 KiB of each write, and says OK.
    StoresTheBeginning,
    /// Takes a file away when it is closed.
    TakesAtClose,
    /// Takes a file away when it has its final name.
    TakesAtRename,
    /// Tells a size late.
    LateSize,
    /// Homes that are no file system: each handle has a copy of its own, and the first one's counts.
    OwnCopies,
    /// Carries writes out side by side: every second one is overtaken by two requests, by FSTAT and FSYNC as well
    /// (draft-02, section 6.1; pkg/sftp).
    WritesSideBySide,
    /// EXCL is no lock.
    IgnoresExcl,
}

impl Guise {
    pub(crate) const ALL: [Self; 13] = [
        Self::OpenSsh,
        Self::NoPosixRename,
        Self::RenameOverwrites,
        Self::OpenTruncates,
        Self::RefusesReopen,
        Self::ForcesAppend,
        Self::StoresTheBeginning,
        Self::TakesAtClose,
        Self::TakesAtRename,
        Self::LateSize,
        Self::OwnCopies,
        Self::WritesSideBySide,
        Self::IgnoresExcl,
    ];

    fn extensions(self) -> Extensions {
        match self {
            Self::OpenSsh
            | Self::OpenTruncates
            | Self::RefusesReopen
            | Self::TakesAtRename
            | Self::OwnCopies
            | Self::IgnoresExcl => Extensions::OPENSSH,
            Self::WritesSideBySide => Extensions {
                rest: false,
                ..Extensions::OPENSSH
            },
            Self::StoresTheBeginning => Extensions {
                fsync: false,
                ..Extensions::OPENSSH
            },
            Self::NoPosixRename
            | Self::RenameOverwrites
            | Self::ForcesAppend
            | Self::TakesAtClose
            | Self::LateSize => Extensions::NONE,
        }
    }

    /// Bytes of a whole write.
    pub(crate) fn write_length(self) -> usize {
        if self.extensions().limits {
            261_120
        } else {
            32_487
        }
    }

    pub(crate) fn has_fsync(self) -> bool {
        self.extensions().fsync
    }
}

/// A way in which stores differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    Plain,
    Versioned,
    IgnoresIfMatch,
}

impl Bucket {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Versioned, Self::IgnoresIfMatch];
}

/// What lies in the directory before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Nothing,
    /// Yesterday's file: the same size, other content.
    OlderFinal,
    /// Somebody else's temporary, and yesterday's file moved aside by somebody else.
    ForeignTemporary,
    /// An attempt of this chain was killed in the middle of its writes.
    OwnPartial,
    /// An invocation before has handed the object over in its middle.
    HandedOver,
}

impl Start {
    pub(crate) const ALL: [Self; 5] = [
        Self::Nothing,
        Self::OlderFinal,
        Self::ForeignTemporary,
        Self::OwnPartial,
        Self::HandedOver,
    ];
}

/// What a world is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) guise: Guise,
    pub(crate) bucket: Bucket,
    /// Settings that differ from the defaults.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// The rules that do not hold.
    pub(crate) without: &'static [Rule],
    /// Whole writes in an object; a short one comes behind them.
    pub(crate) writes: usize,
    /// Whether the server takes some time for each write, so that channels that are opened meanwhile get their share.
    pub(crate) is_slow: bool,
}

impl Kind {
    pub(crate) fn new(guise: Guise, bucket: Bucket) -> Self {
        Self {
            guise,
            bucket,
            settings: &[],
            without: &[],
            writes: 3,
            is_slow: false,
        }
    }

    /// The larger objects can be gone on with in their middle: going back is possible to every 256 KiB.
    pub(crate) fn size(&self) -> usize {
        let last = if self.guise.extensions().limits {
            20_000
        } else {
            10_000
        };
        self.writes * self.guise.write_length() + last
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.settings.contains(&("SSH_UPLOAD", "direct"))
    }

    /// What has the final name keeps it.
    pub(crate) fn replaces_nothing(&self) -> bool {
        let mut policies = ["skip", "fail"].into_iter();
        policies.any(|policy| self.settings.contains(&("SSH_ON_CONFLICT", policy)))
    }
}

pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) server: SftpServer,
    pub(crate) kind: Kind,
    pub(crate) settings: Settings,
}

impl World {
    pub(crate) async fn new(kind: Kind) -> Self {
        let server = SftpServer::builder()
            .extensions(kind.guise.extensions())
            .start()
            .await;
        let s3 = S3Server::start().await;
        match kind.bucket {
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
            name => kind
                .settings
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned()),
        };
        let settings = Settings::from_lookup(lookup)
            .expect("they are right")
            .settings;
        Self {
            s3,
            server,
            kind,
            settings,
        }
    }
}

/// The contents of one round: no two are alike, and all are of one size.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    pub(crate) older: Bytes,
    pub(crate) first: Bytes,
    size: usize,
}

impl Contents {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            older: testkit::payload::seeded(0, size),
            first: testkit::payload::ramp(size),
            size,
        }
    }

    /// What a user puts in place of the `number`th version.
    pub(crate) fn other(&self, number: usize) -> Bytes {
        testkit::payload::seeded(number as u64, self.size)
    }
}
