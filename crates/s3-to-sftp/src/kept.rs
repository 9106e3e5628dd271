//! What is known of the partner's server from one invocation to the next: a connection, the credentials that it
//! took, whether its limits are true, and how many channels it bears.

mod in_use;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::link::Login;
use crate::profile::Profile;
use crate::ssh::Connection;
use in_use::Shared;
pub(crate) use in_use::{Left, Part};

/// AWS's NAT gateways and load balancers forget a flow that has been silent for so long. What was idle longer is
/// not worth the time that a probe without an answer takes.
const IDLE: Duration = Duration::from_secs(350);

/// How long a login is kept after it was fetched: that late a change in a store is noticed, where the server still takes the
/// old one.
const LOGIN: Duration = Duration::from_secs(5 * 60);

/// Lives as long as the process.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    state: Mutex<State>,
    /// Held while a connection is made or given up: another invocation of this process waits, and takes part in the one
    /// that there is then.
    changing: tokio::sync::Mutex<()>,
    profile: Profile,
}

#[derive(Debug, Default)]
struct State {
    idle: Option<Idle>,
    in_use: Shared,
    login: Option<Login>,
    are_limits_untrue: bool,
    most_further: Option<usize>,
    is_one_at_a_time: bool,
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

/// A clock that was set back tells nothing: it is fetched again.
fn is_young(fetched: SystemTime, now: SystemTime) -> bool {
    now.duration_since(fetched).is_ok_and(|age| age <= LOGIN)
}

impl Kept {
    /// What the server has shown, for receipts.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// To be held from before it is asked for a connection until [`use_it`](Self::use_it) or the failure, and while the
    /// last one leaves it: so there is one connection at most.
    pub(crate) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Takes part in the connection that other invocations are at work on.
    pub(crate) fn join(&self) -> Option<Part> {
        self.lock().in_use.join()
    }

    /// From now on others can take part in it.
    pub(crate) fn use_it(&self, connection: Arc<Connection>) -> Part {
        let part = Part::of(connection);
        self.lock().in_use = part.shared();
        part
    }

    /// The connection at rest.
    pub(crate) fn take(&self) -> Option<Idle> {
        self.lock().idle.take()
    }

    /// Keeps a connection; one that is there already comes back.
    pub(crate) fn put(&self, idle: Idle) -> Option<Idle> {
        self.lock().idle.replace(idle)
    }

    /// What the server has taken before. What is too old is wiped.
    pub(crate) fn login(&self, now: SystemTime) -> Option<Login> {
        let mut state = self.lock();
        state.login = state.login.take().filter(|it| is_young(it.fetched, now));
        state.login.clone()
    }

    pub(crate) fn taken(&self, login: &Login) {
        self.lock().login = Some(login.clone());
    }

    /// It was refused: whoever connects next fetches it anew.
    pub(crate) fn forget_login(&self) {
        self.lock().login = None;
    }

    /// Whether the server has stored less of large writes than it acknowledged.
    pub(crate) fn are_limits_untrue(&self) -> bool {
        self.lock().are_limits_untrue
    }

    /// Channels that the server bears beside the first one, as far as an earlier connection has shown.
    pub(crate) fn most_further(&self) -> Option<usize> {
        self.lock().most_further
    }

    /// Whether the server has refused writes that were sent before the one before was answered, and taken them one by one.
    pub(crate) fn is_one_at_a_time(&self) -> bool {
        self.lock().is_one_at_a_time
    }

    pub(crate) fn go_on_one_at_a_time(&self) {
        self.lock().is_one_at_a_time = true;
    }

    /// What an earlier connection has found out.
    pub(crate) fn learn(&self, connection: &Connection) {
        let mut state = self.lock();
        state.are_limits_untrue |= connection.sftp().are_limits_untrue();
        state.most_further = Some(connection.most_further());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing above panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::Credentials;

    #[test]
    fn idle_time_is_measured_by_the_wall_clock() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(is_short(since, since));
        assert!(is_short(since, since + IDLE));
        assert!(!is_short(since, since + IDLE + Duration::from_secs(1)));
        assert!(is_short(since, since - IDLE), "a clock that was set back");
    }

    #[test]
    fn a_login_is_kept_for_five_minutes() {
        let fetched = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let login = Login {
            username: "acme".to_owned(),
            credentials: Credentials::default(),
            host_key: None,
            fetched,
        };
        let kept = Kept::default();
        kept.taken(&login);
        for seconds in [0, 1, 300] {
            let now = fetched + Duration::from_secs(seconds);
            assert!(kept.login(now).is_some(), "{seconds} s");
        }
        assert!(kept.login(fetched + Duration::from_secs(301)).is_none());
        assert!(kept.login(fetched).is_none(), "it is wiped then");
        kept.taken(&login);
        assert!(kept.login(fetched - Duration::from_secs(1)).is_none());
    }
}
