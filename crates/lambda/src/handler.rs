//! An event in, an answer or an error out.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use s3_to_sftp::error::{Cause, Error, Stage};
use s3_to_sftp::event::{self, Event, Item, Message};
use s3_to_sftp::invocation::{Deliverer, Invocation};
use s3_to_sftp::owner::Owner;
use s3_to_sftp::receipt::{Outcome, Receipt};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The event as it came: what it is, the library finds out.
pub(crate) type Payload = Box<RawValue>;

/// Lambda fails an invocation whose answer is above 6 MB, after the work is done. Receipts stop
/// long before; the counts beside them go on.
const ANSWER_LIMIT: usize = 256 * 1024;

/// An error's message is for people: this many failed records are spelt out.
const REPORTED: usize = 20;

/// Why the invocation, or the whole batch, has failed.
#[derive(Debug)]
pub(crate) struct Failure {
    name: &'static str,
    message: String,
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.name.to_owned(),
            error_message: failure.message,
        }
    }
}

/// Delivers what the event names.
pub(crate) async fn handle(
    deliverer: &Deliverer,
    event: LambdaEvent<Payload>,
) -> Result<Value, Failure> {
    let LambdaEvent { payload, context } = event;
    let event = event::parse(payload.get().as_bytes()).map_err(|error| {
        failure(&[Error {
            stage: Stage::Event,
            object: None,
            cause: Cause::Event(error),
        }])
    })?;
    let (deadline, end) = deadline(&context);
    let mut invocation = deliverer.invocation(deadline).ending_by(end);
    let answer = match event {
        Event::Test => {
            tracing::info!("acknowledged: S3's test event, which holds no object");
            Ok(Value::Null)
        }
        Event::Notification(items) => {
            notification(&mut invocation, items, &context.request_id).await
        }
        Event::Queue(messages) => queue(&mut invocation, messages).await,
    };
    invocation.finish().await;
    answer
}

/// A direct notification fails if any record does, so that Lambda tries again. What was delivered
/// is gone by then, and says so.
async fn notification(
    invocation: &mut Invocation<'_>,
    items: Vec<Item>,
    request_id: &str,
) -> Result<Value, Failure> {
    let mut receipts = Vec::new();
    let (mut gone, mut skipped, mut continued) = (0_usize, 0_usize, 0_usize);
    let mut errors = Vec::new();
    for item in items {
        match invocation.deliver(item, request_id).await {
            Outcome::Delivered(receipt, _) => receipts.push(receipt),
            Outcome::Gone(_) => gone += 1,
            Outcome::Continued(..) => continued += 1,
            Outcome::Skipped(..) => skipped += 1,
            Outcome::Failed(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(failure(&errors));
    }
    Ok(json!({
        "delivered": receipts.len(),
        "gone": gone,
        "skipped": skipped,
        "continued": continued,
        "receipts": within_limit(&receipts),
    }))
}

/// A queue is told exactly which messages failed. A message without an id cannot be named: it fails
/// the batch.
async fn queue(invocation: &mut Invocation<'_>, messages: Vec<Message>) -> Result<Value, Failure> {
    let mut failed = Vec::new();
    let mut nameless = Vec::new();
    for message in messages {
        let errors = deliver_message(invocation, &message).await;
        if errors.is_empty() {
            continue;
        }
        match message.id {
            Some(id) => failed.push(json!({ "itemIdentifier": id })),
            None => nameless.extend(errors),
        }
    }
    if !nameless.is_empty() {
        return Err(failure(&nameless));
    }
    Ok(json!({ "batchItemFailures": failed }))
}

async fn deliver_message(invocation: &mut Invocation<'_>, message: &Message) -> Vec<Error> {
    // A message that is received again is another attempt, and its predecessor may still be alive.
    let owner = Owner::attempt(
        message.id.as_deref().unwrap_or("nameless"),
        message.receive_count.unwrap_or(0),
    );
    let items = match &message.content {
        Ok(items) => items.clone(),
        Err(error) => vec![Item::Refused(error.clone())],
    };
    let mut errors = Vec::new();
    for item in items {
        if let Outcome::Failed(error) = invocation.deliver(item, owner.clone()).await {
            errors.push(error);
        }
    }
    errors
}

/// The receipts that fit into an answer, in order.
fn within_limit(receipts: &[Box<Receipt>]) -> Vec<Value> {
    let mut size = 0;
    receipts
        .iter()
        .filter_map(|receipt| serde_json::to_value(receipt).ok())
        .take_while(|receipt| {
            size += receipt.to_string().len();
            size <= ANSWER_LIMIT
        })
        .collect()
}

/// One error for all that failed: their own name where they share it.
fn failure(errors: &[Error]) -> Failure {
    let name = match errors {
        [first, rest @ ..] if rest.iter().all(|error| error.name() == first.name()) => first.name(),
        _ => "DeliveriesFailed",
    };
    let mut message = errors
        .iter()
        .take(REPORTED)
        .map(Error::report)
        .collect::<Vec<_>>()
        .join("\n");
    if errors.len() > REPORTED {
        message.push_str(&format!("\nand {} more", errors.len() - REPORTED));
    }
    Failure { name, message }
}

/// When the last file may be published, and when everything has to be over: before Lambda ends it. The
/// first leaves a tenth of the time to remove the temporary, to delete the source, and to answer. At
/// least a second, for a round trip or two and S3's delete; at most ten, which a server that is slow to
/// remove a file may take. The second leaves half of that, for the answer alone.
fn deadline(context: &Context) -> (Instant, Instant) {
    let left = context
        .deadline()
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    let margin = (left / 10).clamp(Duration::from_secs(1), Duration::from_secs(10));
    let now = Instant::now();
    (
        now + left.saturating_sub(margin),
        now + left.saturating_sub(margin / 2),
    )
}
