//! What a connection's task has seen of the server, for whoever holds the connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::{Names, mac};

use super::farewell::Farewell;

/// The algorithms that the two sides agreed on, as they are called on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Negotiated {
    /// The key exchange.
    pub key_exchange: String,
    /// By what the server's key signed it.
    pub host_key: String,
    /// The cipher, in both directions.
    pub cipher: String,
    /// The message authentication code, client to server; none where the cipher has one of its own.
    pub mac: Option<String>,
    /// Whether the key exchange was strict: no packet can have been taken out of it (Terrapin, CVE-2023-48795).
    pub is_strict: bool,
    /// How many times keys were exchanged.
    pub exchanges: u32,
}

/// The key that the server proved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostKey {
    /// `SHA256:…`.
    pub fingerprint: String,
    /// `ssh-ed25519 AAAA…`, as `SSH_HOST_KEY` takes it.
    pub line: String,
}

/// What russh's task has seen of the server.
#[derive(Clone, Default)]
pub(super) struct Seen {
    host_key: Arc<Mutex<HostKey>>,
    negotiated: Arc<Mutex<Negotiated>>,
    pub(super) farewell: Farewell,
}

impl Seen {
    pub(super) fn host_key(&self) -> MutexGuard<'_, HostKey> {
        self.host_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn negotiated(&self) -> MutexGuard<'_, Negotiated> {
        self.negotiated
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys were exchanged, for the first time or anew.
    pub(super) fn agreed(&self, address: SocketAddr, names: &Names) {
        let text = |name: &str| name.to_owned();
        // russh tells one for these, too, and does not use it.
        let has_own = |cipher: &str| cipher.contains("-gcm") || cipher.contains("poly1305");
        let has_mac = names.client_mac != mac::NONE && !has_own(names.cipher.as_ref());
        let mut negotiated = self.negotiated();
        *negotiated = Negotiated {
            key_exchange: text(names.kex.as_ref()),
            host_key: names.key.to_string(),
            cipher: text(names.cipher.as_ref()),
            mac: has_mac.then(|| text(names.client_mac.as_ref())),
            is_strict: names.strict_kex(),
            exchanges: negotiated.exchanges + 1,
        };
        tracing::debug!(
            %address,
            key_exchange = negotiated.key_exchange,
            host_key = negotiated.host_key,
            cipher = negotiated.cipher,
            mac = negotiated.mac,
            strict = negotiated.is_strict,
            "keys are exchanged",
        );
    }
}
