//! What one invocation leaves to the next: a message to the own queue, or to the function itself.
//!
//! Progress costs no receive and no retry: the invocation that hands over has succeeded. What cannot be
//! handed over is a failure, and the item is tried again by whoever sent it.

use std::error::Error;
use std::future::Future;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::object::{ObjectName, ObjectVersion};
use crate::source::Checkpoint;

/// The number of this layout. A message of another one is refused, and says so.
const LAYOUT: u32 = 1;

/// The most invocations that may work at one object. With the least progress that each has to make, a
/// thousandth of the object, no chain needs more.
pub const MAX_HOPS: u32 = 1000;

/// The name under which a hand-over stands in its message.
pub(crate) const FIELD: &str = "s3-to-sftp";

/// An object that is to be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    layout: u32,
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// How many invocations have worked at it.
    pub hop: u32,
    /// When the object was put, as its event told: seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put: Option<i64>,
    /// Where to go on; none where nothing was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Begun>,
}

/// A transfer in its middle: its writes are acknowledged, synced where the server can, and its handle is
/// closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    size: u64,
    /// In seconds since 1970.
    last_modified: i64,
    /// Whose temporary it is. Its name is computed from this: a message cannot name a file of its own choice.
    pub owner: String,
    /// How far the source was read, and the checksum's state there.
    pub from: Checkpoint,
    /// The file has to be read back up to [`Self::from`], and that is how far it has been: before it is gone on
    /// with, since the connection broke that wrote it, or before it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readback: Option<ReadbackState>,
}

/// A file that is being read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadbackState {
    /// Up to here it has been read.
    pub offset: u64,
    /// The checksum's state there.
    pub state: String,
}

/// Why a message is no hand-over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandOverRefused {
    /// Fields are missing, or of other types.
    #[error("it cannot be read ({0})")]
    Malformed(String),
    /// Another release wrote it.
    #[error("it is of layout {0}, this release reads {LAYOUT}")]
    Layout(u32),
    /// No chain is that long.
    #[error("it says {0} invocations have worked at it, and {MAX_HOPS} are the most")]
    Hops(u32),
    /// Others may write to a topic or a bus than to the function's queue.
    #[error(
        "it came by a topic or by EventBridge, and is taken from a queue or an invocation only"
    )]
    Place,
}

impl HandOver {
    /// An object whose turn did not come, as it came.
    pub(crate) fn unchanged(name: &ObjectName, hop: u32, begun: Option<Begun>) -> Self {
        Self {
            layout: LAYOUT,
            bucket: name.bucket.clone(),
            key: name.key.clone(),
            hop,
            put: None,
            begun,
        }
    }

    /// An object that nobody has begun: what its own event would say, with the key as it is.
    pub fn unbegun(name: &ObjectName) -> Self {
        Self::unchanged(name, 0, None)
    }

    /// A transfer that goes on in the next invocation.
    pub(crate) fn begun(
        version: &ObjectVersion,
        hop: u32,
        owner: String,
        from: Checkpoint,
        readback: Option<ReadbackState>,
    ) -> Self {
        Self::unchanged(
            &version.name,
            hop,
            Some(Begun {
                etag: version.etag.clone(),
                version_id: version.version_id.clone(),
                size: version.size,
                last_modified: version.last_modified.unix_timestamp(),
                owner,
                from,
                readback,
            }),
        )
    }

    /// The same, with the time that the object's event told.
    pub(crate) fn put_at(self, time: Option<OffsetDateTime>) -> Self {
        let put = time.map(OffsetDateTime::unix_timestamp);
        Self { put, ..self }
    }

    /// The object.
    pub fn name(&self) -> ObjectName {
        ObjectName {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
        }
    }

    /// The message: one JSON object that [`crate::event::parse`] knows again.
    pub fn message(&self) -> String {
        serde_json::json!({ FIELD: self }).to_string()
    }

    /// Reads what stands under [`FIELD`]. Whatever a delivery does not believe anyway is not judged here.
    pub(crate) fn read(value: serde_json::Value) -> Result<Self, HandOverRefused> {
        let read: Self = serde_json::from_value(value)
            .map_err(|error| HandOverRefused::Malformed(error.to_string()))?;
        if read.layout != LAYOUT {
            return Err(HandOverRefused::Layout(read.layout));
        }
        if read.hop > MAX_HOPS {
            return Err(HandOverRefused::Hops(read.hop));
        }
        Ok(read)
    }
}

impl Begun {
    /// Up to where the file is known to be what was sent, and to stay so: synced, or read back.
    pub(crate) fn proven(&self) -> ReadbackState {
        self.readback.clone().unwrap_or_else(|| ReadbackState {
            offset: self.from.offset(),
            state: self.from.own_state().to_owned(),
        })
    }

    /// The version that was begun; none where the message says what cannot be.
    pub(crate) fn version(&self, name: &ObjectName) -> Option<ObjectVersion> {
        Some(ObjectVersion {
            name: name.clone(),
            etag: self.etag.clone(),
            version_id: self.version_id.clone(),
            size: self.size,
            last_modified: OffsetDateTime::from_unix_timestamp(self.last_modified).ok()?,
        })
    }
}

/// Who takes hand-overs.
pub trait Relay: Send + Sync {
    /// Whether there is anybody at all. Where not, an invocation uses its time to the end.
    fn is_there(&self) -> bool {
        true
    }

    /// Sends a message. When this returns well, the next invocation is certain.
    fn send(&self, message: &str) -> impl Future<Output = Result<(), RelayError>> + Send;
}

/// Why a hand-over was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The function may not send it.
    #[error("sending it is not allowed")]
    Denied {
        /// The permission that would help: `sqs:SendMessage on arn:…`.
        permission: String,
        /// The answer.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Anything else.
    #[error("it could not be sent")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// No one: a command line has no next invocation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Relay for Nobody {
    fn is_there(&self) -> bool {
        false
    }

    async fn send(&self, _message: &str) -> Result<(), RelayError> {
        Err(RelayError::Failed("there is no next invocation".into()))
    }
}
