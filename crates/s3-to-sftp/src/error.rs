//! Why a delivery failed: at which stage, of which object, and whether trying again can help.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use sftp::StatusCode;

use crate::event::EventError;
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
    /// Moving bytes.
    Transfer,
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
    /// The object is one that the function itself needs.
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
            Self::Transfer => "the transfer",
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
            Self::IsDirectory(_) | Self::Size { .. } | Self::TemporaryGone(_) => (Reject, Object),
            Self::TemporaryLost(_)
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
                _ => "SourceUnavailable",
            },
            Self::Sftp { source, .. } => match source {
                sftp::Error::Status(status) => match status.code {
                    StatusCode::PERMISSION_DENIED => "PermissionDenied",
                    StatusCode::NO_SUCH_FILE => "NoSuchFile",
                    _ => "SftpFailure",
                },
                sftp::Error::Stalled(_) => "ServerSilent",
                sftp::Error::Protocol(_) | sftp::Error::CutShort { .. } => "SftpProtocol",
                sftp::Error::Closed | sftp::Error::Io(_) => "ConnectionBroken",
            },
            Self::NoDirectory(_) => "DirectoryMissing",
            Self::IsDirectory(_) => "NameIsDirectory",
            Self::Size { .. } => "SizeMismatch",
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
            Self::TemporaryGone(_) | Self::TemporaryLost(_) => {
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
        | SourceError::TooLarge { .. }
        | SourceError::NotText => VerdictKind::Reject,
        SourceError::Replaced
        | SourceError::Vanished
        | SourceError::Body(_)
        | SourceError::Length { .. }
        | SourceError::Malformed { .. }
        | SourceError::Busy
        | SourceError::Other(_) => VerdictKind::Retry,
    }
}
