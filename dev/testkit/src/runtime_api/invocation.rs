//! One event for a function, and what came of it.

use std::process::ExitStatus;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// An event and the circumstances of its delivery. Invoking the same value again is what Lambda does when it retries an
/// asynchronous invocation: the request id stays.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub(super) event: Value,
    pub(super) request_id: String,
    pub(super) time: Duration,
}

impl Invocation {
    /// An event with a request id of its own and half a minute to handle it in.
    pub fn new(event: Value) -> Self {
        let bits: u128 = rand::random();
        let hex = format!("{bits:032x}");
        let request_id = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ]
        .join("-");
        Self {
            event,
            request_id,
            time: Duration::from_secs(30),
        }
    }

    /// How long the function has, counted from when it takes the event.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// A request id of the test's choice.
    #[must_use]
    pub fn request_id(mut self, id: &str) -> Self {
        self.request_id = id.into();
        self
    }

    /// The request id.
    pub fn id(&self) -> &str {
        &self.request_id
    }
}

/// What came of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The function's answer; what is not JSON comes as a string.
    Response(Value),
    /// The function reported an error, or its answer was above Lambda's 6 MB.
    Error {
        /// `errorType`, by which Lambda's users filter.
        error_type: String,
        /// `errorMessage`.
        message: String,
    },
    /// The process ended in the midst of it.
    Exited(ExitStatus),
    /// The deadline passed, and the process was killed, as Lambda does.
    TimedOut,
}

impl Outcome {
    /// The answer.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn response(&self) -> &Value {
        match self {
            Self::Response(value) => {
                #[cfg(feature = "receipts")]
                for receipt in value["receipts"].as_array().into_iter().flatten() {
                    crate::receipt::check(receipt);
                }
                value
            }
            other => panic!("no answer but {other:?}"),
        }
    }

    /// The type and the message of the error.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    pub fn error(&self) -> (&str, &str) {
        match self {
            Self::Error {
                error_type,
                message,
            } => (error_type, message),
            other => panic!("no error but {other:?}"),
        }
    }
}

/// The error that a process reported before it took any event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitError {
    /// `errorType`.
    pub error_type: String,
    /// `errorMessage`.
    pub error_message: String,
}
