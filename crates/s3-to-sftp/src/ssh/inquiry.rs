//! What a server has shown of itself, for whoever asks, and also where no connection comes of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::seen::{HostKey, Negotiated};

/// A target with one is asked which logins it offers before it is offered any: one round trip more, and no credential
/// (method `none`, RFC 4252 section 5.2).
#[derive(Debug, Clone, Default)]
pub struct Inquiry(Arc<Mutex<Option<Shown>>>);

/// What is known once keys are exchanged.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which of its addresses took the connection.
    pub address: SocketAddr,
    /// The account.
    pub username: String,
    /// `SSH-2.0-OpenSSH_9.2p1 Debian-2`.
    pub identification: String,
    /// The algorithms.
    pub negotiated: Negotiated,
    /// The key that it proved.
    pub host_key: HostKey,
    /// Whether that was compared with one that is known; else any was accepted.
    pub is_host_key_known: bool,
    /// The methods of logging in; none before it has answered that.
    pub offered: Option<String>,
    /// The methods by which the account was let in; none before it is.
    pub login: Option<String>,
}

impl Inquiry {
    /// None where it went no further than the key exchange.
    pub fn shown(&self) -> Option<Shown> {
        self.lock().clone()
    }

    pub(super) fn shows(&self, shown: Shown) {
        *self.lock() = Some(shown);
    }

    pub(super) fn offers(&self, methods: String) {
        if let Some(shown) = &mut *self.lock() {
            shown.offered = Some(methods);
        }
    }

    pub(super) fn lets_in(&self, by: String) {
        if let Some(shown) = &mut *self.lock() {
            shown.login = Some(by);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
