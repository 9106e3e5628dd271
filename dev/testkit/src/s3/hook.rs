//! Hooks: what a test sees of a request, and what it may do to it.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::fault::{Fault, Plan};
use super::sync::Locked;

/// A request as it arrived, before it was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// S3's name of it: `GetObject`, `HeadObject`, `DeleteObject`, …
    pub operation: String,
    /// Empty for ListBuckets.
    pub bucket: String,
    /// Empty for what concerns a whole bucket.
    pub key: String,
    /// The header `Range`: `bytes=0-99`.
    pub range: Option<String>,
    /// The header `If-Match`.
    pub if_match: Option<String>,
    /// The header `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The query's `partNumber`.
    pub part_number: Option<u32>,
    /// The query's `versionId`.
    pub version_id: Option<String>,
    /// The how-manieth request of this operation on this key, from 1. Retries of the SDK count.
    pub number: u64,
}

/// What happens to a request.
pub enum Action {
    /// Nothing unusual.
    Pass,
    /// Answered with an S3 error, not carried out: `503 SlowDown`, `403 AccessDenied`.
    Fail {
        /// HTTP status.
        status: u16,
        /// S3's error code.
        code: &'static str,
        /// For people.
        message: &'static str,
    },
    /// Carried out, but the connection breaks before a byte of the answer.
    LoseAnswer,
    /// Carried out at once, and answered so much later: what is told is how things were.
    AnswerLate(Duration),
    /// The connection breaks after so many bytes of the body, although Content-Length promised more.
    /// A body that is not longer passes.
    CutBody {
        /// How many bytes the client still gets.
        after: u64,
    },
    /// The body trickles.
    Slow {
        /// Bytes per second.
        bytes_per_second: u64,
    },
    /// One byte of the body arrives wrong.
    Corrupt {
        /// Which, counted from the body's first byte.
        offset: u64,
    },
    /// Carried out later.
    Delay(Duration),
    /// Carried out when the future is done: a `oneshot` receiver, a `Notify`. See [`Action::hold`].
    Hold(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Runs a closure, then carries the request out: replaces the object at that very moment.
    Run(Box<dyn FnOnce() + Send>),
    /// Polls a future when so many bytes of the body are handed to the kernel, and not one more before it is done. Not
    /// polled if the body is not longer than `offset`. See [`Action::run_at`] and [`Action::hold_at`].
    HoldAt {
        /// Counted from the body's first byte.
        offset: u64,
        /// Until when the rest waits.
        until: Pin<Box<dyn Future<Output = ()> + Send>>,
    },
}

impl Action {
    /// `503 SlowDown`.
    #[must_use]
    pub fn slow_down() -> Self {
        Self::Fail {
            status: 503,
            code: "SlowDown",
            message: "Please reduce your request rate.",
        }
    }

    /// `403 AccessDenied`.
    #[must_use]
    pub fn access_denied() -> Self {
        Self::Fail {
            status: 403,
            code: "AccessDenied",
            message: "Access Denied",
        }
    }

    /// Carries the request out when `future` is done, whatever it yields.
    pub fn hold<T>(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Hold(Box::pin(async {
            future.await;
        }))
    }

    /// Runs `run`, then carries the request out.
    pub fn run(run: impl FnOnce() + Send + 'static) -> Self {
        Self::Run(Box::new(run))
    }

    /// Runs `run` when `offset` bytes of the body are on their way. It must not block: the thread that it would hold may
    /// be the one that looks after the timers of the whole test.
    pub fn run_at(offset: u64, run: impl FnOnce() + Send + 'static) -> Self {
        Self::hold_at(offset, async { run() })
    }

    /// Gives `offset` bytes of the body, and the rest when `future` is done, whatever it yields.
    pub fn hold_at<T>(offset: u64, future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::HoldAt {
            offset,
            until: Box::pin(async {
                future.await;
            }),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "Pass",
            Self::Fail { .. } => "Fail",
            Self::LoseAnswer => "LoseAnswer",
            Self::CutBody { .. } => "CutBody",
            Self::Slow { .. } => "Slow",
            Self::Corrupt { .. } => "Corrupt",
            Self::AnswerLate(_) => "AnswerLate",
            Self::Delay(_) => "Delay",
            Self::Hold(_) => "Hold",
            Self::Run(_) => "Run",
            Self::HoldAt { .. } => "HoldAt",
        })
    }
}

type Hook = Arc<Locked<dyn FnMut(&Request) -> Action + Send>>;

/// The hooks and the log of a server.
#[derive(Default)]
pub(super) struct Hooks {
    hooks: Locked<Vec<Hook>>,
    log: Locked<Log>,
}

#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    counts: HashMap<(String, String, String), u64>,
}

impl Hooks {
    pub(super) fn add(&self, hook: impl FnMut(&Request) -> Action + Send + 'static) {
        self.hooks.lock().push(Arc::new(Locked::new(hook)));
    }

    pub(super) fn clear(&self) {
        self.hooks.lock().clear();
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.log.lock().requests.clone()
    }

    pub(super) fn forget_requests(&self) {
        self.log.lock().requests.clear();
    }

    fn record(&self, mut request: Request) -> Request {
        let mut log = self.log.lock();
        let place = (
            request.operation.clone(),
            request.bucket.clone(),
            request.key.clone(),
        );
        let count = log.counts.entry(place).or_default();
        *count += 1;
        request.number = *count;
        log.requests.push(request.clone());
        request
    }

    /// The last-registered hook first; the first that does not pass decides.
    fn decide(&self, request: &Request) -> Action {
        // Called without the list's lock: a hook may register hooks.
        let hooks = self.hooks.lock().clone();
        for hook in hooks.iter().rev() {
            let action = (hook.lock())(request);
            if !matches!(action, Action::Pass) {
                return action;
            }
        }
        Action::Pass
    }
}

/// s3s asks for access after the signature and before the operation: the one place that sees every request by name.
pub(super) struct Gate(pub(super) Arc<Hooks>);

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        let request = self.0.record(read(cx));
        let plan = cx
            .extensions_mut()
            .get::<Plan>()
            .cloned()
            .expect("the server puts a plan into every request");
        match self.0.decide(&request) {
            Action::Pass => {}
            Action::Fail {
                status,
                code,
                message,
            } => return Err(failure(status, code, message)),
            Action::Delay(duration) => tokio::time::sleep(duration).await,
            Action::Hold(until) => until.await,
            Action::Run(run) => run(),
            Action::AnswerLate(by) => plan.set(Fault::Late(by)),
            Action::LoseAnswer => plan.set(Fault::LoseAnswer),
            Action::CutBody { after } => plan.set(Fault::Cut { after }),
            Action::Slow { bytes_per_second } => plan.set(Fault::Slow { bytes_per_second }),
            Action::Corrupt { offset } => plan.set(Fault::Corrupt { offset }),
            Action::HoldAt { offset, until } => plan.set(Fault::HoldAt { offset, until }),
        }
        Ok(())
    }
}

fn read(cx: &S3AccessContext<'_>) -> Request {
    let header = |name| cx.headers().get(name)?.to_str().ok().map(str::to_owned);
    let query = |name: &str| {
        let pairs = cx
            .uri()
            .query()?
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    Request {
        operation: cx.s3_op().name().to_owned(),
        bucket: cx
            .s3_path()
            .get_bucket_name()
            .unwrap_or_default()
            .to_owned(),
        key: cx.s3_path().get_object_key().unwrap_or_default().to_owned(),
        range: header("range"),
        if_match: header("if-match"),
        if_none_match: header("if-none-match"),
        part_number: query("partNumber").and_then(|number| number.parse().ok()),
        version_id: query("versionId"),
        number: 0,
    }
}

fn failure(status: u16, code: &'static str, message: &'static str) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).expect("an error code is ASCII");
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(StatusCode::from_u16(status).expect("a hook gives an HTTP status"));
    error
}
