//! A server's verdict on one request.

use std::fmt;

use crate::error::Result;
use crate::wire::Fields;

/// The number of a status: draft section 7 names 0 to 8, and servers send others. It is kept as it
/// came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusCode(pub u32);

impl StatusCode {
    /// Done.
    pub const OK: Self = Self(0);
    /// End of file, or of a directory.
    pub const EOF: Self = Self(1);
    /// The file, or a directory above it, does not exist.
    pub const NO_SUCH_FILE: Self = Self(2);
    /// The account may not do this.
    pub const PERMISSION_DENIED: Self = Self(3);
    /// Anything else: a full disk, a name that exists.
    pub const FAILURE: Self = Self(4);
    /// The server does not know this request, or refuses it as a matter of policy.
    pub const OP_UNSUPPORTED: Self = Self(8);

    /// The draft's name for it.
    pub fn name(self) -> &'static str {
        match self.0 {
            0 => "OK",
            1 => "EOF",
            2 => "NO_SUCH_FILE",
            3 => "PERMISSION_DENIED",
            4 => "FAILURE",
            5 => "BAD_MESSAGE",
            6 => "NO_CONNECTION",
            7 => "CONNECTION_LOST",
            8 => "OP_UNSUPPORTED",
            _ => "not in the draft",
        }
    }
}

/// Bytes of a server's words that are kept.
const MESSAGE: usize = 500;

/// A status with the text that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The number.
    pub code: StatusCode,
    /// The server's words; empty where it sent none. What is no UTF-8 is replaced.
    pub message: String,
}

impl Status {
    /// Reads a status. Draft versions before 3 had neither message nor language tag, and some
    /// servers still leave them out.
    ///
    /// Of the words only the beginning is kept: they end in logs and in Lambda's answer, and a packet
    /// has room for 256 KiB of them.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self> {
        let code = StatusCode(fields.u32()?);
        let message = fields
            .string()
            .map(|message| {
                String::from_utf8_lossy(&message[..message.len().min(MESSAGE)])
                    .trim_end_matches('\0')
                    .to_owned()
            })
            .unwrap_or_default();
        Ok(Self { code, message })
    }
}

impl std::error::Error for Status {}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is the server's: it must not be able to forge a line of the log.
        if !self.message.is_empty() {
            write!(f, "{} ", self.message.escape_debug())?;
        }
        write!(f, "(SFTP status {}, {})", self.code.0, self.code.name())
    }
}
