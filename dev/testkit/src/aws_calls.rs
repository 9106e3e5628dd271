//! SQS, Lambda, Secrets Manager, SSM and EventBridge as far as a function calls them: every call is recorded, and answered well unless a
//! test says otherwise. Which secrets there are, a test has to say.

use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::servers::thread::ServerThread;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `SendMessage`, `Invoke`.
    pub action: String,
    /// Where it was sent to: of SQS always `/`.
    pub path: String,
    /// The region that its signature is for.
    pub region: Option<String>,
    /// `X-Amz-Invocation-Type`.
    pub invocation_type: Option<String>,
    /// Its body.
    pub body: Value,
}

/// What a call gets.
#[derive(Debug, Clone)]
pub enum Answer {
    /// What AWS answers when all is well.
    Well,
    /// This, with status 200.
    Body(Value),
    /// An error by its code.
    Refused(u16, &'static str),
    /// An error by its code, and its message.
    Said(u16, &'static str, &'static str),
    /// This, with status 200, and that much later: what a queue answers that was waited at.
    Late(Duration, Value),
    /// None, ever.
    Silence,
}

type Script = Box<dyn FnMut(&Call) -> Answer + Send>;

/// A running server, until it is dropped.
pub struct AwsCalls {
    port: u16,
    state: Arc<State>,
    _thread: ServerThread,
}

struct State {
    calls: Mutex<Vec<Call>>,
    script: Mutex<Script>,
}

impl AwsCalls {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When no port of loopback can be bound.
    pub async fn start() -> Self {
        let listener =
            StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback can be bound");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let state = Arc::new(State {
            calls: Mutex::default(),
            script: Mutex::new(Box::new(|_| Answer::Well)),
        });
        let thread = ServerThread::start("aws-calls", serve(listener, Arc::clone(&state)));
        Self {
            port,
            state,
            _thread: thread,
        }
    }

    /// What has a child process call this in place of AWS.
    pub fn env(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        ["SQS", "LAMBDA", "SECRETS_MANAGER", "SSM", "EVENTBRIDGE"]
            .map(|service| (format!("AWS_ENDPOINT_URL_{service}"), endpoint.clone()))
            .into()
    }

    /// Has every further call answered so.
    pub fn answer(&self, script: impl FnMut(&Call) -> Answer + Send + 'static) {
        *lock(&self.state.script) = Box::new(script);
    }

    /// The calls of an action, in order.
    pub fn of(&self, action: &str) -> Vec<Call> {
        let calls = lock(&self.state.calls);
        let wanted = calls.iter().filter(|call| call.action == action);
        wanted.cloned().collect()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        lock(&self.state.calls).clear();
    }

    /// The actions that were called, in order.
    pub fn actions(&self) -> Vec<String> {
        let calls = lock(&self.state.calls);
        calls.iter().map(|call| call.action.clone()).collect()
    }
}

impl State {
    async fn call(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return answer(400, None, json!({ "message": error.to_string() })),
        };
        let target = parts.headers.get("x-amz-target");
        let action = target
            .and_then(|target| target.to_str().ok())
            .and_then(|target| target.rsplit('.').next())
            // Of Lambda's API there is one call that a function makes.
            .unwrap_or("Invoke");
        let call = Call {
            action: action.to_owned(),
            path: parts.uri.path().to_owned(),
            region: parts.headers.get("authorization").and_then(|it| {
                // `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`
                Some(it.to_str().ok()?.split('/').nth(2)?.to_owned())
            }),
            invocation_type: parts
                .headers
                .get("x-amz-invocation-type")
                .and_then(|it| it.to_str().ok())
                .map(str::to_owned),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        let what = lock(&self.script)(&call);
        lock(&self.calls).push(call.clone());
        match what {
            Answer::Well => well(&call),
            Answer::Body(body) => answer(200, None, body),
            Answer::Refused(status, code) => refused(status, code, "as the test says"),
            Answer::Said(status, code, message) => refused(status, code, message),
            Answer::Late(time, body) => {
                tokio::time::sleep(time).await;
                answer(200, None, body)
            }
            Answer::Silence => std::future::pending().await,
        }
    }
}

/// What SQS answers to a request of several entries when it does not take those of these ids.
pub fn all_but(call: &Call, refused: &[&str]) -> Value {
    let entries = call.body["Entries"].as_array().cloned().unwrap_or_default();
    let is_refused = |entry: &&Value| entry["Id"].as_str().is_some_and(|id| refused.contains(&id));
    let (failed, done): (Vec<_>, Vec<_>) = entries.iter().partition(is_refused);
    let done: Vec<Value> = done
        .into_iter()
        .map(|entry| json!({ "Id": entry["Id"], "MessageId": "sent", "MD5OfMessageBody": "" }))
        .collect();
    let failed: Vec<Value> = failed
        .into_iter()
        .map(|entry| {
            json!({ "Id": entry["Id"], "Code": "InternalError", "Message": "as the test says", "SenderFault": false })
        })
        .collect();
    json!({ "Successful": done, "Failed": failed })
}

fn refused(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({ "__type": format!("com.amazonaws.service#{code}"), "message": message });
    answer(status, Some(code), body)
}

fn well(call: &Call) -> Response<Full<Bytes>> {
    let body = match call.action.as_str() {
        "SendMessage" => json!({ "MessageId": "sent", "MD5OfMessageBody": "" }),
        "ChangeMessageVisibilityBatch" | "SendMessageBatch" => all_but(call, &[]),
        "PutEvents" => {
            let entries = call.body["Entries"].as_array().map_or(0, Vec::len);
            json!({ "FailedEntryCount": 0, "Entries": vec![json!({ "EventId": "put" }); entries] })
        }
        "GetQueueUrl" => json!({ "QueueUrl": "http://queues.test/looked-up" }),
        "Invoke" => return answer(202, None, Value::Null),
        _ => return answer(404, Some("UnknownOperationException"), Value::Null),
    };
    answer(200, None, body)
}

fn answer(status: u16, error: Option<&str>, body: Value) -> Response<Full<Bytes>> {
    let body = if body.is_null() {
        Bytes::new()
    } else {
        body.to_string().into()
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(code) = error.and_then(|code| code.parse().ok()) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

async fn serve(listener: StdListener, state: Arc<State>) {
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
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
