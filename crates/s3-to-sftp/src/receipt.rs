//! What became of a record of an event, and the evidence of a delivery.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::error::{Error, Stage};
use crate::event::Skip;
use crate::object::ObjectName;
use crate::printable::Printable;
use crate::profile::Profile;
use crate::source::{ChecksumCheck, Disposal};
use crate::ssh::Connection;
use crate::timeline::Timeline;

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

impl Receipt {
    /// From when the object was put until it had its final name, in seconds; never below 0, though clocks differ. None where
    /// no event told.
    pub fn seconds_since_event(&self) -> Option<f64> {
        let since = self.at - self.put?;
        Some(milliseconds(since.as_seconds_f64().max(0.0)))
    }
}

impl Outcome {
    /// The object; none where what was to be delivered was never known.
    pub fn object(&self) -> Option<&ObjectName> {
        match self {
            Self::Delivered(receipt, _) => Some(&receipt.name),
            Self::Gone(name) | Self::Continued(name, _) => Some(name),
            Self::Skipped(name, _) => name.as_ref(),
            Self::Failed(error) => error.object.as_ref(),
        }
    }
}

/// Evidence of one delivery, written when the file has its final name and before the source is
/// touched. [`crate::record`] is its form on paper.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Bucket and key of the source.
    pub name: ObjectName,
    /// ETag of the version that was delivered, without quotes.
    pub etag: String,
    /// Its version id; none where the bucket has no versions.
    pub version_id: Option<String>,
    /// Length in bytes.
    pub bytes: u64,
    /// The server, and how the way to it was secured.
    pub server: Server,
    /// The file's final path.
    pub remote_path: String,
    /// How it got its final name.
    pub published: Published,
    /// What the file's length was compared with.
    pub size: SizeCheck,
    /// What the bytes that were sent were compared with.
    pub checksum: ChecksumCheck,
    /// S3's own checksum of the object as S3 writes it, where it was compared: base64, of a composite one with `-` and the number of parts.
    pub checksum_s3: Option<String>,
    /// The CRC-64/NVME of all bytes, base64, as it was computed on their way.
    pub crc64nvme: String,
    /// Whether the file was read back from the server, and had the checksum of what was sent.
    pub read_back: bool,
    /// What a power cut at the server would leave.
    pub durable: Durable,
    /// SFTP channels that wrote it in this invocation, on one connection.
    pub channels: usize,
    /// How many invocations have worked at it before this one.
    pub hops: u32,
    /// Bytes of the object that this invocation sent, those that it had to send again included.
    pub bytes_sent: u64,
    /// Bytes that an earlier invocation had sent, and that were gone on from.
    pub bytes_resumed: u64,
    /// When it had its final name.
    pub at: OffsetDateTime,
    /// When the object was put, as its event told; none where there was no event.
    pub put: Option<OffsetDateTime>,
    /// How often this invocation made a connection again or began anew.
    pub retries: u32,
    /// What it took.
    pub time: Times,
}

/// The server of a delivery, as the connection showed it.
#[derive(Debug, Clone, Serialize)]
pub struct Server {
    /// Its address and port.
    pub server: String,
    /// How it introduced itself.
    pub server_identification: String,
    /// Its host key's fingerprint, `SHA256:…`.
    pub host_key: String,
    /// Whether that was compared with a key that is known (`SSH_HOST_KEY`).
    pub host_key_pinned: bool,
    /// The account.
    pub username: String,
    /// By which methods it was let in.
    pub login: String,
    /// The key exchange.
    pub key_exchange: String,
    /// By what the server's key signed it.
    pub host_key_algorithm: String,
    /// The cipher.
    pub cipher: String,
    /// The message authentication code; none where the cipher has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// What it has shown to be without, or to do in its own way, to this process: names of [`crate::profile`], with commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_quirks: Option<String>,
}

/// What a delivery took in this invocation, in seconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Times {
    /// From the first request to the final name.
    pub seconds: f64,
    /// Of that, waiting for other files of the invocation: for memory, or for the same name.
    pub seconds_waiting: f64,
    /// Opening the object, the connection and the file.
    pub seconds_opening: f64,
    /// Moving bytes.
    pub seconds_transferring: f64,
    /// Verifying what arrived, reading it back, and looking at the source once more.
    pub seconds_verifying: f64,
    /// Giving it its final name.
    pub seconds_publishing: f64,
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
            name,
            server,
            remote_path,
            bytes,
            time,
            ..
        } = self;
        write!(
            f,
            "delivered {name} to {}:{} ({bytes} bytes in {:.2} s)",
            server.server,
            Printable(remote_path),
            time.seconds
        )
    }
}

impl Server {
    pub(crate) fn of(connection: &Connection, profile: &Profile) -> Self {
        let (username, login) = connection.login();
        let negotiated = connection.negotiated();
        Self {
            server: connection.address().to_string(),
            server_identification: connection.identification(),
            host_key: connection.host_key(),
            host_key_pinned: connection.is_host_key_known(),
            username: username.to_owned(),
            login: login.to_owned(),
            key_exchange: negotiated.key_exchange,
            host_key_algorithm: negotiated.host_key,
            cipher: negotiated.cipher,
            mac: negotiated.mac,
            server_quirks: profile.with(connection),
        }
    }
}

impl From<&Timeline> for Times {
    fn from(timeline: &Timeline) -> Self {
        let spent = |stages: &[Stage]| seconds(timeline.spent(stages));
        Self {
            seconds: seconds(timeline.elapsed()),
            seconds_waiting: spent(&[Stage::Turn]),
            seconds_opening: spent(&[
                Stage::OpenSource,
                Stage::RemotePath,
                Stage::Connect,
                Stage::OpenTemporary,
                Stage::OpenFinal,
            ]),
            seconds_transferring: spent(&[Stage::Transfer]),
            seconds_verifying: spent(&[Stage::Verify, Stage::LastLook]),
            seconds_publishing: spent(&[Stage::Publish]),
        }
    }
}

/// As receipts show times.
fn seconds(duration: Duration) -> f64 {
    milliseconds(duration.as_secs_f64())
}

/// Seconds, rounded to milliseconds.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
