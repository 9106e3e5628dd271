//! One record of a delivery: the log line, and the command line's line.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::event::Skip;
use crate::object::ObjectName;
use crate::source::{ChecksumCheck, Disposal};

/// What became of one record of an event.
#[derive(Debug)]
pub enum Outcome {
    /// It lies on the server, complete and under its final name.
    Delivered(Box<Receipt>, Disposal),
    /// There is nothing under its key: delivered before, or deleted.
    Gone(ObjectName),
    /// Another invocation goes on with it, from this offset; none where nothing was begun.
    Continued(ObjectName, Option<u64>),
    /// It is nothing to deliver.
    Skipped(Option<ObjectName>, Skip),
    /// It is not delivered, and its source is where it was.
    Failed(Error),
}

/// Evidence of one delivery, written when the file has its final name and before the source is
/// touched.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt {
    /// Bucket of the source.
    pub bucket: String,
    /// Key of the source.
    pub key: String,
    /// ETag of the version that was delivered.
    pub etag: String,
    /// Its version id; none where the bucket has no versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Length in bytes.
    pub bytes: u64,
    /// The server.
    pub server: String,
    /// Its host key's fingerprint.
    pub host_key: String,
    /// The file's final path.
    pub remote_path: String,
    /// How it got its final name.
    pub published: Published,
    /// What the file's length was compared with.
    pub size: SizeCheck,
    /// What the bytes that were sent were compared with.
    pub checksum: ChecksumCheck,
    /// Whether the file was read back from the server, and had the checksum of what was sent.
    pub read_back: bool,
    /// What a power cut at the server would leave.
    pub durable: Durable,
    /// SFTP channels that wrote it in this invocation, on one connection.
    pub channels: usize,
    /// How many invocations have worked at it before this one.
    pub hops: u32,
    /// From the first request to the final name, in seconds.
    pub seconds: f64,
}

/// How a file got its final name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Published {
    /// `posix-rename@openssh.com`: over whatever was there, in one step.
    PosixRename,
    /// A plain rename.
    Rename,
    /// The old file was moved aside, and removed afterwards.
    MovedAside,
    /// A rename whose answer was lost: the names on the server show that it has happened.
    Settled,
    /// An earlier attempt had brought it there: the file was read back, and is equal.
    Before,
    /// Written under its final name (`SSH_UPLOAD=direct`).
    Direct,
    /// The same; and the old file was removed before, since it was longer and the server cuts no file: for a
    /// while there was none.
    DirectWithGap,
}

/// What is known to be on the server's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durable {
    /// The file and its name: both were synced.
    FileAndName,
    /// The file. A power cut may undo its rename.
    File,
    /// Nothing: the server knows no `fsync@openssh.com`.
    NotKnown,
}

/// What is known of the file's length on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SizeCheck {
    /// The server told it, and it is the object's.
    Equal,
    /// The server does not tell: every write was acknowledged, and that is all.
    NotTold,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bucket,
            key,
            server,
            remote_path,
            bytes,
            seconds,
            ..
        } = self;
        write!(
            f,
            "delivered s3://{bucket}/{key} to {server}:{remote_path} ({bytes} bytes in {seconds:.2} s)"
        )
    }
}

/// Seconds with milliseconds, as receipts show them.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
