//! The way to the partner for one invocation: one connection, made when it is first needed.

use std::time::{Duration, SystemTime};

use tokio::time::{sleep, timeout};

use crate::breaker::Breaker;
use crate::error::{Cause, Error, Scope, Stage, Verdict};
use crate::settings::Settings;
use crate::source::S3;
use crate::ssh::{Connection, Credentials, PrivateKey, Target};

/// One connection, shared by the records of an invocation.
#[derive(Debug, Default)]
pub(crate) struct Link {
    state: State,
    /// Whether an earlier connection's server stored less of large writes than it acknowledged.
    are_limits_untrue: bool,
    /// Channels that the server bears beside the first one, as far as an earlier connection has shown.
    most_further: Option<usize>,
    /// Fetched once: a secret is asked for only where a connection is made.
    credentials: Option<Credentials>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open(Box<Connection>),
    /// The destination failed. It is not asked again in this invocation, however long that lasts, and
    /// not in the next ones while the [`Breaker`] is open.
    Failed {
        report: String,
        verdict: Verdict,
        name: &'static str,
    },
}

/// Before a connection that was refused is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

impl Link {
    /// Connects, unless a connection is there or the destination has failed before.
    pub(crate) async fn connect(
        &mut self,
        settings: &Settings,
        s3: &S3,
        breaker: &Breaker,
    ) -> Result<(), (Stage, Cause)> {
        match &self.state {
            State::Open(connection) if !connection.is_closed() => return Ok(()),
            State::Failed {
                report,
                verdict,
                name,
            } => {
                let cause = Cause::Destination(report.clone(), *verdict, name);
                return Err((Stage::Connect, cause));
            }
            State::Open(_) | State::Closed => {}
        }
        if let Some(failure) = breaker.failure(SystemTime::now()) {
            let cause = Cause::Destination(failure.report, failure.verdict, failure.name);
            return Err((Stage::Connect, cause));
        }
        let opened = self.open(settings, s3).await;
        self.connected(opened, breaker)
    }

    /// Makes a connection that broke again. A server that is being restarted refuses connections for a moment,
    /// which is no reason to leave it alone for a minute: it is asked three times.
    pub(crate) async fn reconnect(
        &mut self,
        settings: &Settings,
        s3: &S3,
        breaker: &Breaker,
    ) -> Result<(), (Stage, Cause)> {
        self.cut().await;
        let mut opened = self.open(settings, s3).await;
        for pause in PAUSES {
            match &opened {
                Err((_, cause)) if cause.is_connection_refused() => {}
                _ => break,
            }
            sleep(pause).await;
            opened = self.open(settings, s3).await;
        }
        self.connected(opened, breaker)
    }

    fn connected(
        &mut self,
        opened: Result<Connection, (Stage, Cause)>,
        breaker: &Breaker,
    ) -> Result<(), (Stage, Cause)> {
        match opened {
            Ok(connection) => {
                breaker.connected();
                self.state = State::Open(Box::new(connection));
                Ok(())
            }
            Err((stage, cause)) => {
                let error = Error {
                    stage,
                    object: None,
                    cause,
                };
                if error.verdict().scope == Scope::Destination {
                    if error.stage == Stage::Connect {
                        breaker.failed(SystemTime::now(), &error);
                    }
                    self.state = State::Failed {
                        report: error.report(),
                        verdict: error.verdict(),
                        name: error.name(),
                    };
                }
                Err((stage, error.cause))
            }
        }
    }

    /// The connection that [`Self::connect`] has made.
    pub(crate) fn connection(&self) -> Result<&Connection, Cause> {
        match &self.state {
            State::Open(connection) => Ok(connection),
            State::Closed | State::Failed { .. } => Err(Cause::sftp(
                "a request without a connection",
            )(sftp::Error::Closed)),
        }
    }

    /// Cuts the connection; the next delivery makes another.
    pub(crate) async fn cut(&mut self) {
        match std::mem::take(&mut self.state) {
            State::Open(connection) => {
                self.are_limits_untrue |= connection.sftp().are_limits_untrue();
                self.most_further = Some(connection.most_further());
                connection.cut().await;
            }
            // A destination that has failed stays so.
            other => self.state = other,
        }
    }

    /// Ends the link: nothing outlives an invocation.
    pub(crate) async fn close(self) {
        if let State::Open(connection) = self.state {
            connection.close().await;
        }
    }

    async fn open(&mut self, settings: &Settings, s3: &S3) -> Result<Connection, (Stage, Cause)> {
        let credentials = match &self.credentials {
            Some(credentials) => credentials,
            None => {
                let fetched = fetch(settings, s3)
                    .await
                    .map_err(|it| (Stage::PrivateKey, it))?;
                self.credentials.insert(fetched)
            }
        };
        let target = Target {
            host: settings.host.clone(),
            port: settings.port,
            username: settings.username.clone(),
            host_keys: settings.host_keys.clone(),
            connect_timeout: settings.connect_timeout,
            stall_timeout: settings.stall_timeout,
        };
        let connection = Connection::open(&target, credentials)
            .await
            .map_err(|source| {
                let username = target.username.clone();
                let source = Box::new(source);
                (Stage::Connect, Cause::Connect { username, source })
            })?;
        if self.are_limits_untrue {
            connection.sftp().forget_limits().await;
        }
        if let Some(most) = self.most_further {
            connection.limit_further(most);
        }
        Ok(connection)
    }
}

async fn fetch(settings: &Settings, s3: &S3) -> Result<Credentials, Cause> {
    let private_key = match &settings.private_key {
        None => None,
        Some(name) => {
            let text = timeout(settings.stall_timeout, s3.read_small(name))
                .await
                .unwrap_or_else(|elapsed| Err(crate::source::SourceError::Other(elapsed.into())))
                .map_err(|source| Cause::KeyUnavailable {
                    name: name.clone(),
                    source,
                })?;
            let key = PrivateKey::parse(&text).map_err(|source| Cause::KeyUnusable {
                name: name.clone(),
                source,
            })?;
            Some(key)
        }
    };
    Ok(Credentials {
        private_key,
        password: settings.password.clone(),
    })
}
