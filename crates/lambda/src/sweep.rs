//! A sweep: what has lain in S3 for too long, into the queue, and how old the oldest of it is.

use std::time::SystemTime;

use s3_to_sftp::error::{Error, Stage};
use s3_to_sftp::event::sweep::{SweepRefused, SweepRequest};
use s3_to_sftp::hand_over::RelayError;
use s3_to_sftp::sweep::{Clock, SweepQueue, Swept};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Function;
use crate::aws::Aws;
use crate::failure::Failure;
use crate::metrics::{Metric, Unit};
use crate::queues::send_batch;

/// The function's queue, by its URL.
struct Queue<'a> {
    aws: &'a Aws,
    url: &'a str,
}

impl SweepQueue for Queue<'_> {
    async fn send(&self, messages: &[String]) -> Result<usize, RelayError> {
        send_batch(self.aws, self.url, messages).await
    }
}

/// Sweeps until `until`; what is not reached is left to the next run. An answer with counts, or why it has failed:
/// Lambda tries that again.
pub(crate) async fn run(
    function: &Function,
    request: Result<SweepRequest, SweepRefused>,
    request_id: &str,
    until: Instant,
) -> Result<Value, Failure> {
    let refused = |why: SweepRefused| {
        told(Error {
            stage: Stage::Sweep,
            object: None,
            cause: why.into(),
        })
    };
    let request = request.map_err(refused)?;
    let settings = function.deliverer.settings();
    let url = settings.sweep_queue_url.as_deref();
    let url = url.ok_or_else(|| refused(SweepRefused::NoQueue))?;
    let queue = Queue {
        aws: &function.aws,
        url,
    };
    let clock = Clock {
        now: SystemTime::now().into(),
        until,
    };
    let sweeping = function
        .deliverer
        .sweep(&request, clock, request_id, &queue);
    let (swept, result) = sweeping.await;
    // Not where nothing was seen: 0 would say that nothing is left.
    if result.is_ok() || swept.listed > 0 {
        let oldest = Metric::new("OldestUndelivered", Unit::Seconds, swept.oldest_seconds);
        function.metrics.write(&[oldest]);
    }
    let answer = counts(&request, &swept);
    match &swept.reached {
        Some(key) => tracing::warn!(
            swept = %answer,
            "swept up to {key:?}: the time was over, and the rest is left to the next run"
        ),
        None => tracing::info!(swept = %answer, "swept {request}"),
    }
    result.map_err(told)?;
    Ok(answer)
}

fn counts(request: &SweepRequest, swept: &Swept) -> Value {
    let Swept {
        listed,
        sent,
        not_sent,
        younger,
        own,
        folder_markers,
        oldest_seconds,
        reached,
    } = swept;
    json!({
        "swept": request.to_string(),
        "listed": listed,
        "sent": sent,
        "not_sent": not_sent,
        "younger": younger,
        "own": own,
        "folder_markers": folder_markers,
        "oldest_seconds": oldest_seconds,
        "complete": reached.is_none(),
    })
}

/// In the log once, and to Lambda.
fn told(error: Error) -> Failure {
    tracing::error!(error_type = error.name(), "{}", error.report());
    Failure::of(&[error])
}
