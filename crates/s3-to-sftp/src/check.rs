//! The way of an object, step by step and without one: what a person asks who has the partner on the phone.
//!
//! Nothing is written, unless a probe is asked for: a file under a temporary's name, renamed to another such name and
//! removed. A partner's poller takes whatever has another name within seconds.

mod bucket;
mod network;
mod server;

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

pub use bucket::{NoPrefix, Prefix};

use crate::breaker::Breaker;
use crate::error::{Cause, Error, Stage};
use crate::invocation::Deliverer;
use crate::kept::Kept;
use crate::link::Link;
use crate::secrets::Secrets;
use crate::settings::{Settings, describe};
use crate::source::S3;
use crate::ssh::{ConnectError, Inquiry, LOGIN, START};

/// One step, and what it came to.
#[derive(Debug)]
pub struct Step {
    /// Its name: one word or two.
    pub name: &'static str,
    /// What was found, or why it goes no further.
    pub outcome: Result<String, Error>,
}

impl Step {
    /// The settings, which are right where there is a [`Deliverer`].
    pub fn of_settings(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let shown = describe(lookup);
        let set = shown.iter().filter(|it| it.set).count();
        let secrets = shown.iter().filter(|it| it.set && it.row.secret).count();
        let host = shown.iter().find(|it| it.row.name == "SSH_HOST");
        let host = host.map(|it| it.value.as_str()).unwrap_or_default();
        Self {
            name: "settings",
            outcome: Ok(format!("{set} set for {host}, {secrets} of them secrets")),
        }
    }

    /// As a program reads it.
    pub fn record(&self) -> Value {
        match &self.outcome {
            Ok(found) => json!({ "step": self.name, "ok": true, "found": found }),
            Err(error) => json!({
                "step": self.name,
                "ok": false,
                "error_type": error.name(),
                "error": error.causes(),
                "next": error.next(),
            }),
        }
    }
}

/// As a person reads it: `ok` or `FAIL`, the step, what was found; and what to do next in a line of its own.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match &self.outcome {
            Ok(found) => write!(f, "ok    {name:<9}  {found}"),
            Err(error) => {
                write!(f, "FAIL  {name:<9}  {}", error.causes())?;
                match error.next() {
                    Some(next) => write!(f, "\n      next: {next}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Options {
    /// What lies in S3; none where that is not asked for.
    pub prefix: Option<Prefix>,
    /// Has a probe written.
    pub write: bool,
    /// A text of this run alone, of 20 hexadecimal digits or more.
    pub nonce: String,
    /// How long all of it may take.
    pub time: Duration,
}

/// What ends a check: nothing behind it can be known.
pub(crate) struct Ended;

type Told = Result<(), Ended>;

impl Deliverer {
    /// Goes the way, and tells each step when it is known. Whether all of them are well.
    ///
    /// Each run makes a connection of its own, whatever is kept, and whether or not the server has failed before.
    pub async fn check(&self, options: &Options, tell: impl FnMut(Step)) -> bool {
        let mut check = Check {
            settings: self.settings(),
            s3: self.s3(),
            secrets: self.secrets(),
            options,
            tell,
            is_well: true,
        };
        if timeout(options.time, check.run()).await.is_err() {
            check.fail("time", (Stage::Connect, Cause::Deadline));
        }
        check.is_well
    }
}

struct Check<'a, F> {
    settings: &'a Settings,
    s3: &'a S3,
    secrets: &'a Secrets,
    options: &'a Options,
    tell: F,
    is_well: bool,
}

impl<F: FnMut(Step)> Check<'_, F> {
    async fn run(&mut self) {
        if let Some(prefix) = &self.options.prefix {
            self.bucket(prefix).await;
        }
        // What failed is told; nothing behind it can be known.
        if let Ok(()) = self.network().await {
            _ = self.log_in().await;
        }
    }

    async fn log_in(&mut self) -> Told {
        let (breaker, kept) = (Breaker::default(), Kept::default());
        let inquiry = Inquiry::default();
        let link = Link::new(self.settings, self.s3, self.secrets, &breaker, &kept);
        let link = link.inquiring(inquiry.clone());
        let connected = link.connect().await;
        // Also where it goes no further: who is on the phone about it wants to see how far it went.
        if let Some(shown) = inquiry.shown() {
            self.shown(&shown);
        }
        let told = match connected {
            Ok(connection) => self.server(&connection).await,
            Err((stage, cause)) => {
                let name = step_of(stage, &cause);
                Err(self.fail(name, (stage, cause)))
            }
        };
        link.spoil();
        link.finish().await;
        told
    }

    fn ok(&mut self, name: &'static str, found: String) {
        (self.tell)(Step {
            name,
            outcome: Ok(found),
        });
    }

    fn fail(&mut self, name: &'static str, (stage, cause): (Stage, Cause)) -> Ended {
        self.is_well = false;
        let error = Error {
            stage,
            object: None,
            cause,
        };
        (self.tell)(Step {
            name,
            outcome: Err(error),
        });
        Ended
    }
}

/// At which step a connection has failed.
fn step_of(stage: Stage, cause: &Cause) -> &'static str {
    let Cause::Connect { source, .. } = cause else {
        return match stage {
            Stage::HostKeys => "host key",
            _ => "secrets",
        };
    };
    match &**source {
        ConnectError::HostKey(_)
        | ConnectError::HostKeyRevoked { .. }
        | ConnectError::HostCertificate { .. } => "host key",
        ConnectError::LoginRefused { .. }
        | ConnectError::PromptNotAnswered { .. }
        | ConnectError::KeyNotAllowed { .. } => "login",
        ConnectError::SftpRefused { .. } => "sftp",
        ConnectError::Silent { step, .. }
        | ConnectError::Ended { step, .. }
        | ConnectError::Ssh { step, .. } => match *step {
            LOGIN => "login",
            START => "sftp",
            _ => "ssh",
        },
        ConnectError::Name { .. } => "name",
        ConnectError::Tcp(_) => "tcp",
        ConnectError::NoBanner { .. }
        | ConnectError::NoCommonAlgorithm { .. }
        | ConnectError::KeyExchange { .. } => "ssh",
    }
}
