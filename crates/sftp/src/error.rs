//! What can go wrong on an SFTP session.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::packet::{Status, StatusCode};

/// The result of an SFTP request.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request has no good answer. Cheap to clone: when a session ends, every request that waits
/// gets the same reason.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The server answered with a status other than OK: this request failed, the session goes on.
    #[error(transparent)]
    Status(#[from] Status),
    /// The stream ended while answers were outstanding, or a request came after its end.
    #[error("the server closed the SFTP channel")]
    Closed,
    /// The stream failed.
    #[error("the SFTP stream broke")]
    Io(#[source] Arc<io::Error>),
    /// Requests were outstanding and nothing was answered for this long.
    #[error("the server answered nothing for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The server acknowledged a write and stored less of it. What follows on this session is written
    /// in the draft's length, which every server stores.
    #[error("the server acknowledged {sent} bytes and stored {stored}")]
    CutShort {
        /// Bytes that were written.
        sent: u64,
        /// Bytes that are there.
        stored: u64,
    },
    /// The server appends every write, whatever its offset: a file cannot be gone on with here.
    #[error("the server appends what should go before byte {end}: the file has {stored} bytes")]
    Appended {
        /// Where the write should have ended.
        end: u64,
        /// The file's length after it.
        stored: u64,
    },
    /// The server does not tell a file's length behind the first large write, so that nobody knows what it
    /// stored. What follows on this session is written in the draft's length, which every server stores.
    #[error("the server does not tell how much of a large write it stored")]
    NotTold,
    /// Handles on one file do not see each other's writes: only one channel may write to it here.
    #[error("the server keeps a copy of the file for each handle, or cuts it at every OPEN")]
    NotShared,
    /// A write was refused while several channels of the connection were in use, at a server that nobody knows to bear
    /// them: mod_sftp answers "Invalid handle" then.
    #[error("the server does not bear several channels: {0}")]
    SeveralRefused(Status),
    /// A write was refused while others were on their way, before a window of them was acknowledged: some servers take one
    /// at a time.
    #[error("the server refuses writes that are sent before the one before is answered: {0}")]
    TogetherRefused(Status),
    /// The first write to a file that is gone on with was refused: this server writes from the beginning, in order.
    #[error("the server does not go on with a file: {0}")]
    NotGoneOnWith(Status),
    /// The server does not speak SFTP version 3 as we know it. The session is over.
    #[error("not SFTP as in draft-ietf-secsh-filexfer-02: {0}")]
    Protocol(String),
}

impl Error {
    /// The status with which the server refused; none when the session itself failed.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Whether the server refused with this code.
    pub fn is(&self, code: StatusCode) -> bool {
        self.status().is_some_and(|status| status.code == code)
    }

    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol(what.into())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
