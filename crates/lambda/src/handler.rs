//! An event in, an answer or an error out.

use std::env;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, LambdaEvent};
use s3_to_sftp::batch::{DeadLetter, Reason, is_hopeless, without_repeated};
use s3_to_sftp::check::{self, Step};
use s3_to_sftp::error::{Cause, Error, Stage};
use s3_to_sftp::event::check::CheckRequest;
use s3_to_sftp::event::{self, Event, EventError, Item};
use s3_to_sftp::invocation::Invocation;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::record::{self, Record};
use s3_to_sftp::side_by_side::side_by_side;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::Level;

use crate::Function;
use crate::batch::Batch;
use crate::batch_operations;
use crate::failure::Failure;
use crate::metrics::{Metric, Unit};
use crate::relay::Next;
use crate::sweep;

/// The event as it came: what it is, the library finds out.
pub(crate) type Payload = Box<RawValue>;

/// Lambda fails an invocation whose answer is above 6 MB, after the work is done. Receipts stop
/// long before; the counts beside them go on.
const ANSWER_LIMIT: usize = 256 * 1024;

/// Delivers what the event names.
pub(crate) async fn handle(
    function: &Function,
    event: LambdaEvent<Payload>,
) -> Result<Value, Failure> {
    let LambdaEvent { payload, context } = event;
    let times = Times::of(&context);
    if !function.is_warm.swap(true, Ordering::Relaxed) && tracing::enabled!(Level::INFO) {
        function
            .metrics
            .write(&[Metric::new("ColdStart", Unit::Count, 1)]);
    }
    let invocation = function
        .deliverer
        .invocation(times.publish_by)
        .ending_by(times.end)
        .of_request(&context.request_id);
    match event::parse(payload.get().as_bytes()) {
        Ok(Event::Test) => {
            tracing::info!("acknowledged: S3's test event, which holds no object");
            Ok(Value::Null)
        }
        Ok(Event::Queue(messages)) => {
            let next = Next::after_batch(&function.aws, &function.queues, &messages);
            let invocation = invocation.handing_over_to(next);
            let batch = Batch::deliver(
                function,
                &invocation,
                messages,
                &context.request_id,
                times.end,
            )
            .await;
            invocation.finish().await;
            batch.hide(function, times.answer_by).await;
            batch.answer()
        }
        Ok(Event::BatchOperations(batch)) => {
            let request_id = &context.request_id;
            let answer = batch_operations::deliver(function, &invocation, batch, request_id).await;
            invocation.finish().await;
            Ok(answer)
        }
        Ok(Event::Sweep(request)) => {
            invocation.finish().await;
            sweep::run(function, request, &context.request_id, times.end).await
        }
        Ok(Event::Check(request)) => {
            invocation.finish().await;
            Ok(check(function, request, times.end).await)
        }
        Ok(Event::Notification(items)) => {
            let next = Next::after_direct(&function.aws, &context.invoked_function_arn);
            let invocation = invocation.handing_over_to(next);
            let direct = Direct::deliver(function, &invocation, items, &context.request_id).await;
            invocation.finish().await;
            let give_up = direct.is_hopeless()
                && give_up(function, &payload, &context, &direct.errors, times).await;
            direct.answer(give_up)
        }
        Err(error) => {
            let direct = Direct::refused(error);
            for error in &direct.errors {
                tracing::error!(error_type = error.name(), "{}", error.report());
            }
            let give_up = give_up(function, &payload, &context, &direct.errors, times).await;
            direct.answer(give_up)
        }
    }
}

/// Each step of the way, run from where the function runs. What fails is the answer, not an error: somebody waits for it.
async fn check(function: &Function, request: CheckRequest, end: Instant) -> Value {
    let options = check::Options {
        prefix: request.prefix,
        write: request.write,
        nonce: format!("{:032x}", rand::random::<u128>()),
        time: end.saturating_duration_since(Instant::now()),
    };
    let settings = Step::of_settings(|name| env::var(name).ok());
    let mut steps = vec![settings.record()];
    let telling = |step: Step| steps.push(step.record());
    let is_well = function.deliverer.check(&options, telling).await;
    tracing::info!(ok = is_well, "checked");
    json!({ "ok": is_well, "steps": steps })
}

/// What has become of a direct event.
#[derive(Debug, Default)]
struct Direct {
    receipts: Vec<Record>,
    gone: usize,
    skipped: usize,
    continued: usize,
    errors: Vec<Error>,
}

impl Direct {
    async fn deliver(
        function: &Function,
        invocation: &Invocation<'_, Next<'_>>,
        items: Vec<Item>,
        request_id: &str,
    ) -> Self {
        let mut direct = Self::default();
        let deliveries = without_repeated(items)
            .into_iter()
            .map(|item| invocation.deliver(item, request_id));
        let width = function.deliverer.width();
        side_by_side(width, deliveries, |outcome| match outcome {
            Outcome::Delivered(..) => {
                let receipt = record::of_outcome(&outcome, Some(request_id));
                direct.receipts.push(receipt);
            }
            Outcome::Gone(_) => direct.gone += 1,
            Outcome::Continued(..) => direct.continued += 1,
            Outcome::Skipped(..) => direct.skipped += 1,
            Outcome::Failed(error) => direct.errors.push(error),
        })
        .await;
        direct
    }

    /// An event that is none.
    fn refused(error: EventError) -> Self {
        let error = Error {
            stage: Stage::Event,
            object: None,
            cause: Cause::Event(error),
        };
        Self {
            errors: vec![error],
            ..Self::default()
        }
    }

    fn is_hopeless(&self) -> bool {
        is_hopeless(&self.errors)
    }

    /// A direct event fails if any record does, so that Lambda tries again. What was delivered is gone by then, and
    /// says so. What was given up is counted, and nothing to try again.
    fn answer(self, is_given_up: bool) -> Result<Value, Failure> {
        if !self.errors.is_empty() && !is_given_up {
            return Err(Failure::of(&self.errors));
        }
        Ok(json!({
            "delivered": self.receipts.len(),
            "gone": self.gone,
            "skipped": self.skipped,
            "continued": self.continued,
            "rejected": self.errors.len(),
            "receipts": within_limit(self.receipts),
        }))
    }
}

/// Whether an event that can never be delivered has been put into the dead-letter queue.
async fn give_up(
    function: &Function,
    payload: &Payload,
    context: &Context,
    errors: &[Error],
    times: Times,
) -> bool {
    let Some(url) = &function.deliverer.settings().dead_letter_queue_url else {
        return false;
    };
    let letter = DeadLetter {
        body: payload.get(),
        id: &context.request_id,
        origin: vec![
            ("FunctionArn", context.invoked_function_arn.clone()),
            ("RequestId", context.request_id.clone()),
        ],
    };
    letter
        .send(
            function.aws.sqs(),
            url,
            &Reason::of(errors),
            times.answer_by,
        )
        .await
}

/// The receipts that fit into an answer, in order.
fn within_limit(receipts: Vec<Record>) -> Vec<Value> {
    let mut size = 0;
    receipts
        .into_iter()
        .map(Value::Object)
        .take_while(|receipt| {
            size += receipt.to_string().len();
            size <= ANSWER_LIMIT
        })
        .collect()
}

/// When what has to be over, before Lambda ends it.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// The last file is published.
    publish_by: Instant,
    /// Temporaries are removed, sources deleted, the connection is closed or at rest.
    end: Instant,
    /// The queue knows when failed messages are to come again.
    answer_by: Instant,
}

impl Times {
    /// A tenth of the time is left for what follows the last file. At least a second, for a round trip or two and S3's
    /// delete; at most ten, which a server that is slow to remove a file may take. Half of that is for
    /// the server and S3, a quarter for SQS, and a quarter for the answer.
    fn of(context: &Context) -> Self {
        let left = context
            .deadline()
            .duration_since(SystemTime::now())
            .unwrap_or_default();
        let margin = (left / 10).clamp(Duration::from_secs(1), Duration::from_secs(10));
        let now = Instant::now();
        let before = |margin| now + left.saturating_sub(margin);
        Self {
            publish_by: before(margin),
            end: before(margin / 2),
            answer_by: before(margin / 4),
        }
    }
}
