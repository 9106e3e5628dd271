//! The running server, and what tests ask it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::server::{Config, run_stream};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::builder::Builder;
use super::hook::Action;
use super::ramp::{Ramps, Written};
use super::record::{LoginAttempt, Record};
use super::request::{Operation, Request};
use super::session::{Connection, Rules};
use super::socket::Socket;
use crate::account::Account;
use crate::servers::thread::ServerThread;

/// An SFTP server in this process, on a free port of loopback, until it is dropped.
pub struct SftpServer {
    account: Account,
    facts: Facts,
    root: PathBuf,
    record: Arc<Record>,
    /// Ended before the directory is removed: fields are dropped in order.
    _thread: ServerThread,
    /// Removed with the server.
    _temporary: Option<TempDir>,
}

/// What is known of the server before it runs.
pub(super) struct Facts {
    pub(super) host_key: String,
    pub(super) fingerprint: String,
    pub(super) ramps: Option<Arc<Ramps>>,
}

impl SftpServer {
    /// A server as OpenSSH's, with one user `acme`, the password `secret`, a key of its own and an empty directory.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Variations.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// What a client needs to log in.
    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.account.port
    }

    /// The host key, one line `ssh-ed25519 AAAA…`.
    pub fn host_key(&self) -> &str {
        &self.facts.host_key
    }

    /// The host key's fingerprint, `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.facts.fingerprint
    }

    /// The login directory on this machine's disk.
    pub fn home(&self) -> &Path {
        &self.account.home
    }

    /// What clients see as `/`, on this machine's disk; the same as [`home`](Self::home) unless a login directory was given.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Asks `hook` about every request from now on. The newest hook is asked first; the first that does not pass wins.
    pub fn hook(&self, hook: impl Fn(&Request) -> Action + Send + Sync + 'static) {
        self.record.hook(Box::new(hook));
    }

    /// Forgets all hooks.
    pub fn clear_hooks(&self) {
        self.record.clear_hooks();
    }

    /// Every try to log in, in order.
    pub fn logins(&self) -> Vec<LoginAttempt> {
        self.record.logins()
    }

    /// How many times something secret, or proof of it, was sent.
    pub fn credentials_sent(&self) -> usize {
        self.logins()
            .iter()
            .filter(|login| login.is_credential())
            .count()
    }

    /// How many TCP connections there have been.
    pub fn connections(&self) -> u64 {
        self.record.connections()
    }

    /// How many TCP connections there are.
    pub fn open_connections(&self) -> usize {
        self.record.open_connections()
    }

    /// How many channels were asked for in vain.
    pub fn refused_channels(&self) -> u64 {
        self.record.refused_channels()
    }

    /// The most bytes that came in one CHANNEL_DATA.
    pub fn longest_data(&self) -> usize {
        self.record.longest_data()
    }

    /// How the clients introduced themselves, `SSH-2.0-…`, in order.
    pub fn identifications(&self) -> Vec<String> {
        self.record.identifications()
    }

    /// Every request, in the order in which they were taken up.
    pub fn requests(&self) -> Vec<Request> {
        self.record.requests()
    }

    /// Begins the log anew, which a very large file fills. [`Request::number`] counts on.
    pub fn forget_requests(&self) {
        self.record.forget_requests();
    }

    /// The requests of one operation.
    pub fn requests_of(&self, operation: Operation) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(|request| request.operation == operation)
            .collect()
    }

    /// The paths of the files and directories that are open.
    pub fn open_handles(&self) -> Vec<String> {
        self.record.open_handles()
    }

    /// What clients did against the protocol: malformed packets, handles that are not theirs.
    pub fn violations(&self) -> Vec<String> {
        self.record.violations()
    }

    /// What was written to the file `name` below [`root`](Self::root), on a server that
    /// [verifies](Builder::verify_ramp); none where there is no such file.
    ///
    /// # Panics
    ///
    /// On a server that stores.
    pub fn written(&self, name: &str) -> Option<Written> {
        let ramps = self.facts.ramps.as_ref().expect("a server that verifies");
        let metadata = std::fs::metadata(self.root.join(name)).ok()?;
        Some(ramps.written(&metadata))
    }

    /// Cuts all connections, as a crash would.
    pub fn disconnect_all(&self) {
        self.record.cut_all();
    }

    pub(super) fn run(
        mut account: Account,
        facts: Facts,
        config: Config,
        rules: Rules,
        record: Arc<Record>,
        temporary: Option<TempDir>,
        port: u16,
    ) -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))
            .expect("a port of loopback can be bound");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        account.port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();

        let root = rules.root.disk().to_owned();
        let accept = accept(
            listener,
            Arc::new(config),
            Arc::new(rules),
            Arc::clone(&record),
        );
        let thread = ServerThread::start("sftp-server", accept);
        Self {
            account,
            facts,
            root,
            record,
            _thread: thread,
            _temporary: temporary,
        }
    }
}

async fn accept(
    listener: StdListener,
    config: Arc<Config>,
    rules: Arc<Rules>,
    record: Arc<Record>,
) {
    let listener = TcpListener::from_std(listener).expect("a listening socket can be registered");
    // An error of accept is one client's: it went away before it was taken.
    loop {
        let Ok((stream, _)): Result<(_, SocketAddr), _> = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        let (number, cut) = record.connect();
        let socket = Socket::new(stream, cut.clone(), Arc::clone(&record));
        let connection = Connection::new(Arc::clone(&rules), Arc::clone(&record), cut, number);
        let (config, record) = (Arc::clone(&config), Arc::clone(&record));
        tokio::spawn(async move {
            // How a connection ended is the client's to judge.
            if let Ok(session) = run_stream(config, socket, connection).await {
                session.await.ok();
            }
            record.disconnected(number);
        });
    }
}
