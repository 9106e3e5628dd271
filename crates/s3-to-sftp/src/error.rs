//! Why a delivery failed: at which stage, of which object, and whether trying again can help.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use sftp::StatusCode;

use crate::event::EventError;
use crate::hand_over::RelayError;
use crate::object::ObjectName;
use crate::remote_path::PathRefused;
use crate::source::SourceError;
use crate::ssh::ConnectError;
use crate::ssh::private_key::PrivateKeyError;

/// A delivery that failed. Its `Display` names the object and the stage; the cause is in
/// `source()`, and [`Error::report`] prints the whole chain once.
#[derive(Debug)]
pub struct Error {
    /// What was under way.
    pub stage: Stage,
    /// The object; none where the failure is not about one.
    pub object: Option<ObjectName>,
    /// What happened.
    pub cause: Cause,
}

/// A step of the path of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the event.
    Event,
    /// Finding the remote path.
    RemotePath,
    /// Fetching the private key.
    PrivateKey,
    /// Connecting and logging in.
    Connect,
    /// Opening the object in S3.
    OpenSource,
    /// Opening the temporary file.
    OpenTemporary,
    /// Opening the file under its final name.
    OpenFinal,
    /// Moving bytes.
    Transfer,
    /// Leaving the rest to the next invocation.
    HandOver,
    /// Verifying what arrived.
    Verify,
    /// Looking at the source once more.
    LastLook,
    /// Renaming to the final name.
    Publish,
    /// Deleting the source.
    Dispose,
    /// Looking for temporaries that were left.
    Clean,
}

/// What happened. The verdict follows from it, here and nowhere else.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The event is none that we know.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The key makes no path that may be written to.
    #[error(transparent)]
    Path(#[from] PathRefused),
    /// The object is one that the function itself needs, or made.
    #[error("it is the function's own {0}, which is neither sent nor deleted")]
    OwnObject(&'static str),
    /// The private key cannot be fetched.
    #[error("the private key {name} cannot be read")]
    KeyUnavailable {
        /// The reference in `SSH_PRIVATE_KEY`.
        name: ObjectName,
        /// S3's answer.
        source: SourceError,
    },
    /// The private key is none.
    #[error("the private key {name} cannot be used")]
    KeyUnusable {
        /// The reference in `SSH_PRIVATE_KEY`.
        name: ObjectName,
        /// What it is instead.
        source: PrivateKeyError,
    },
    /// No connection to the server.
    #[error("no SFTP session as {username}")]
    Connect {
        /// The account.
        username: String,
        /// The step that failed, and the address.
        source: Box<ConnectError>,
    },
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
    /// The object changed each time it was looked at.
    #[error("the object, or the file under its final name, changed meanwhile, {0} times in a row")]
    KeepsChanging(u32),
    /// The invocation's time is over.
    #[error("the function's time was nearly over")]
    Deadline,
}

/// Whether trying again can help, and what it is that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether trying again can help.
    pub kind: VerdictKind,
    /// What failed.
    pub scope: Scope,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictKind {
    /// It can.
    Retry,
    /// Somebody has to change something first.
    Reject,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The server: every object will fare the same.
    Destination,
    /// This object.
    Object,
}

impl Error {
    /// Whether trying again can help, and what failed.
    pub fn verdict(&self) -> Verdict {
        self.cause.verdict()
    }

    /// The name under which Lambda reports it. Names never change.
    pub fn name(&self) -> &'static str {
        self.cause.name()
    }

    /// One line: object, stage, causes, and what to do next.
    pub fn report(&self) -> String {
        let mut report = self.to_string();
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(self);
        while let Some(error) = cause {
            // Libraries' errors often print their source themselves, and then hand it out as well.
            let text = error.to_string();
            if !report.ends_with(&text) {
                report.push_str(": ");
                report.push_str(&text);
            }
            cause = error.source();
        }
        if let Some(next) = self.cause.next() {
            _ = write!(report, "; next: {next}");
        }
        report
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        write!(f, "{} failed", self.stage)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "reading the event",
            Self::RemotePath => "finding the remote path",
            Self::PrivateKey => "fetching the private key",
            Self::Connect => "connecting to the server",
            Self::OpenSource => "opening the source",
            Self::OpenTemporary => "opening the temporary file",
            Self::OpenFinal => "opening the file",
            Self::Transfer => "the transfer",
            Self::HandOver => "handing over to the next invocation",
            Self::Verify => "verifying the upload",
            Self::LastLook => "the last look at the source",
            Self::Publish => "publishing under the final name",
            Self::Dispose => "deleting the source",
            Self::Clean => "looking for temporaries",
        })
    }
}

impl Cause {
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

    fn verdict(&self) -> Verdict {
        use Scope::{Destination, Object};
        use VerdictKind::{Reject, Retry};
        let (kind, scope) = match self {
            Self::Event(_) | Self::Path(_) | Self::OwnObject(_) => (Reject, Object),
            Self::KeyUnavailable { source, .. } => (source_kind(source), Destination),
            Self::KeyUnusable { .. } | Self::NoDirectory(_) => (Reject, Destination),
            Self::Connect { source, .. } => match **source {
                ConnectError::HostKey { .. }
                | ConnectError::LoginRefused { .. }
                | ConnectError::SftpRefused { .. } => (Reject, Destination),
                ConnectError::Name { .. }
                | ConnectError::Tcp(_)
                | ConnectError::NoBanner { .. }
                | ConnectError::Silent { .. }
                | ConnectError::Ssh { .. } => (Retry, Destination),
            },
            Self::Destination(_, verdict, _) => (verdict.kind, verdict.scope),
            Self::Source(error) => (source_kind(error), Object),
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
            | Self::NoProgress { .. }
            | Self::Overtaken(_)
            | Self::KeepsChanging(_)
            | Self::Deadline => (Retry, Object),
        };
        Verdict { kind, scope }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Event(_) => "EventNotUnderstood",
            Self::Path(_) => "RemotePathRefused",
            Self::OwnObject(_) => "OwnObject",
            Self::KeyUnavailable { .. } => "PrivateKeyUnavailable",
            Self::KeyUnusable { .. } => "PrivateKeyUnusable",
            Self::Connect { source, .. } => match **source {
                ConnectError::Name { .. } => "NameNotFound",
                ConnectError::Tcp(_) => "ConnectFailed",
                ConnectError::NoBanner { .. } | ConnectError::Silent { .. } => "ServerSilent",
                ConnectError::HostKey { .. } => "HostKeyMismatch",
                ConnectError::LoginRefused { .. } => "LoginRefused",
                ConnectError::SftpRefused { .. } => "SftpRefused",
                ConnectError::Ssh { .. } => "ConnectionBroken",
            },
            Self::Destination(_, _, name) => name,
            Self::Source(error) => match error {
                SourceError::Denied(_) => "SourceDenied",
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
                | sftp::Error::Appended { .. } => "SftpProtocol",
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
            Self::KeepsChanging(_) => "SourceKeepsChanging",
            Self::Deadline => "DeadlineReached",
        }
    }

    /// What whoever reads the message can do about it.
    fn next(&self) -> Option<Cow<'static, str>> {
        let next = match self {
            Self::Event(_) | Self::Path(_) | Self::OwnObject(_) => return None,
            Self::KeyUnavailable { source, .. } => match source {
                SourceError::Missing => "put the key there, or correct SSH_PRIVATE_KEY",
                SourceError::Denied(_) => {
                    "grant the function's role s3:GetObject on the key (and s3:ListBucket, to tell a \
                     missing key from a denied one)"
                }
                _ => return None,
            },
            Self::KeyUnusable { .. } => {
                "store an unencrypted private key in OpenSSH or PEM format (RSA, ECDSA or ed25519)"
            }
            Self::Connect { source, .. } => match **source {
                ConnectError::Name { .. } => {
                    "check SSH_HOST, and the DNS of the function's network"
                }
                ConnectError::Tcp(_) => {
                    "check SSH_HOST and SSH_PORT, the partner's allow-list, and the function's \
                     route to the internet"
                }
                ConnectError::NoBanner { .. } => "check that SSH_PORT is the port of an SSH server",
                ConnectError::HostKey { .. } => {
                    "ask the partner whether the key was changed; if so, set SSH_HOST_KEY to the new \
                     one. No credential was sent"
                }
                ConnectError::LoginRefused { .. } => {
                    "check SSH_USERNAME and the password or key, and ask the partner which login the \
                     account has"
                }
                ConnectError::SftpRefused { .. } => {
                    "ask the partner to enable SFTP for the account"
                }
                ConnectError::Silent { .. } | ConnectError::Ssh { .. } => return None,
            },
            Self::Source(SourceError::Denied(_)) => {
                "grant the function's role s3:GetObject (in a versioned bucket s3:GetObjectVersion \
                 too) on the object, and s3:ListBucket on the bucket to tell a deleted object from \
                 a denied one"
            }
            Self::Source(SourceError::Archived(_)) => {
                "restore the object, then send its event again"
            }
            Self::Source(SourceError::Checksum { .. }) => {
                "upload the object again, from where it came; if that fails as well, what changes \
                 the bytes is between S3 and the function"
            }
            Self::Source(SourceError::NotArchivable(_)) => {
                "set S3_AFTER_DELIVERY to `delete` or `keep` for such objects, or move them by a \
                 lifecycle rule"
            }
            Self::Source(SourceError::ArchiveDenied(_)) => {
                "grant the function's role s3:PutObject and s3:GetObject below the archive's prefix \
                 (s3:PutObjectTagging and s3:GetObjectTagging too, where objects have tags)"
            }
            Self::Source(SourceError::ArchiveTaken(_)) => {
                "see what the archive has under these names, and move it away"
            }
            Self::Sftp { source, .. } if source.is(StatusCode::PERMISSION_DENIED) => {
                "ask the partner for write access to the directory, or set SSH_DIR"
            }
            Self::Sftp { source, .. } if source.is(StatusCode::NO_SUCH_FILE) => {
                "ask the partner whether the account may make directories, or correct SSH_DIR"
            }
            Self::NoDirectory(_) => "make the directory on the server, or correct SSH_DIR",
            Self::Size { .. } => {
                "ask the partner whether a quota, a full disk or a filter cuts files short"
            }
            Self::TemporaryGone(_) => {
                "the server takes files as soon as they are closed, whatever their name: set \
                 SSH_UPLOAD=direct, or ask the partner which names it leaves alone until they are \
                 renamed, and set SSH_TEMPORARY_NAME"
            }
            Self::Readback { .. } => {
                "ask the partner whether the server changes files (line ends, encryption), or set \
                 SSH_VERIFY=size"
            }
            Self::Conflict(_) => {
                "ask the partner to take the file away, or set SSH_ON_CONFLICT=replace"
            }
            Self::LongerFile(_) => "ask the partner to allow FSETSTAT, or to take the file away",
            Self::HandOver(RelayError::Denied { permission, .. }) => {
                return Some(Cow::Owned(format!(
                    "grant the function's role {permission}, or give the function more time"
                )));
            }
            Self::HandOver(RelayError::Failed(_)) => "give the function more time (its time-out)",
            Self::NoProgress { .. } => {
                "give the function more time (its time-out); if the server empties files when they \
                 are opened again, a transfer has to fit into one invocation"
            }
            Self::TemporaryLost(_) => {
                "ask the partner which names its server leaves alone until they are renamed, and set \
                 SSH_TEMPORARY_NAME"
            }
            Self::Source(SourceError::NoSuchBucket(_)) => {
                "check the bucket's name and the function's region"
            }
            Self::IsDirectory(_) => "rename one of the two, or set SSH_FILENAME",
            Self::Deadline => "give the function more time (its time-out), or smaller objects",
            _ => return None,
        };
        Some(Cow::Borrowed(next))
    }
}

fn source_kind(error: &SourceError) -> VerdictKind {
    match error {
        SourceError::Denied(_)
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
