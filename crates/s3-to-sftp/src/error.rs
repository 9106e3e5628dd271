//! Why a delivery failed: at which stage, of which object, and whether trying again can help.

mod advice;
mod cause;

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

pub use cause::Cause;

use crate::object::ObjectName;
use crate::printable::Printable;

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
    /// Waiting for other deliveries of the same invocation.
    Turn,
    /// Finding the remote path.
    RemotePath,
    /// Fetching the private key.
    PrivateKey,
    /// Fetching the certificate.
    Certificate,
    /// Fetching the host keys.
    HostKeys,
    /// Fetching what else the login needs.
    Secret,
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
    /// Looking for objects that were left.
    Sweep,
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
        let mut report = self.chain();
        if let Some(next) = self.next() {
            _ = write!(report, "; next: {next}");
        }
        Printable(&report).to_string()
    }

    /// What to do next; none where the causes say all there is.
    pub fn next(&self) -> Option<Cow<'static, str>> {
        self.cause.next()
    }

    /// One line: object, stage and causes.
    fn chain(&self) -> String {
        format!("{self}: {}", self.causes())
    }

    /// One line: the causes, each once.
    pub fn causes(&self) -> String {
        let mut text = self.cause.to_string();
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&self.cause);
        while let Some(error) = cause {
            // Libraries' errors often print their source themselves, and then hand it out as well.
            let next = error.to_string();
            if !text.ends_with(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
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
            Self::Turn => "waiting for its turn",
            Self::RemotePath => "finding the remote path",
            Self::PrivateKey => "fetching the private key",
            Self::Certificate => "fetching the certificate",
            Self::HostKeys => "fetching the host keys",
            Self::Secret => "fetching the credentials",
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
            Self::Sweep => "the sweep",
        })
    }
}
