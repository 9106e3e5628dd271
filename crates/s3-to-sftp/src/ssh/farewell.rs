//! What a server says when it ends a connection (RFC 4253, section 11.1).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::client::RemoteDisconnectInfo;

use super::foreign::said;

/// Filled where russh's task hears of it, and read where the end is noticed.
#[derive(Debug, Clone, Default)]
pub(super) struct Farewell(Arc<Mutex<Option<String>>>);

impl Farewell {
    pub(super) fn hear(&self, info: &RemoteDisconnectInfo) {
        let text = said(&info.message);
        let text = if text.is_empty() {
            format!("{:?}", info.reason_code)
        } else {
            text
        };
        *self.lock() = Some(text);
    }

    /// The server's words; none where it only closed the connection.
    pub(super) fn said(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
