//! The calls that a runtime makes: next, response, error, and the error of its start.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot, watch};

use super::invocation::{InitError, Invocation, Outcome};

/// The version in every path.
const ROOT: &str = "/2018-06-01/runtime/";

/// The longest answer that Lambda takes, in bytes.
const LONGEST_ANSWER: usize = 6_291_556;

/// The function as it is called here.
pub(super) const FUNCTION: &str = "testkit";

/// What waits, what runs, and what was reported.
#[derive(Default)]
pub(super) struct State {
    waiting: Mutex<VecDeque<Invocation>>,
    arrived: Notify,
    running: Mutex<HashMap<String, Running>>,
    init_error: Mutex<Option<InitError>>,
    /// How many times an event was asked for.
    pub(super) polls: watch::Sender<u64>,
}

/// The test's side of an invocation, from when it was given until it is answered.
struct Running {
    taken: Option<oneshot::Sender<Instant>>,
    done: oneshot::Sender<Outcome>,
}

/// What the test waits for.
pub(super) struct Expected {
    /// When the function took the event.
    pub(super) taken: oneshot::Receiver<Instant>,
    pub(super) done: oneshot::Receiver<Outcome>,
}

impl State {
    pub(super) fn give(&self, invocation: Invocation) -> Expected {
        let (taken_sender, taken) = oneshot::channel();
        let (done_sender, done) = oneshot::channel();
        let running = Running {
            taken: Some(taken_sender),
            done: done_sender,
        };
        let before = lock(&self.running).insert(invocation.request_id.clone(), running);
        assert!(
            before.is_none(),
            "an invocation of the same request id is under way"
        );
        lock(&self.waiting).push_back(invocation);
        self.arrived.notify_one();
        Expected { taken, done }
    }

    pub(super) fn forget(&self, id: &str) {
        lock(&self.running).remove(id);
        lock(&self.waiting).retain(|invocation| invocation.request_id != id);
    }

    pub(super) fn init_error(&self) -> Option<InitError> {
        lock(&self.init_error).clone()
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.polls.send_modify(|polls| *polls += 1);
        let invocation = loop {
            if let Some(invocation) = lock(&self.waiting).pop_front() {
                break invocation;
            }
            self.arrived.notified().await;
        };
        if let Some(taken) = lock(&self.running)
            .get_mut(&invocation.request_id)
            .and_then(|running| running.taken.take())
        {
            // A test that does not wait any more is told nothing.
            taken.send(Instant::now()).ok();
        }
        let deadline = (SystemTime::now() + invocation.time)
            .duration_since(UNIX_EPOCH)
            .expect("a clock after 1970");
        Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &invocation.request_id)
            .header(
                "lambda-runtime-deadline-ms",
                deadline.as_millis().to_string(),
            )
            .header(
                "lambda-runtime-invoked-function-arn",
                format!("arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}"),
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            )
            .body(Full::from(invocation.event.to_string()))
            .expect("these are headers")
    }

    fn finish(&self, id: &str, outcome: Outcome) -> Response<Full<Bytes>> {
        match lock(&self.running).remove(id) {
            Some(running) => {
                running.done.send(outcome).ok();
                accepted()
            }
            None => refused(StatusCode::BAD_REQUEST, "InvalidRequestID"),
        }
    }

    fn answered(&self, id: &str, body: &Bytes) -> Response<Full<Bytes>> {
        if body.len() > LONGEST_ANSWER {
            let error_type = "Function.ResponseSizeTooLarge";
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({LONGEST_ANSWER} bytes)."
            );
            self.finish(
                id,
                Outcome::Error {
                    error_type: error_type.into(),
                    message,
                },
            );
            return refused(StatusCode::PAYLOAD_TOO_LARGE, error_type);
        }
        let text = || Value::String(String::from_utf8_lossy(body).into_owned());
        self.finish(
            id,
            Outcome::Response(serde_json::from_slice(body).unwrap_or_else(|_| text())),
        )
    }

    fn failed(&self, id: &str, body: &Bytes) -> Response<Full<Bytes>> {
        let error = diagnostic(body);
        self.finish(
            id,
            Outcome::Error {
                error_type: error.error_type,
                message: error.error_message,
            },
        )
    }

    async fn call(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
        else {
            return refused(StatusCode::BAD_REQUEST, "TruncatedBody");
        };
        let path = parts.uri.path().strip_prefix(ROOT).unwrap_or_default();
        let segments: Vec<_> = path.split('/').collect();
        match (parts.method, &segments[..]) {
            (Method::GET, ["invocation", "next"]) => self.next().await,
            (Method::POST, ["invocation", id, "response"]) => self.answered(id, &body),
            (Method::POST, ["invocation", id, "error"]) => self.failed(id, &body),
            (Method::POST, ["init", "error"]) => {
                *lock(&self.init_error) = Some(diagnostic(&body));
                accepted()
            }
            _ => refused(StatusCode::NOT_FOUND, "NotFound"),
        }
    }
}

/// Serves until it is dropped.
pub(super) async fn serve(listener: StdListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("a listening socket can be registered");
    loop {
        // An error of accept is one client's: it went away before it was taken.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        let state = Arc::clone(&state);
        let service = service_fn(move |request| {
            let state = Arc::clone(&state);
            async move { Ok::<_, Infallible>(state.call(request).await) }
        });
        // How a connection ended shows in the invocation's outcome.
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn diagnostic(body: &Bytes) -> InitError {
    serde_json::from_slice(body).unwrap_or_else(|error| InitError {
        error_type: "Runtime.BadDiagnostic".into(),
        error_message: format!("{error}: {}", String::from_utf8_lossy(body)),
    })
}

fn accepted() -> Response<Full<Bytes>> {
    answer(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

fn refused(status: StatusCode, error_type: &str) -> Response<Full<Bytes>> {
    answer(
        status,
        format!(r#"{{"errorType":"{error_type}","errorMessage":"{error_type}"}}"#),
    )
}

fn answer(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
