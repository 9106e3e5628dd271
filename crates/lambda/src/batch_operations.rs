//! An invocation by S3 Batch Operations, answered task by task.
//!
//! It waits for the answer, so there is no next invocation: a task that was handed over would have to be called a success
//! that it may never become, or a failure that is tried again beside what goes on with it. What does not fit fails as
//! `TemporaryFailure`, and says so.

use s3_to_sftp::batch::is_hopeless;
use s3_to_sftp::error::{Cause, Error, Stage};
use s3_to_sftp::event::batch_operations::{BatchOperations, Target, Task};
use s3_to_sftp::invocation::Invocation;
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::receipt::{Outcome, Receipt};
use s3_to_sftp::side_by_side::side_by_side;
use s3_to_sftp::source::Disposal;
use serde_json::{Value, json};

use crate::Function;

/// A result's text is a column of the job's report. How much of it S3 keeps is not said.
const LONGEST_TEXT: usize = 1024;

/// Of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// It lies on the server, or there is nothing to deliver.
    Succeeded,
    /// S3 tries it again before the job is over.
    TemporaryFailure,
    /// No further attempt can help.
    PermanentFailure,
}

/// Delivers what the tasks name.
pub(crate) async fn deliver(
    function: &Function,
    invocation: &Invocation<'_>,
    batch: BatchOperations,
    request_id: &str,
) -> Value {
    let BatchOperations {
        schema,
        invocation_id,
        job,
        is_known,
        tasks,
    } = batch;
    tracing::debug!(
        job,
        tasks = tasks.len(),
        "an invocation by S3 Batch Operations"
    );
    // S3 counts a task without a result so. There is one without an id at most in what somebody else made up, and
    // to try that again would not help; anything else that is lost on its way was not delivered.
    let is_answered = is_known && tasks.iter().all(|task| task.id.is_some());
    let missing = if is_answered {
        Code::TemporaryFailure
    } else {
        Code::PermanentFailure
    };
    let mut results = Vec::new();
    let width = function.deliverer.width();
    let deliveries = tasks.into_iter().map(|task| {
        let Task { id, target } = task;
        let delivery = begin(invocation, target, id.is_some(), request_id);
        async move { (id, delivery.await) }
    });
    side_by_side(width, deliveries, |(id, (code, text))| {
        if let Some(id) = id {
            results.push(json!({
                "taskId": id,
                "resultCode": code.as_str(),
                "resultString": cut(&text),
            }));
        }
    })
    .await;
    json!({
        "invocationSchemaVersion": schema,
        "treatMissingKeysAs": missing.as_str(),
        "invocationId": invocation_id,
        "results": results,
    })
}

/// One task: what the report is told of it.
fn begin<'a>(
    invocation: &'a Invocation<'_>,
    target: Result<Target, s3_to_sftp::event::EventError>,
    has_id: bool,
    request_id: &'a str,
) -> impl Future<Output = (Code, String)> + 'a {
    // Begun now: this is what the order of tasks with one path is known by.
    let begun = match target {
        Ok(target) if has_id => {
            let Target {
                name,
                version_id,
                with_plus,
            } = target;
            let delivery = invocation.deliver_version(name, version_id, request_id);
            Ok((delivery, with_plus))
        }
        Ok(_) => Err(refused(
            s3_to_sftp::event::batch_operations::TaskRefused::Missing("taskId").into(),
        )),
        Err(error) => Err(refused(error)),
    };
    async move {
        let (delivery, with_plus) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                tracing::error!(error_type = error.name(), "{}", error.report());
                return failed(&error);
            }
        };
        let outcome = delivery.await;
        match (&outcome, with_plus) {
            (Outcome::Gone(_), Some(other)) => gone_with_plus(invocation, outcome, other).await,
            _ => result(outcome),
        }
    }
}

fn refused(error: s3_to_sftp::event::EventError) -> Error {
    Error {
        stage: Stage::Event,
        object: None,
        cause: Cause::Event(error),
    }
}

/// Nothing has the key in which a plus is a blank. What is meant may be the other one, and then it is not delivered.
async fn gone_with_plus(
    invocation: &Invocation<'_>,
    gone: Outcome,
    other: ObjectName,
) -> (Code, String) {
    match invocation.is_there(&other).await {
        Ok(false) => result(gone),
        Ok(true) => {
            let text = format!(
                "the manifest's key means blanks where it has `+`, and nothing is there; {other} is there, with the plus \
                 in its key: write the plus as %2B in the manifest"
            );
            tracing::error!(object = %other, "{text}");
            (Code::PermanentFailure, text)
        }
        Err(error) => failed(&error),
    }
}

fn result(outcome: Outcome) -> (Code, String) {
    match outcome {
        Outcome::Delivered(receipt, disposal) => (Code::Succeeded, delivered(&receipt, disposal)),
        Outcome::Gone(object) => (
            Code::Succeeded,
            format!("gone: nothing is there to deliver ({object})"),
        ),
        // As it was asked for; the source is where it was, and the text tells why.
        Outcome::Skipped(_, why) => (Code::Succeeded, why.to_string()),
        Outcome::Failed(error) => failed(&error),
        // Nobody is there to go on with it.
        Outcome::Continued(object, _) => (
            Code::TemporaryFailure,
            format!("{object} is not delivered yet"),
        ),
    }
}

/// The delivery stands, whatever became of the source: to try it again would be to send the file again.
fn delivered(receipt: &Receipt, disposal: Disposal) -> String {
    match disposal {
        Disposal::NotDeleted => format!(
            "{receipt}; SourceNotDeleted: the source could not be deleted, see the function's log"
        ),
        _ => receipt.to_string(),
    }
}

fn failed(error: &Error) -> (Code, String) {
    let code = if is_hopeless(std::slice::from_ref(error)) {
        Code::PermanentFailure
    } else {
        Code::TemporaryFailure
    };
    let mut text = format!("{}: {}", error.name(), error.report());
    if matches!(error.cause, Cause::Deadline) {
        text.push_str(
            "; S3 Batch Operations waits for each object, so what takes longer than one invocation is sent through a \
             queue: by its event, or by a sweep",
        );
    }
    (code, text)
}

impl Code {
    fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::TemporaryFailure => "TemporaryFailure",
            Self::PermanentFailure => "PermanentFailure",
        }
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST_TEXT)]
}
