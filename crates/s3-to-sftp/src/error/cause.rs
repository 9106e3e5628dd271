//! What happened, and what follows from it: the verdict, and the name that Lambda reports.

use std::io::ErrorKind;

use sftp::StatusCode;

use super::{Scope, Stage, Verdict, VerdictKind};
use crate::event::EventError;
use crate::event::sweep::SweepRefused;
use crate::hand_over::RelayError;
use crate::remote_path::PathRefused;
use crate::secrets::FetchError;
use crate::source::SourceError;
use crate::ssh::certificate::CertificateError;
use crate::ssh::host_key::HostKeyError;
use crate::ssh::private_key::PrivateKeyError;
use crate::ssh::{CHANNEL, ConnectError, KEY_EXCHANGE, LOGIN, START};

/// What happened. The verdict follows from it, here and nowhere else.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The event is none that we know.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A sweep that does not begin.
    #[error(transparent)]
    Sweep(#[from] SweepRefused),
    /// What is to be swept cannot be listed.
    #[error("{0} cannot be listed")]
    Listing(String, #[source] SourceError),
    /// A sweep would have what is delivered sent again.
    #[error("{}, and each sweep would have it sent again", not_deleted(.0.as_ref()))]
    SourceNotDeleted(#[source] Option<SourceError>),
    /// The queue does not take what a sweep found.
    #[error("what was found could not be put into the queue")]
    SweepNotSent(#[source] RelayError),
    /// A manifest names a version that is not the current one.
    #[error("version {asked} is asked for, and the current one is {found}")]
    OtherVersion {
        /// The manifest's.
        asked: String,
        /// The bucket's.
        found: String,
    },
    /// The key makes no path that may be written to.
    #[error(transparent)]
    Path(#[from] PathRefused),
    /// The object is one that the function itself needs, or made.
    #[error("it is the function's own {0}, which is neither sent nor deleted")]
    OwnObject(&'static str),
    /// What a setting refers to cannot be had.
    #[error("{} {at} ({setting}) cannot be read", what(setting))]
    SecretUnavailable {
        /// The setting.
        setting: &'static str,
        /// Where it refers to.
        at: String,
        /// The store's answer.
        source: Box<FetchError>,
    },
    /// The private key is none.
    #[error("the private key {place} cannot be used")]
    KeyUnusable {
        /// Where it lies, or the setting that it stands in.
        place: String,
        /// What it is instead.
        source: PrivateKeyError,
    },
    /// No login by the certificate can succeed.
    #[error("the certificate {place} cannot be used")]
    CertificateUnusable {
        /// Where it lies, or the setting that it stands in.
        place: String,
        /// Why.
        source: CertificateError,
    },
    /// The host keys are none, or none of this server.
    #[error("the host keys {place} cannot be used")]
    HostKeysUnusable {
        /// Where they lie, or the setting that they stand in.
        place: String,
        /// What is wrong with them.
        source: Box<HostKeyError>,
    },
    /// No connection to the server.
    #[error("no SFTP session as {username}")]
    Connect {
        /// The account.
        username: String,
        /// The step that failed, and the address.
        source: Box<ConnectError>,
    },
    /// A server that was silent let nobody in over another connection.
    #[error("the server was silent, and did not let in over another connection either")]
    SilentAgain,
    /// An earlier record of this invocation met this, and it was not tried again.
    #[error("the server was not tried again after: {0}")]
    Destination(String, Verdict, &'static str),
    /// S3.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A request to the server.
    #[error("{request} failed")]
    Sftp {
        /// The request and the path.
        request: String,
        /// The server's answer.
        source: sftp::Error,
    },
    /// `SSH_DIR` is not there.
    #[error("the directory {0} does not exist on the server")]
    NoDirectory(String),
    /// The final name is a directory's.
    #[error("{0} is a directory on the server")]
    IsDirectory(String),
    /// The server's idea of the file is another one.
    #[error("the server has {found} bytes of {expected}")]
    Size {
        /// The object's.
        expected: u64,
        /// The server's.
        found: u64,
    },
    /// The temporary file is gone although it was written and closed.
    #[error("the server took the temporary file {0} away when it was closed")]
    TemporaryGone(String),
    /// The temporary file was there at the verification and is not at the rename.
    #[error("the temporary file {0} is gone from the server")]
    TemporaryLost(String),
    /// The file that was read back has not the checksum of what was sent.
    #[error("{name}, read back from the server, is not what was sent")]
    Readback {
        /// The file.
        name: String,
    },
    /// The final name is taken, by a file of other content.
    #[error("{0} exists on the server, with other content")]
    Conflict(String),
    /// The file that is written over is longer, and the server does not cut it.
    #[error("the old {0} is longer than the object, and the server does not cut it")]
    LongerFile(String),
    /// What is left of the transfer could not be handed over.
    #[error("the transfer takes longer than the invocation, and the rest cannot be handed over")]
    HandOver(#[source] RelayError),
    /// An invocation that moved next to nothing: no chain of such would ever end.
    #[error(
        "this invocation came from byte {before} to byte {now}, which is not enough to ever end"
    )]
    NoProgress {
        /// Where it began.
        before: u64,
        /// Where it ended.
        now: u64,
    },
    /// Another file appeared under the final name between the verification and the rename.
    #[error("another file appeared as {0} in the meantime")]
    Overtaken(String),
    /// The connection broke, and the server's part of the file could not be gone on with, each time.
    #[error(
        "the connection broke, and what the server had of the file could not be gone on with, {0} times in a row"
    )]
    BrokenAnew(u32),
    /// The object changed each time it was looked at.
    #[error("the object, or the file under its final name, changed meanwhile, {0} times in a row")]
    KeepsChanging(u32),
    /// The invocation's time is over.
    #[error("the function's time was nearly over")]
    Deadline,
}

impl Cause {
    /// What `setting` refers to cannot be had.
    pub(crate) fn unavailable(
        setting: &'static str,
        at: impl ToString,
        source: impl Into<FetchError>,
    ) -> (Stage, Self) {
        let stage = match Fetched::of(setting) {
            Fetched::PrivateKey => Stage::PrivateKey,
            Fetched::Certificate => Stage::Certificate,
            Fetched::HostKeys => Stage::HostKeys,
            Fetched::Secret => Stage::Secret,
        };
        let (at, source) = (at.to_string(), Box::new(source.into()));
        let cause = Self::SecretUnavailable {
            setting,
            at,
            source,
        };
        (stage, cause)
    }

    pub(crate) fn sftp(request: impl Into<String>) -> impl FnOnce(sftp::Error) -> Self {
        let request = request.into();
        move |source| Self::Sftp { request, source }
    }

    /// Whether the connection itself has failed: what was sent may have arrived or not.
    pub(crate) fn is_broken_connection(&self) -> bool {
        matches!(
            self,
            Self::Sftp {
                source: sftp::Error::Closed
                    | sftp::Error::Io(_)
                    | sftp::Error::Stalled(_)
                    | sftp::Error::Protocol(_),
                ..
            }
        )
    }

    /// Whether a connection is over because the server was silent on it.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            Self::Sftp { source, .. } => match source {
                sftp::Error::Stalled(_) => true,
                sftp::Error::Io(error) => error.kind() == ErrorKind::TimedOut,
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether a connection was refused, or ended, before a credential was offered, or broke behind a login that was
    /// taken.
    pub(crate) fn is_connection_refused(&self) -> bool {
        let Self::Connect { source, .. } = self else {
            return false;
        };
        let is_refused = matches!(
            **source,
            ConnectError::Tcp(_)
                | ConnectError::Ended {
                    step: KEY_EXCHANGE,
                    ..
                }
        );
        is_refused || self.is_broken_off()
    }

    /// Whether a connection that the server took broke without a word while it was made, and no credential can be why:
    /// none was offered yet, or the login was taken.
    pub(crate) fn is_broken_off(&self) -> bool {
        let Self::Connect { source, .. } = self else {
            return false;
        };
        match &**source {
            ConnectError::Ssh { step, .. } => matches!(*step, KEY_EXCHANGE | CHANNEL | START),
            ConnectError::Tcp(tried) => tried
                .iter()
                .any(|(_, error)| error.kind() == ErrorKind::ConnectionReset),
            _ => false,
        }
    }

    /// Whether a connection broke without a word during the login, which some servers mean as a refusal.
    pub(crate) fn is_broken_login(&self) -> bool {
        let Self::Connect { source, .. } = self else {
            return false;
        };
        matches!(**source, ConnectError::Ssh { step: LOGIN, .. })
    }

    /// Whether what arrived, or what was read, is not what it should be: once that may be chance.
    pub(crate) fn is_mismatch(&self) -> bool {
        matches!(
            self,
            Self::Size { .. }
                | Self::Readback { .. }
                | Self::LongerFile(_)
                | Self::Source(SourceError::Checksum { .. })
                | Self::Sftp {
                    source: sftp::Error::Appended { .. },
                    ..
                }
        )
    }

    /// Whether trying again can help.
    pub(crate) fn kind(&self) -> VerdictKind {
        self.verdict().kind
    }

    pub(super) fn verdict(&self) -> Verdict {
        use Scope::{Destination, Object};
        use VerdictKind::{Reject, Retry};
        let (kind, scope) = match self {
            Self::Event(_)
            | Self::Path(_)
            | Self::OwnObject(_)
            | Self::OtherVersion { .. }
            | Self::Sweep(_)
            | Self::SourceNotDeleted(_) => (Reject, Object),
            Self::SecretUnavailable { source, .. } => (fetch_kind(source), Destination),
            Self::KeyUnusable { .. }
            | Self::CertificateUnusable { .. }
            | Self::HostKeysUnusable { .. }
            | Self::NoDirectory(_) => (Reject, Destination),
            Self::Connect { source, .. } => match **source {
                ConnectError::HostKey(_)
                | ConnectError::HostKeyRevoked { .. }
                | ConnectError::HostCertificate { .. }
                | ConnectError::LoginRefused { .. }
                | ConnectError::PromptNotAnswered { .. }
                | ConnectError::KeyNotAllowed { .. }
                | ConnectError::NoCommonAlgorithm { .. }
                | ConnectError::SftpRefused { .. } => (Reject, Destination),
                ConnectError::Name { .. }
                | ConnectError::Tcp(_)
                | ConnectError::NoBanner { .. }
                | ConnectError::Silent { .. }
                | ConnectError::KeyExchange { .. }
                | ConnectError::Ended { .. }
                | ConnectError::Ssh { .. } => (Retry, Destination),
            },
            Self::SilentAgain => (Retry, Destination),
            Self::Destination(_, verdict, _) => (verdict.kind, verdict.scope),
            Self::Source(error) | Self::Listing(_, error) => (source_kind(error), Object),
            Self::Sftp { source, .. } => match source.status().map(|status| status.code) {
                Some(StatusCode::PERMISSION_DENIED | StatusCode::NO_SUCH_FILE) => (Reject, Object),
                // FAILURE says nothing: a full disk and a quota are among them, and pass.
                _ => (Retry, Object),
            },
            Self::IsDirectory(_)
            | Self::Size { .. }
            | Self::Readback { .. }
            | Self::Conflict(_)
            | Self::LongerFile(_)
            | Self::TemporaryGone(_) => (Reject, Object),
            Self::TemporaryLost(_)
            | Self::HandOver(_)
            | Self::SweepNotSent(_)
            | Self::NoProgress { .. }
            | Self::Overtaken(_)
            | Self::BrokenAnew(_)
            | Self::KeepsChanging(_)
            | Self::Deadline => (Retry, Object),
        };
        Verdict { kind, scope }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Event(_) => "EventNotUnderstood",
            Self::Path(_) => "RemotePathRefused",
            Self::OwnObject(_) => "OwnObject",
            Self::Sweep(_) => "SweepRefused",
            Self::SourceNotDeleted(_) => "SourceNotDeleted",
            Self::SweepNotSent(_) => "SweepNotSent",
            Self::OtherVersion { .. } => "VersionNotCurrent",
            Self::SecretUnavailable { setting, .. } => match Fetched::of(setting) {
                Fetched::PrivateKey => "PrivateKeyUnavailable",
                Fetched::Certificate => "CertificateUnavailable",
                Fetched::HostKeys => "HostKeysUnavailable",
                Fetched::Secret => "SecretUnavailable",
            },
            Self::KeyUnusable { .. } => "PrivateKeyUnusable",
            Self::HostKeysUnusable { .. } => "HostKeysUnusable",
            Self::CertificateUnusable { .. } => "CertificateUnusable",
            Self::SilentAgain => "ServerSilent",
            Self::Connect { source, .. } => match **source {
                ConnectError::Name { .. } => "NameNotFound",
                ConnectError::Tcp(_) => "ConnectFailed",
                ConnectError::NoBanner { .. } | ConnectError::Silent { .. } => "ServerSilent",
                ConnectError::HostKey(_) => "HostKeyMismatch",
                ConnectError::HostKeyRevoked { .. } => "HostKeyRevoked",
                ConnectError::HostCertificate { .. } => "HostCertificateRefused",
                ConnectError::LoginRefused { .. } => "LoginRefused",
                ConnectError::PromptNotAnswered { .. } => "PromptNotAnswered",
                ConnectError::KeyNotAllowed { .. } | ConnectError::NoCommonAlgorithm { .. } => {
                    "NoCommonAlgorithm"
                }
                ConnectError::SftpRefused { .. } => "SftpRefused",
                ConnectError::KeyExchange { .. }
                | ConnectError::Ended { .. }
                | ConnectError::Ssh { .. } => "ConnectionBroken",
            },
            Self::Destination(_, _, name) => name,
            Self::Source(error) | Self::Listing(_, error) => match error {
                SourceError::Denied(_) | SourceError::ListDenied(_) => "SourceDenied",
                SourceError::DeleteDenied(_) => "DeleteDenied",
                SourceError::NoSuchBucket(_) => "NoSuchBucket",
                SourceError::Archived(_) => "SourceArchived",
                SourceError::Body(_) | SourceError::Length { .. } => "SourceBroken",
                SourceError::Checksum { .. } => "ChecksumMismatch",
                SourceError::NotArchivable(_) => "NotArchivable",
                SourceError::ArchiveDenied(_) => "ArchiveDenied",
                SourceError::ArchiveTaken(_) => "ArchiveTaken",
                _ => "SourceUnavailable",
            },
            Self::Sftp { source, .. } => match source {
                sftp::Error::Status(status) => match status.code {
                    StatusCode::PERMISSION_DENIED => "PermissionDenied",
                    StatusCode::NO_SUCH_FILE => "NoSuchFile",
                    _ => "SftpFailure",
                },
                sftp::Error::Stalled(_) => "ServerSilent",
                sftp::Error::Protocol(_)
                | sftp::Error::CutShort { .. }
                | sftp::Error::NotTold
                | sftp::Error::NotShared
                | sftp::Error::SeveralRefused(_)
                | sftp::Error::TogetherRefused(_)
                | sftp::Error::NotGoneOnWith(_)
                | sftp::Error::Appended { .. } => "SftpProtocol",
                sftp::Error::Io(error) if error.kind() == ErrorKind::TimedOut => "ServerSilent",
                sftp::Error::Closed | sftp::Error::Io(_) => "ConnectionBroken",
            },
            Self::NoDirectory(_) => "DirectoryMissing",
            Self::IsDirectory(_) => "NameIsDirectory",
            Self::Size { .. } => "SizeMismatch",
            Self::Readback { .. } => "ReadbackMismatch",
            Self::Conflict(_) => "FileExists",
            Self::LongerFile(_) => "LongerFile",
            Self::HandOver(_) => "HandOverFailed",
            Self::NoProgress { .. } => "NoProgress",
            Self::TemporaryGone(_) => "TemporaryGone",
            Self::TemporaryLost(_) => "TemporaryLost",
            Self::Overtaken(_) => "Overtaken",
            Self::BrokenAnew(_) => "ConnectionBroken",
            Self::KeepsChanging(_) => "SourceKeepsChanging",
            Self::Deadline => "DeadlineReached",
        }
    }
}

/// How it is known that a source cannot be deleted: S3 says so, or a delivery has met it.
fn not_deleted(denied: Option<&SourceError>) -> &'static str {
    match denied {
        Some(_) => "the source could not be deleted or moved after its delivery",
        None => "it was delivered, and its source could not be deleted or moved",
    }
}

/// What `setting` refers to, in words.
fn what(setting: &str) -> &'static str {
    match setting {
        "SSH_PRIVATE_KEY" => "the private key",
        "SSH_CERTIFICATE" => "the certificate",
        "SSH_HOST_KEY" => "the host keys",
        "SSH_PASSWORD" => "the password",
        "SSH_PASSPHRASE" => "the passphrase",
        _ => "the secret",
    }
}

/// What a setting refers to: each has a stage and a type of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fetched {
    PrivateKey,
    Certificate,
    HostKeys,
    Secret,
}

impl Fetched {
    fn of(setting: &str) -> Self {
        match setting {
            "SSH_PRIVATE_KEY" => Self::PrivateKey,
            "SSH_CERTIFICATE" => Self::Certificate,
            "SSH_HOST_KEY" => Self::HostKeys,
            _ => Self::Secret,
        }
    }
}

fn fetch_kind(error: &FetchError) -> VerdictKind {
    match error {
        FetchError::S3(error) => source_kind(error),
        FetchError::Store(error) if error.is_passing() => VerdictKind::Retry,
        FetchError::Store(_) => VerdictKind::Reject,
    }
}

fn source_kind(error: &SourceError) -> VerdictKind {
    match error {
        SourceError::Denied(_)
        | SourceError::ListDenied(_)
        | SourceError::DeleteDenied(_)
        | SourceError::Missing
        | SourceError::NoSuchBucket(_)
        | SourceError::Archived(_)
        | SourceError::Checksum { .. }
        | SourceError::NotArchivable(_)
        | SourceError::ArchiveDenied(_)
        | SourceError::ArchiveTaken(_)
        | SourceError::TooLarge { .. }
        | SourceError::NotText => VerdictKind::Reject,
        SourceError::Replaced
        | SourceError::Vanished
        | SourceError::Body(_)
        | SourceError::Length { .. }
        | SourceError::Malformed { .. }
        | SourceError::Checkpoint
        | SourceError::Busy
        | SourceError::Other(_) => VerdictKind::Retry,
    }
}
