//! What is known of the partner's server from one invocation to the next: a connection, the credentials that it
//! took, whether its limits are true, and how many channels it bears.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::ssh::{Connection, Credentials};

/// AWS's NAT gateways and load balancers forget a flow that has been silent for so long. What was idle longer is
/// not worth the time that a probe without an answer takes.
const IDLE: Duration = Duration::from_secs(350);

/// Lives as long as the process.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    idle: Option<Idle>,
    credentials: Option<Credentials>,
    are_limits_untrue: bool,
    most_further: Option<usize>,
}

/// A connection on which nothing is outstanding.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) connection: Arc<Connection>,
    /// By the wall clock: the monotonic one stands still while an environment is frozen.
    since: SystemTime,
}

impl Idle {
    pub(crate) fn since(connection: Arc<Connection>, since: SystemTime) -> Self {
        Self { connection, since }
    }

    /// Whether it may live: to be asked, and not to be relied on.
    pub(crate) fn may_live(&self, now: SystemTime) -> bool {
        !self.connection.is_closed() && is_short(self.since, now)
    }
}

/// A clock that was set back tells nothing: the connection is asked.
fn is_short(since: SystemTime, now: SystemTime) -> bool {
    now.duration_since(since).is_ok_and(|idle| idle <= IDLE) || now < since
}

impl Kept {
    /// The connection, for one invocation: a second one at the same time makes its own.
    pub(crate) fn take(&self) -> Option<Idle> {
        self.lock().idle.take()
    }

    /// Keeps a connection; the one that another invocation has put there meanwhile comes back.
    pub(crate) fn put(&self, idle: Idle) -> Option<Idle> {
        self.lock().idle.replace(idle)
    }

    /// What the server has taken before.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.lock().credentials.clone()
    }

    pub(crate) fn taken(&self, credentials: &Credentials) {
        self.lock().credentials = Some(credentials.clone());
    }

    /// They were refused: whoever connects next fetches them anew.
    pub(crate) fn forget_credentials(&self) {
        self.lock().credentials = None;
    }

    /// Whether the server has stored less of large writes than it acknowledged.
    pub(crate) fn are_limits_untrue(&self) -> bool {
        self.lock().are_limits_untrue
    }

    /// Channels that the server bears beside the first one, as far as an earlier connection has shown.
    pub(crate) fn most_further(&self) -> Option<usize> {
        self.lock().most_further
    }

    /// What an earlier connection has found out.
    pub(crate) fn learn(&self, connection: &Connection) {
        let mut state = self.lock();
        state.are_limits_untrue |= connection.sftp().are_limits_untrue();
        state.most_further = Some(connection.most_further());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing above panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_measured_by_the_wall_clock() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(is_short(since, since));
        assert!(is_short(since, since + IDLE));
        assert!(!is_short(since, since + IDLE + Duration::from_secs(1)));
        assert!(is_short(since, since - IDLE), "a clock that was set back");
    }
}
