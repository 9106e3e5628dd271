//! An S3 in memory: the real SDK talks HTTP to it on a port of its own.
//!
//! It answers as AWS does where a delivery depends on it, traps included: 416 for any range of an empty object,
//! conditions on GET, PUT, COPY and DELETE, versions and delete markers, composite checksums, and the checksum of
//! checksums without its `-N` for a range that covers a whole composite object.
//! [Hooks](S3Server::hook) fail, cut, slow, hold or observe single requests.
//!
//! # Layout
//!
//! | file | what it holds |
//! |---|---|
//! | `mod` | [`S3Server`]: the port and what a client needs |
//! | `store` | [`Store`]: buckets and objects without HTTP |
//! | `hook`, `fault` | what a test sees of a request and does to it; broken bodies |
//! | `api` | s3s's trait, tied to `read`, `write`, `upload`, `list` |
//! | `state` | the rules that need the lock: conditions, versions |
//! | `object`, `checksum` | what a version is made of |
//!
//! Not imitated: permissions (hooks do), ACLs, encryption, tags, the 5 MiB minimum of parts.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

mod api;
mod checksum;
mod fault;
mod hook;
mod list;
mod object;
mod read;
mod state;
mod store;
mod sync;
mod upload;
mod write;

pub use checksum::{Algorithm, Checksum, Coverage};
pub(crate) use checksum::{hex, md5};
pub use hook::{Action, Request};
pub use store::{Store, StoredVersion};

use fault::{Fault, FaultyBody, Plan};
use hook::{Gate, Hooks};

/// The server's region.
pub const REGION: &str = "us-east-1";
/// The one access key that the server knows.
pub const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// And its secret: the pair of AWS's own documentation, so that nobody takes it for a leak.
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A running S3. Dropped, it closes its port and all connections.
///
/// Everything of [`Store`] can be called on it.
pub struct S3Server {
    address: SocketAddr,
    store: Store,
    hooks: Arc<Hooks>,
    accepting: JoinHandle<()>,
}

impl S3Server {
    /// Starts a server without buckets on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// Loopback has no free port, or there is no Tokio runtime.
    pub async fn start() -> Self {
        crate::secrets::record();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let store = Store::default();
        let hooks = Arc::new(Hooks::default());
        let mut builder = S3ServiceBuilder::new(api::Api(store.clone()));
        let mut auth = SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
        // What MiniStack gives to its functions, whatever they were configured with.
        auth.register("000000000000".to_owned(), "test".into());
        builder.set_auth(auth);
        builder.set_access(Gate(Arc::clone(&hooks)));
        let accepting = tokio::spawn(accept(listener, builder.build()));
        Self {
            address,
            store,
            hooks,
            accepting,
        }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client for this server, with the SDK's own defaults for retries and checksums.
    #[must_use]
    pub fn client(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(self.config().build())
    }

    /// The configuration behind [`client`](Self::client), to change before use.
    #[must_use]
    pub fn config(&self) -> aws_sdk_s3::config::Builder {
        aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(
                ACCESS_KEY_ID,
                SECRET_ACCESS_KEY,
                None,
                None,
                "testkit",
            ))
            .endpoint_url(self.endpoint())
            .force_path_style(true)
    }

    /// The environment that lets a child process find this server. Its client addresses buckets by path on its own,
    /// since the endpoint is an IP address.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint().as_str()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
            ("AWS_REGION", REGION),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The buckets, for a hook or a task of its own.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Registers a hook that sees every request before it is carried out. The last-registered hook is asked first;
    /// the first answer that is not [`Action::Pass`] counts, and hooks registered earlier are not asked then.
    pub fn hook(&self, hook: impl FnMut(&Request) -> Action + Send + 'static) {
        self.hooks.add(hook);
    }

    /// Removes all hooks.
    pub fn clear_hooks(&self) {
        self.hooks.clear();
    }

    /// Every request so far that had a valid signature, in order of arrival; failed ones too.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.hooks.requests()
    }

    /// Begins the log anew. [`Request::number`] counts on.
    pub fn forget_requests(&self) {
        self.hooks.forget_requests();
    }

    /// How often an operation was asked for, on whatever key.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.operation == operation)
            .count()
    }
}

/// A server is used as its store in nearly every line of a test; sixteen methods that only forward would say less.
impl Deref for S3Server {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // The connections' tasks belong to this one, and end with it.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors or a client that is gone already: the next one may do better.
                let Ok((stream, _)) = accepted else {
                    tokio::task::yield_now().await;
                    continue;
                };
                connections.spawn(serve(stream, service.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, service: S3Service) {
    // Without it, each answer whose headers and body are two writes waits 40 ms for the client's delayed ACK.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let answer =
        service_fn(move |request: hyper::Request<Incoming>| answer(service.clone(), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer);
    // It ends with an error whenever a client hangs up or a hook cuts it: both are what tests do.
    let _ended = connection.await;
}

async fn answer(
    service: S3Service,
    request: hyper::Request<Incoming>,
) -> Result<HttpResponse, HttpError> {
    let plan = Plan::default();
    let mut request = request.map(Body::from);
    request.extensions_mut().insert(plan.clone());
    let mut response = service.call(request).await?;
    // What AWS support asks for: clients put it into their error messages.
    let id = state::random_id().parse().expect("letters and digits");
    response.headers_mut().insert("x-amz-request-id", id);
    match plan.take() {
        None => Ok(response),
        Some(Fault::Late(by)) => {
            tokio::time::sleep(by).await;
            Ok(response)
        }
        Some(Fault::LoseAnswer) => Err(HttpError::new("answer lost by a hook".into())),
        Some(fault) => {
            Ok(response.map(|body| Body::http_body_unsync(FaultyBody::new(body, fault))))
        }
    }
}
