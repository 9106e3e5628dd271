//! Why a connection has ended: what the server says when it ends it (RFC 4253, section 11.1), or what broke.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::client::RemoteDisconnectInfo;

use super::foreign::said;

/// Filled where russh's task hears of it, and read where the end is noticed.
#[derive(Debug, Clone, Default)]
pub(super) struct Farewell(Arc<Mutex<End>>);

#[derive(Debug, Default)]
struct End {
    said: Option<String>,
    broke: Option<(io::ErrorKind, String)>,
}

impl Farewell {
    pub(super) fn hear(&self, info: &RemoteDisconnectInfo) {
        let text = said(&info.message);
        let text = if text.is_empty() {
            format!("{:?}", info.reason_code)
        } else {
            text
        };
        self.lock().said = Some(text);
    }

    /// The connection's task has ended by this error.
    pub(super) fn broke(&self, error: &russh::Error) {
        let kind = match error {
            russh::Error::IO(error) => error.kind(),
            russh::Error::KeepaliveTimeout => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        let text = match error {
            // russh tells neither of whom nor of what.
            russh::Error::KeepaliveTimeout => "the server does not answer keepalives".to_owned(),
            error => said(&error.to_string()),
        };
        self.lock().broke = Some((kind, text));
    }

    /// What broke, for whoever finds the end of the connection and not its reason.
    pub(super) fn error(&self) -> Option<io::Error> {
        let (kind, text) = self.lock().broke.clone()?;
        Some(io::Error::new(kind, text))
    }

    /// The server's words; none where it only closed the connection.
    pub(super) fn said(&self) -> Option<String> {
        self.lock().said.clone()
    }

    fn lock(&self) -> MutexGuard<'_, End> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
