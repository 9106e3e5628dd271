//! An address becomes a connection with an SFTP session on it.

use std::borrow::Cow;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::{Disconnect, Limits, Preferred, SshId};
use tokio::time::{sleep, timeout};

use super::algorithms::Algorithms;
use super::channel::{Incoming, Outgoing, SubsystemRefused};
use super::client::Client;
use super::dial::Dialed;
use super::error::{CHANNEL, ConnectError, KEY_EXCHANGE, LOGIN, START, ssh};
use super::farewell::Farewell;
use super::further::Further;
use super::host_key::Pinned;
use super::inquiry::{Inquiry, Shown};
use super::login::{Credentials, Login, LoginError, Progress};
use super::seen::{Negotiated, Seen};
use super::stream::{Cut, cuttable};

/// How we introduce ourselves: RFC 4253 section 4.2.
const IDENTIFICATION: &str = concat!("SSH-2.0-s3-to-sftp_", env!("CARGO_PKG_VERSION"));

/// How long a graceful end may take before the connection is cut, and a cut before it is left to the
/// runtime: russh's task then has only a dead socket to find.
const GOODBYE: Duration = Duration::from_secs(1);

/// The most bytes that are sent or received by one set of keys: a GiB, as RFC 4253 section 9 recommends. russh allows no
/// more. It is enough by far for ciphers of 128-bit blocks, and a new exchange costs two round trips.
pub const REKEY: usize = 1 << 30;

/// Where to, as whom, and how patiently.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Account.
    pub username: String,
    /// What the server may show; none accepts anything.
    pub host_keys: Option<Pinned>,
    /// What is offered for the encryption and for signatures.
    pub algorithms: Algorithms,
    /// Bytes in one direction after which the keys are exchanged anew: at most, and by default, [`REKEY`].
    pub rekey_after: usize,
    /// For the TCP connection to each address, and for the banner.
    pub connect_timeout: Duration,
    /// For each further step, and for an SFTP session on which nothing is answered.
    pub stall_timeout: Duration,
    /// Where to write what the server shows, and whether it is asked for more of it.
    pub inquiry: Option<Inquiry>,
}

/// A connection that is logged in, with one SFTP session.
///
/// Dropping it cuts it. [`Self::close`] says goodbye first.
pub struct Connection {
    sftp: sftp::Session,
    further: Further,
    target: Target,
    handle: Handle<Client>,
    cut: CutOnDrop,
    address: SocketAddr,
    login: String,
    seen: Seen,
}

impl Connection {
    /// Connects, unless that is done, checks the host key, logs in and starts SFTP.
    ///
    /// # Errors
    ///
    /// The step that failed, with the address and the account.
    pub async fn open(
        target: &Target,
        credentials: &Credentials,
        mut dialed: Option<Dialed>,
    ) -> Result<Self, ConnectError> {
        let mut progress = Progress::new(credentials);
        if target.inquiry.is_some() {
            progress = progress.asking_first();
        }
        loop {
            let dialed = match dialed.take() {
                Some(dialed) => dialed,
                None => Dialed::new(&target.host, target.port, target.connect_timeout).await?,
            };
            match Self::log_in(target, credentials, dialed, progress).await {
                Ok(connection) => return Ok(connection),
                Err(LoginError::Connect(error)) => return Err(error),
                // Seldom, and once: another connection asks what is offered, before any credential.
                Err(LoginError::Unclear(begun)) => progress = begun.asking_first(),
            }
        }
    }

    async fn log_in(
        target: &Target,
        credentials: &Credentials,
        Dialed { tcp, address }: Dialed,
        progress: Progress,
    ) -> Result<Self, LoginError> {
        let (stream, cut) = cuttable(tcp, target.stall_timeout);
        // Whoever gives up below, by an error or by being dropped, takes the connection down.
        let guard = CutOnDrop(cut.clone());
        let seen = Seen::default();
        let client = Client {
            address,
            expected: target.host_keys.clone(),
            is_asked: target.inquiry.is_some(),
            seen: seen.clone(),
        };

        // The banner's time is a part of it.
        let patience = target.connect_timeout.max(target.stall_timeout);
        let handshake = client::connect_stream(Arc::new(config(target)), stream, client);
        let mut handle = tokio::select! {
            result = handshake => result.map_err(|error| error.at(address, target, &seen.farewell))?,
            () = no_banner(&cut, target.connect_timeout) => {
                return Err(ConnectError::NoBanner { address, after: target.connect_timeout }.into());
            }
            () = sleep(patience) => {
                return Err(ConnectError::Silent { address, step: KEY_EXCHANGE, after: patience }.into());
            }
        };
        let silent = |step| {
            let after = target.stall_timeout;
            move |_| ConnectError::Silent {
                address,
                step,
                after,
            }
        };
        if let Some(inquiry) = &target.inquiry {
            inquiry.shows(Shown {
                address,
                username: target.username.clone(),
                identification: cut.identification(),
                negotiated: seen.negotiated().clone(),
                host_key: seen.host_key().clone(),
                is_host_key_known: target.host_keys.is_some(),
                offered: None,
                login: None,
            });
        }
        let login = Login {
            handle: &mut handle,
            address,
            username: &target.username,
            credentials,
            algorithms: &target.algorithms,
            farewell: &seen.farewell,
            inquiry: target.inquiry.as_ref(),
            // `auth2.c` builds it from the configuration, whatever was tried.
            lists_all: cut.identification().starts_with("SSH-2.0-OpenSSH_"),
        };
        let login = timeout(target.stall_timeout, login.run(progress))
            .await
            .map_err(silent(LOGIN))??;
        if let Some(inquiry) = &target.inquiry {
            inquiry.lets_in(login.clone());
        }
        let sftp = timeout(
            target.stall_timeout,
            start_sftp(&handle, target, address, &seen.farewell),
        )
        .await
        .map_err(silent(START))??;

        Ok(Self {
            sftp,
            further: Further::new(),
            target: target.clone(),
            handle,
            cut: guard,
            address,
            login,
            seen,
        })
    }

    /// The SFTP session.
    pub fn sftp(&self) -> &sftp::Session {
        &self.sftp
    }

    /// Further sessions on this connection, at most `wanted`: those that nobody uses, and new ones where there are too
    /// few and the server bears more.
    pub async fn further(&self, wanted: usize) -> Vec<Arc<sftp::Session>> {
        let open = || async {
            let patience = self.target.stall_timeout;
            let starting = start_sftp(
                &self.handle,
                &self.target,
                self.address,
                &self.seen.farewell,
            );
            let silent = |_| ConnectError::Silent {
                address: self.address,
                step: "the start of SFTP on another channel",
                after: patience,
            };
            timeout(patience, starting).await.map_err(silent)?
        };
        self.further.take(wanted, open).await
    }

    /// Sessions that the server bears beside the first one, as far as that is known.
    pub fn most_further(&self) -> usize {
        self.further.most()
    }

    /// The same, where the server has borne fewer than were asked for.
    pub fn known_limit(&self) -> Option<usize> {
        self.further.known_limit()
    }

    /// From now on no more than so many are opened.
    pub fn limit_further(&self, most: usize) {
        self.further.limit(most);
    }

    /// How the server has introduced itself: `SSH-2.0-OpenSSH_9.2p1 Debian-2`.
    pub fn identification(&self) -> String {
        self.cut.0.identification()
    }

    /// The address that took the connection.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The fingerprint of the host key that the server proved, `SHA256:…`.
    pub fn host_key(&self) -> String {
        self.seen.host_key().fingerprint.clone()
    }

    /// The account, and by which methods it was let in: `publickey (ssh-ed25519), then password`.
    pub fn login(&self) -> (&str, &str) {
        (&self.target.username, &self.login)
    }

    /// Whether the host key was compared with one that is known; else any was accepted.
    pub fn is_host_key_known(&self) -> bool {
        self.target.host_keys.is_some()
    }

    /// The algorithms in use.
    pub fn negotiated(&self) -> Negotiated {
        self.seen.negotiated().clone()
    }

    /// Whether the connection has ended, or its SFTP session.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed() || self.sftp.is_closed()
    }

    /// Whether nothing is under way: whoever finds it so later goes on with it as if it were new.
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.is_closed() && self.sftp.outstanding() == 0 && self.further.are_at_rest()
    }

    /// Whether the server answers anything at all within `time`: it may have gone while nobody was looking.
    pub(crate) async fn answers_within(&self, time: Duration) -> bool {
        match timeout(time, self.sftp.stat(".")).await {
            Ok(Ok(_)) => true,
            // A refusal is an answer.
            Ok(Err(error)) => error.status().is_some(),
            Err(_) => false,
        }
    }

    /// Cuts the connection and waits until its task has ended: nothing of it is sent any more.
    pub async fn cut(&self) {
        self.cut.0.cut();
        if timeout(GOODBYE, self.cut.0.wait()).await.is_err() {
            tracing::warn!(address = %self.address, "the connection's task has not ended after a cut");
        }
    }

    /// Ends the connection. With requests outstanding, or a session that ended with some, it is cut, or
    /// the server might still carry them out; without, it is told goodbye, and has closed its end when this returns:
    /// whoever is called next, in another process perhaps, is not one connection more to a partner who counts them.
    pub async fn close(&self) {
        if self.is_at_rest() {
            self.cut.0.wait_for_peer();
            let goodbye = async {
                // A server that is gone already needs no goodbye.
                _ = self
                    .handle
                    .disconnect(Disconnect::ByApplication, "", "")
                    .await;
                self.cut.0.wait().await;
            };
            if timeout(GOODBYE, goodbye).await.is_ok() {
                return;
            }
        }
        self.cut().await;
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Cuts when dropped, so that no way out of a function leaves a connection behind.
struct CutOnDrop(Cut);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// Ends when the server has been silent from the start; never where it has sent a byte.
async fn no_banner(cut: &Cut, after: Duration) {
    sleep(after).await;
    if cut.received() > 0 {
        pending::<()>().await;
    }
}

async fn start_sftp(
    handle: &Handle<Client>,
    target: &Target,
    address: SocketAddr,
    farewell: &Farewell,
) -> Result<sftp::Session, ConnectError> {
    let refused = |source| ConnectError::SftpRefused {
        address,
        username: target.username.clone(),
        source,
    };
    let channel = handle
        .channel_open_session()
        .await
        .map_err(|error| match error {
            russh::Error::ChannelOpenFailure(_) => refused(error.into()),
            source => ssh(address, CHANNEL, source),
        })?;
    channel
        .request_subsystem(true, "sftp")
        .await
        .map_err(|source| ssh(address, START, source))?;
    let (incoming, outgoing) = channel.split();
    let options = sftp::Options {
        stall_timeout: target.stall_timeout,
    };
    // The version is sent right behind the request for the subsystem: one round trip for both.
    let incoming = Incoming(incoming, farewell.clone());
    let outgoing = Outgoing(outgoing, farewell.clone());
    match sftp::Session::start(incoming, outgoing, options).await {
        Ok(session) => Ok(session),
        // It let us in, and refused nothing.
        Err(sftp::Error::Stalled(after)) => Err(ConnectError::Silent {
            address,
            step: START,
            after,
        }),
        Err(sftp::Error::Io(error))
            if error
                .get_ref()
                .is_some_and(|it| it.is::<SubsystemRefused>()) =>
        {
            Err(refused(SubsystemRefused.into()))
        }
        // Not the channel alone has ended: that says nothing of what the server allows.
        Err(sftp::Error::Closed | sftp::Error::Io(_)) if handle.is_closed() => {
            Err(ssh(address, START, russh::Error::Disconnect))
        }
        Err(error) => Err(refused(error.into())),
    }
}

fn config(target: &Target) -> client::Config {
    client::Config {
        client_id: SshId::Standard(Cow::Borrowed(IDENTIFICATION)),
        preferred: preferred(&target.algorithms, target.host_keys.as_ref()),
        gex: target.algorithms.group_exchange(),
        limits: limits(target.rekey_after),
        // A server that is alive answers a keepalive. russh gives up when the fourth would be due and
        // none of three is answered, which then is the stall time-out.
        keepalive_interval: Some(target.stall_timeout / 4),
        keepalive_max: 3,
        // What comes in are answers of some bytes: small windows keep a hostile server's out.
        window_size: 1024 * 1024,
        channel_buffer_size: 16,
        ..client::Config::default()
    }
}

/// At most what russh allows, which panics beyond it.
fn limits(bytes: usize) -> Limits {
    let bytes = bytes.min(REKEY);
    Limits::new(bytes, bytes, Limits::default().rekey_time_limit)
}

/// A pinned key's type before all others, so that the server proves the key that is pinned and not another that it
/// also has. Certificates only where an authority is pinned: a server that has one shows it in place of its key.
fn preferred(algorithms: &Algorithms, pinned: Option<&Pinned>) -> Preferred {
    let mut preferred = algorithms.preferred();
    let keys = preferred.key.to_mut();
    let certificates = pinned.map_or_else(Vec::new, |pinned| pinned.put_in_order(keys));
    preferred.host_key_certificates = Cow::Owned(certificates);
    preferred
}
