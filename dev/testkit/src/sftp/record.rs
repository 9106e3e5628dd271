//! What the server saw: the part that tests assert on.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::hook::{Action, Hook};
use super::request::{Operation, Request};

/// How somebody tried to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The question that clients begin with to learn the methods: no credential.
    None,
    /// A password was sent.
    Password,
    /// A public key was shown, "would you take this one?": no credential yet.
    PublicKeyOffer,
    /// A signature of a private key was sent.
    PublicKey,
    /// A question of keyboard-interactive was answered.
    KeyboardInteractive,
}

/// One try to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAttempt {
    /// The user that was named.
    pub user: String,
    /// How.
    pub method: Method,
    /// Whether it was enough, or for one of two methods a part of it.
    pub accepted: bool,
}

impl LoginAttempt {
    /// Whether something secret, or proof of it, was sent: what a partner counts before it locks the account.
    pub fn is_credential(&self) -> bool {
        matches!(
            self.method,
            Method::Password | Method::PublicKey | Method::KeyboardInteractive
        )
    }
}

/// Everything that one server saw, and the hooks, which are asked where it is seen.
#[derive(Default)]
pub(super) struct Record {
    logins: Mutex<Vec<LoginAttempt>>,
    identifications: Mutex<Vec<String>>,
    requests: Mutex<Requests>,
    violations: Mutex<Vec<String>>,
    open: Mutex<BTreeMap<u64, String>>,
    cuts: Mutex<HashMap<u64, CancellationToken>>,
    hooks: Mutex<Vec<Arc<Hook>>>,
    connections: AtomicU64,
    channels: AtomicU64,
    handles: AtomicU64,
    refused_channels: AtomicU64,
    longest_data: AtomicUsize,
}

#[derive(Default)]
struct Requests {
    log: Vec<Request>,
    counts: HashMap<Operation, u64>,
}

impl Record {
    /// A new connection: its number, and what cuts it.
    pub(super) fn connect(&self) -> (u64, CancellationToken) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let cut = CancellationToken::new();
        lock(&self.cuts).insert(number, cut.clone());
        (number, cut)
    }

    pub(super) fn disconnected(&self, connection: u64) {
        lock(&self.cuts).remove(&connection);
    }

    pub(super) fn cut_all(&self) {
        for cut in lock(&self.cuts).values() {
            cut.cancel();
        }
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn open_connections(&self) -> usize {
        lock(&self.cuts).len()
    }

    pub(super) fn next_channel(&self) -> u64 {
        self.channels.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(super) fn refused_channel(&self) {
        self.refused_channels.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn refused_channels(&self) -> u64 {
        self.refused_channels.load(Ordering::SeqCst)
    }

    /// So many bytes came in one CHANNEL_DATA.
    pub(super) fn received(&self, bytes: usize) {
        self.longest_data.fetch_max(bytes, Ordering::SeqCst);
    }

    pub(super) fn longest_data(&self) -> usize {
        self.longest_data.load(Ordering::SeqCst)
    }

    pub(super) fn identified(&self, identification: String) {
        lock(&self.identifications).push(identification);
    }

    pub(super) fn identifications(&self) -> Vec<String> {
        lock(&self.identifications).clone()
    }

    pub(super) fn login(&self, user: &str, method: Method, accepted: bool) {
        lock(&self.logins).push(LoginAttempt {
            user: user.into(),
            method,
            accepted,
        });
    }

    pub(super) fn logins(&self) -> Vec<LoginAttempt> {
        lock(&self.logins).clone()
    }

    /// Logs a request and says what the hooks make of it: the newest first, the first that has an opinion wins.
    pub(super) fn request(&self, mut request: Request) -> Action {
        {
            let mut requests = lock(&self.requests);
            let count = requests.counts.entry(request.operation).or_default();
            *count += 1;
            request.number = *count;
            requests.log.push(request.clone());
        }
        // Copied out: a hook may register a further one.
        let hooks: Vec<_> = lock(&self.hooks).iter().rev().cloned().collect();
        hooks
            .iter()
            .map(|hook| hook(&request))
            .find(|action| !matches!(action, Action::Pass))
            .unwrap_or(Action::Pass)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        lock(&self.requests).log.clone()
    }

    pub(super) fn forget_requests(&self) {
        lock(&self.requests).log.clear();
    }

    pub(super) fn hook(&self, hook: Hook) {
        lock(&self.hooks).push(Arc::new(hook));
    }

    pub(super) fn clear_hooks(&self) {
        lock(&self.hooks).clear();
    }

    pub(super) fn violation(&self, what: impl Into<String>) {
        lock(&self.violations).push(what.into());
    }

    pub(super) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// A new handle's number. No two of a server are alike, so that one used on the wrong channel is found out.
    pub(super) fn opened(&self, path: String) -> u64 {
        let number = self.handles.fetch_add(1, Ordering::SeqCst);
        lock(&self.open).insert(number, path);
        number
    }

    pub(super) fn closed(&self, handle: u64) {
        lock(&self.open).remove(&handle);
    }

    pub(super) fn open_handles(&self) -> Vec<String> {
        lock(&self.open).values().cloned().collect()
    }
}

/// A hook that panicked has failed its test already; the record stays readable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
