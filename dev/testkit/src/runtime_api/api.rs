//! What tests ask of the Runtime API.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{State, serve};
use super::invocation::{InitError, Invocation, Outcome};
use crate::servers::process::Watch;
use crate::servers::thread::ServerThread;

/// How long a process may take from its start to its first event. Lambda gives ten seconds.
const START: Duration = Duration::from_secs(20);

/// How often it is looked whether the process still runs.
const LOOK: Duration = Duration::from_millis(10);

/// The Runtime API on a free port of loopback, until it is dropped.
pub struct RuntimeApi {
    port: u16,
    state: Arc<State>,
    process: Arc<Mutex<Option<Watch>>>,
    thread: ServerThread,
}

impl RuntimeApi {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When no port of loopback can be bound.
    pub async fn start() -> Self {
        crate::secrets::record();
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback can be bound");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let state = Arc::new(State::default());
        let thread = ServerThread::start("runtime-api", serve(listener, Arc::clone(&state)));
        Self {
            port,
            state,
            process: Arc::default(),
            thread,
        }
    }

    /// What `AWS_LAMBDA_RUNTIME_API` has to be.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Gives the function an event and waits for what comes of it.
    ///
    /// # Panics
    ///
    /// As for [`run`](Self::run).
    pub async fn invoke(&self, event: Value) -> Outcome {
        self.run(&Invocation::new(event)).await
    }

    /// Gives the function an event and waits for what comes of it. The same value again is Lambda's retry.
    ///
    /// # Panics
    ///
    /// When nobody takes the event for a long time, with what the process wrote.
    pub async fn run(&self, invocation: &Invocation) -> Outcome {
        let (state, process) = (Arc::clone(&self.state), Arc::clone(&self.process));
        let invocation = invocation.clone();
        // On the server's runtime: the clock of a test may be paused.
        let outcome = self
            .thread
            .handle()
            .spawn(supervise(state, process, invocation))
            .await;
        match outcome.expect("the server outlives the invocation") {
            Some(outcome) => outcome,
            None => panic!(
                "nobody took the event in {START:?}; the process wrote:\n{}",
                self.logs()
            ),
        }
    }

    /// Waits until a process asks for an event for the first time, and says how often that has happened by then.
    ///
    /// # Panics
    ///
    /// When it takes too long, with what the process wrote.
    pub async fn polled(&self) -> u64 {
        let mut polls = self.state.polls.subscribe();
        let waiting = async move {
            let wait = polls.wait_for(|polls| *polls > 0);
            tokio::time::timeout(START, wait)
                .await
                .ok()?
                .ok()
                .map(|polls| *polls)
        };
        let polled = self
            .thread
            .handle()
            .spawn(waiting)
            .await
            .expect("the server outlives the wait");
        polled.unwrap_or_else(|| {
            panic!(
                "nobody asked for an event in {START:?}; the process wrote:\n{}",
                self.logs()
            )
        })
    }

    /// What a process reported that could not start.
    pub fn init_error(&self) -> Option<InitError> {
        self.state.init_error()
    }

    /// The process whose end ends invocations.
    pub(super) fn attach(&self, process: Watch) {
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
    }

    fn logs(&self) -> String {
        watched(&self.process).map_or_else(
            || "(no process was started)".into(),
            |process| process.logs(),
        )
    }
}

/// What comes of an invocation; none when nobody takes it.
async fn supervise(
    state: Arc<State>,
    process: Arc<Mutex<Option<Watch>>>,
    invocation: Invocation,
) -> Option<Outcome> {
    let mut expected = state.give(invocation.clone());
    let given = Instant::now();
    let mut taken = None;
    loop {
        tokio::select! {
            // An answer that came just before the process's end counts.
            biased;
            done = &mut expected.done => return Some(done.expect("an invocation is forgotten below only")),
            () = tokio::time::sleep(LOOK) => {}
        }
        taken = taken.or_else(|| expected.taken.try_recv().ok());
        let process = watched(&process);
        let outcome = if let Some(status) = process.as_ref().and_then(Watch::status) {
            // What it sent last may still be on its way through the other task.
            tokio::time::timeout(LOOK, &mut expected.done)
                .await
                .ok()
                .and_then(Result::ok)
                .or(Some(Outcome::Exited(status)))
        } else if taken.is_some_and(|taken: Instant| taken.elapsed() > invocation.time) {
            if let Some(process) = process {
                process.kill();
            }
            Some(Outcome::TimedOut)
        } else if taken.is_none() && given.elapsed() > START {
            None
        } else {
            continue;
        };
        state.forget(&invocation.request_id);
        return outcome;
    }
}

fn watched(process: &Mutex<Option<Watch>>) -> Option<Watch> {
    process
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}
