//! How a connection is made: by what login, and by which others where that is refused.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::credentials::Login;
use super::{Link, Opened, State};
use crate::error::{Cause, Error, Stage};
use crate::secrets::Version;
use crate::ssh::host_key::Pinned;
use crate::ssh::{ConnectError, Dialed, REKEY, Refused, Target, connect};

/// What a server that was silent has for an answer at least: more than a round trip around the world.
const LEAST: Duration = Duration::from_millis(500);

impl Link<'_> {
    /// Logs in, at most three times: with what is at hand; with what is in the stores now, where that is something else;
    /// and with what was there before, for a partner who is told of a new password later than the store.
    pub(super) async fn open(&self, state: &mut State, until: Option<Instant>) -> Opened {
        let at_hand = state
            .login
            .take()
            .or_else(|| self.kept.login(SystemTime::now()))
            // A certificate may have expired meanwhile, and another one lie in its place.
            .filter(|login| login.credentials.check(SystemTime::now()).is_ok());
        let login = async {
            match at_hand {
                Some(login) => Ok(login),
                None => Box::pin(self.stores.login(Version::Current)).await,
            }
        };
        let settings = self.settings;
        let patience = patience(settings.connect_timeout, until);
        let dialing = Dialed::new(&settings.host, settings.port, patience);
        // Beside each other: each may take a round trip or two. Without a login the line is of no use.
        let (login, host_keys, dialed) =
            tokio::try_join!(login, Box::pin(self.stores.host_keys()), async {
                Ok(dialing.await)
            })?;
        let host_keys = match host_keys {
            Some(pinned) => Some(pinned),
            None => self.stores.host_keys_of(&login)?,
        };
        let dialed = dialed.map_err(|error| not_connected(&login, error))?;
        let (mut refusal, parts) =
            match Box::pin(self.open_with(&login, host_keys.clone(), Some(dialed), until)).await {
                Err(error) => match refused(&error) {
                    Some(parts) => (error, parts),
                    None => {
                        state.login = Some(login);
                        return Err(error);
                    }
                },
                opened => {
                    state.login = Some(login);
                    return opened;
                }
            };
        let mut refusals = vec![(login, parts)];
        for version in self.versions() {
            let login = match Box::pin(self.stores.login(version)).await {
                Ok(login) => login,
                Err(error) => {
                    warn_behind_refusal(error);
                    break;
                }
            };
            // Partners lock accounts: what was refused is not offered again.
            let Some(login) = login.without(&refusals) else {
                continue;
            };
            tracing::info!("the server refused the login; trying {}", told(version));
            match Box::pin(self.open_with(&login, host_keys.clone(), None, until)).await {
                Err(error) => match refused(&error) {
                    Some(parts) => {
                        refusal = error;
                        refusals.push((login, parts));
                    }
                    // Nobody is to offer again what was refused a moment ago, because the connection behind it broke.
                    None => {
                        warn_behind_refusal(error);
                        break;
                    }
                },
                opened => {
                    state.login = Some(login);
                    return opened;
                }
            }
        }
        Err(refusal)
    }

    /// What may be tried after a refusal, in this order.
    fn versions(&self) -> impl Iterator<Item = Version> {
        let current = self.stores.may_change().then_some(Version::Current);
        let previous = self.stores.have_previous().then_some(Version::Previous);
        current.into_iter().chain(previous)
    }

    async fn open_with(
        &self,
        login: &Login,
        host_keys: Option<Pinned>,
        dialed: Option<Dialed>,
        until: Option<Instant>,
    ) -> Opened {
        let settings = self.settings;
        let target = Target {
            host: settings.host.clone(),
            port: settings.port,
            username: login.username.clone(),
            host_keys,
            algorithms: settings.algorithms.clone(),
            rekey_after: REKEY,
            connect_timeout: patience(settings.connect_timeout, until),
            stall_timeout: patience(settings.stall_timeout, until),
            inquiry: self.inquiry.clone(),
        };
        match connect(&target, &login.credentials, dialed).await {
            Ok(connection) => {
                self.kept.taken(login);
                if self.kept.are_limits_untrue() {
                    connection.sftp().forget_limits().await;
                }
                if let Some(most) = self.kept.most_further() {
                    connection.limit_further(most);
                }
                Ok(connection)
            }
            Err(source) => {
                if matches!(source, ConnectError::LoginRefused { .. }) {
                    self.kept.forget_login();
                }
                Err(not_connected(login, source))
            }
        }
    }
}

/// A time-out, of which no more is left than `until`, for a server that was silent.
fn patience(timeout: Duration, until: Option<Instant>) -> Duration {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()).max(LEAST));
    left.map_or(timeout, |left| timeout.min(left))
}

/// The refusal is what is returned; this came of trying something else.
fn warn_behind_refusal((stage, cause): (Stage, Cause)) {
    let error = Error {
        stage,
        object: None,
        cause,
    };
    tracing::warn!("after a refused login: {}", error.report());
}

fn not_connected(login: &Login, error: ConnectError) -> (Stage, Cause) {
    let cause = Cause::Connect {
        username: login.username.clone(),
        source: Box::new(error),
    };
    (Stage::Connect, cause)
}

fn told(version: Version) -> &'static str {
    match version {
        Version::Current => "what the stores have now",
        Version::Previous => "the version before it (AWSPREVIOUS)",
    }
}

/// What the server did not take of the credentials; none where that is not why there is no connection.
fn refused((_, cause): &(Stage, Cause)) -> Option<Refused> {
    match cause {
        Cause::Connect { source, .. } => match **source {
            ConnectError::LoginRefused { refused, .. } => Some(refused),
            _ => None,
        },
        _ => None,
    }
}
