//! The way to the partner for one invocation: one connection, shared by the records that are on their way, and with the
//! other invocations that this process is at work on.

mod credentials;
mod host_keys;
mod open;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::breaker::Breaker;
use crate::error::{Cause, Error, Scope, Stage, Verdict};
use crate::kept::{Idle, Kept, Left, Part};
use crate::profile::{Finding, Profile};
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::source::S3;
use crate::ssh::{Connection, Inquiry};
pub(crate) use credentials::Login;
use credentials::Stores;

/// One connection at a time: the one that was kept, or one that is made when it is first needed.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    settings: &'a Settings,
    stores: Stores<'a>,
    breaker: &'a Breaker,
    kept: &'a Kept,
    /// Held while a connection is made: whoever else needs one waits, and gets the same answer.
    state: Mutex<State>,
    /// Whether a delivery has ended in a way after which the connection is not to be kept.
    is_spoilt: AtomicBool,
    inquiry: Option<Inquiry>,
}

#[derive(Debug, Default)]
struct State {
    way: Way,
    /// What the server has taken in this invocation, or is to be offered next.
    login: Option<Login>,
}

#[derive(Debug, Default)]
enum Way {
    /// Nobody has asked for one yet.
    #[default]
    Untried,
    /// It is from an earlier invocation, and may have died since.
    Unproven(Idle),
    Closed,
    Open(Part),
    /// The destination failed. It is not asked again in this invocation, however long that lasts, and
    /// not in the next ones while the [`Breaker`] is open.
    Failed {
        report: String,
        verdict: Verdict,
        name: &'static str,
    },
}

impl Way {
    /// What need not be asked again: the connection that is open, unless it is `broken`, or the failure.
    fn told(&self, broken: Option<&Arc<Connection>>) -> Option<Connected> {
        match self {
            Self::Open(part) => {
                let connection = part.connection();
                let is_broken = broken.is_some_and(|it| Arc::ptr_eq(it, connection));
                (!is_broken && !connection.is_closed()).then(|| Ok(Arc::clone(connection)))
            }
            Self::Failed {
                report,
                verdict,
                name,
            } => Some(Err(failed_before(report, *verdict, name))),
            Self::Untried | Self::Unproven(_) | Self::Closed => None,
        }
    }
}

type Connected = Result<Arc<Connection>, (Stage, Cause)>;

type Opened = Result<Connection, (Stage, Cause)>;

/// Before a connection that was refused is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// How long a connection that was kept may take to answer. A firewall that has forgotten it answers nothing, and
/// most of an invocation's time has to be left then.
const PROBE: Duration = Duration::from_secs(2);

/// How long an invocation's end may wait for another invocation that makes or gives up a connection. Such a wait is for a
/// connection that broke in this moment.
const LEAVE: Duration = Duration::from_secs(1);

impl<'a> Link<'a> {
    pub(crate) fn new(
        settings: &'a Settings,
        s3: &'a S3,
        secrets: &'a Secrets,
        breaker: &'a Breaker,
        kept: &'a Kept,
    ) -> Self {
        Self {
            settings,
            stores: Stores {
                settings,
                s3,
                secrets,
            },
            breaker,
            kept,
            state: Mutex::default(),
            is_spoilt: AtomicBool::new(false),
            inquiry: None,
        }
    }

    /// The same for somebody who wants to know what the server shows.
    pub(crate) fn inquiring(mut self, inquiry: Inquiry) -> Self {
        self.inquiry = Some(inquiry);
        self
    }

    /// The connection, made unless one is there or the destination has failed before.
    pub(crate) async fn connect(&self) -> Connected {
        self.connect_until(None).await
    }

    /// The same. A server that was silent has to let in `until` then, and is not waited for much longer behind that: such a
    /// connection is not kept for other invocations.
    pub(crate) async fn connect_until(&self, until: Option<Instant>) -> Connected {
        let mut state = self.state.lock().await;
        if let Some(connected) = state.way.told(None) {
            return connected;
        }
        let _changing = self.kept.changing().await;
        if let Some(connection) = self.find(&mut state).await {
            return Ok(connection);
        }
        if let Some(failure) = self.breaker.failure(SystemTime::now()) {
            return Err(failed_before(
                &failure.report,
                failure.verdict,
                failure.name,
            ));
        }
        // What was taken minutes ago is no reason to hang up.
        let is_good = self.kept.login(SystemTime::now()).is_some();
        let opening = async {
            let opened = self.open(&mut state, until).await;
            // A link that is cut just now is no reason to leave the server alone for a minute: this environment would
            // fail all that a queue gives it meanwhile, and being done with it at once be given more than its share.
            match &opened {
                Err((_, cause)) if cause.is_broken_off() || is_good && cause.is_broken_login() => {
                    sleep(PAUSES[0]).await;
                    self.open(&mut state, until).await
                }
                _ => opened,
            }
        };
        let opened = self.in_time(opening, until).await;
        self.connected(&mut state, opened)
    }

    /// Makes a connection again that broke, unless another delivery has done so already. A server that is being
    /// restarted refuses connections for a moment, which is no reason to leave it alone for a minute: it is asked
    /// three times. One that was silent has `until` then, as in [`connect_until`](Self::connect_until).
    pub(crate) async fn reconnect(
        &self,
        broken: &Arc<Connection>,
        until: Option<Instant>,
    ) -> Connected {
        let mut state = self.state.lock().await;
        if let Some(connected) = state.way.told(Some(broken)) {
            return connected;
        }
        let _changing = self.kept.changing().await;
        // First, so that it is not found again.
        self.let_go(&mut state).await;
        if let Some(connection) = self.find(&mut state).await {
            return Ok(connection);
        }
        // It was closed when this connection was made: another invocation has failed meanwhile.
        if let Some(failure) = self.breaker.failure(SystemTime::now()) {
            return Err(failed_before(
                &failure.report,
                failure.verdict,
                failure.name,
            ));
        }
        let opening = async {
            let mut opened = self.open(&mut state, until).await;
            for pause in PAUSES {
                match &opened {
                    Err((_, cause)) if cause.is_connection_refused() => {}
                    _ => break,
                }
                sleep(pause).await;
                opened = self.open(&mut state, until).await;
            }
            opened
        };
        let opened = self.in_time(opening, until).await;
        self.connected(&mut state, opened)
    }

    /// Cuts a connection, if it is the one in use; the next delivery makes another.
    pub(crate) async fn cut(&self, connection: &Arc<Connection>) {
        let mut state = self.state.lock().await;
        if matches!(&state.way, Way::Open(part) if Arc::ptr_eq(part.connection(), connection)) {
            self.let_go(&mut state).await;
        }
    }

    /// A connection that this process has: one that other invocations are at work on, or one that is kept and still
    /// answers. None: there is none, of this invocation neither.
    async fn find(&self, state: &mut State) -> Option<Arc<Connection>> {
        if let Some(part) = self.kept.join() {
            let connection = Arc::clone(part.connection());
            self.let_go(state).await;
            state.way = Way::Open(part);
            return Some(connection);
        }
        // What this invocation has not proven yet is what was kept.
        if !matches!(state.way, Way::Unproven(_)) {
            self.let_go(state).await;
            if let Some(idle) = self.kept.take() {
                state.way = Way::Unproven(idle);
            }
        }
        if let Some(connection) = prove(&state.way).await {
            state.way = Way::Open(self.kept.use_it(Arc::clone(&connection)));
            return Some(connection);
        }
        self.let_go(state).await;
        None
    }

    /// Whether no write is to be sent before the one before is answered.
    pub(crate) fn is_one_at_a_time(&self) -> bool {
        self.kept.is_one_at_a_time()
    }

    /// A file has arrived so, and did not otherwise.
    pub(crate) fn go_on_one_at_a_time(&self) {
        self.profile().saw(Finding::OneWrite);
        self.kept.go_on_one_at_a_time();
    }

    /// What the server has shown, for receipts.
    pub(crate) fn profile(&self) -> &Profile {
        self.kept.profile()
    }

    /// From now on the connection is not to be kept: a delivery failed by it, or gave up waiting.
    pub(crate) fn spoil(&self) {
        self.is_spoilt.store(true, Ordering::Relaxed);
    }

    /// Ends the link. The connection is kept for the next invocation, if that is wanted and nothing is outstanding
    /// on it; otherwise it ends here, unless other invocations are at work on it.
    pub(crate) async fn finish(self) {
        let is_spoilt = self.is_spoilt.into_inner();
        match self.state.into_inner().way {
            Way::Open(part) => {
                // One that is closed already has nobody waiting for it, and another one may be in the making.
                let _changing = if part.connection().is_closed() {
                    None
                } else {
                    timeout(LEAVE, self.kept.changing()).await.ok()
                };
                let shared = Arc::clone(part.connection());
                let Some(Left {
                    connection,
                    is_spoilt,
                }) = part.leave(is_spoilt)
                else {
                    // A rename that is carried out late would publish what the next attempt has half written. The others
                    // go on over another connection.
                    // Of a session that has ended nothing is known any more.
                    if shared.is_closed() || shared.sftp().may_move_unseen() {
                        shared.cut().await;
                    }
                    return;
                };
                self.kept.learn(&connection);
                if self.settings.keep_connection && !is_spoilt && connection.is_at_rest() {
                    let idle = Idle::since(connection, SystemTime::now());
                    if let Some(other) = self.kept.put(idle) {
                        other.connection.close().await;
                    }
                } else {
                    connection.close().await;
                }
            }
            Way::Unproven(idle) => idle.connection.close().await,
            Way::Untried | Way::Closed | Way::Failed { .. } => {}
        }
    }

    async fn in_time(
        &self,
        opening: impl Future<Output = Opened>,
        until: Option<Instant>,
    ) -> Opened {
        let Some(until) = until else {
            return opening.await;
        };
        self.spoil();
        let opened = timeout_at(until, opening).await;
        opened.unwrap_or(Err((Stage::Connect, Cause::SilentAgain)))
    }

    fn connected(&self, state: &mut State, opened: Opened) -> Connected {
        match opened {
            Ok(connection) => {
                self.breaker.connected();
                let connection = Arc::new(connection);
                state.way = Way::Open(self.kept.use_it(Arc::clone(&connection)));
                Ok(connection)
            }
            Err((stage, cause)) => {
                let error = Error {
                    stage,
                    object: None,
                    cause,
                };
                if error.verdict().scope == Scope::Destination {
                    if error.stage == Stage::Connect {
                        self.breaker.failed(SystemTime::now(), &error);
                    }
                    state.way = Way::Failed {
                        report: error.report(),
                        verdict: error.verdict(),
                        name: error.name(),
                    };
                }
                Err((stage, error.cause))
            }
        }
    }

    /// Cuts what is there, and waits for its end.
    async fn let_go(&self, state: &mut State) {
        match std::mem::replace(&mut state.way, Way::Closed) {
            Way::Open(part) => {
                self.kept.learn(part.connection());
                part.connection().cut().await;
            }
            Way::Unproven(Idle { connection, .. }) => {
                self.kept.learn(&connection);
                connection.cut().await;
            }
            Way::Untried | Way::Closed => {}
            // A destination that has failed stays so.
            failed @ Way::Failed { .. } => state.way = failed,
        }
    }
}

/// A connection of an earlier invocation that still answers.
async fn prove(way: &Way) -> Option<Arc<Connection>> {
    let Way::Unproven(idle) = way else {
        return None;
    };
    let lives = idle.may_live(SystemTime::now()) && idle.connection.answers_within(PROBE).await;
    if !lives {
        tracing::info!("the connection that was kept has ended; another one is made");
    }
    lives.then(|| Arc::clone(&idle.connection))
}

fn failed_before(report: &str, verdict: Verdict, name: &'static str) -> (Stage, Cause) {
    let cause = Cause::Destination(report.to_owned(), verdict, name);
    (Stage::Connect, cause)
}
