//! Queues of the account.

use serde_json::{Value, json};

use crate::account::{Account, FUNCTION};

/// A queue of the account.
pub(crate) struct Queue {
    pub(crate) url: String,
    pub(crate) arn: String,
}

pub(crate) async fn create_queue(account: &Account, name: &str, attributes: &Value) -> Queue {
    let attributes = attributes.to_string();
    let created = account
        .aws
        .run(&[
            "sqs",
            "create-queue",
            "--queue-name",
            name,
            "--attributes",
            &attributes,
        ])
        .await;
    let url = created["QueueUrl"].as_str().expect("a URL").to_owned();
    let arn = attribute(account, &url, "QueueArn").await;
    Queue { url, arn }
}

/// How many messages a queue holds, those in flight included.
pub(crate) async fn held(account: &Account, queue: &Queue) -> u32 {
    let mut held = 0;
    for name in [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ] {
        let number = attribute(account, &queue.url, name).await;
        held += number.parse::<u32>().expect("a number");
    }
    held
}

async fn attribute(account: &Account, url: &str, name: &str) -> String {
    let arguments = [
        "sqs",
        "get-queue-attributes",
        "--queue-url",
        url,
        "--attribute-names",
        name,
    ];
    let answer = account.aws.run(&arguments).await;
    answer["Attributes"][name]
        .as_str()
        .expect("text")
        .to_owned()
}

/// The messages that a queue gives out, which hides them for a while.
pub(crate) async fn receive(account: &Account, queue: &Queue) -> Vec<Value> {
    let arguments = ["sqs", "receive-message", "--queue-url", &queue.url];
    let more = [
        "--max-number-of-messages",
        "10",
        "--wait-time-seconds",
        "1",
        "--message-attribute-names",
        "All",
    ];
    let answer = account.aws.run(&[&arguments[..], &more].concat()).await;
    answer["Messages"].as_array().cloned().unwrap_or_default()
}

/// Takes a message that was received out of its queue.
pub(crate) async fn delete(account: &Account, queue: &Queue, message: &Value) {
    let handle = message["ReceiptHandle"].as_str().expect("a handle");
    let arguments = ["sqs", "delete-message", "--queue-url", &queue.url];
    let more = ["--receipt-handle", handle];
    account.aws.run(&[&arguments[..], &more].concat()).await;
}

/// Puts a message into a queue.
pub(crate) async fn send(account: &Account, queue: &Queue, body: &str) {
    let file = account.write("message", body);
    let body = format!("file://{}", crate::account::text(&file));
    let arguments = ["sqs", "send-message", "--queue-url", &queue.url];
    let more = ["--message-body", &body];
    account.aws.run(&[&arguments[..], &more].concat()).await;
}

/// A queue that gives a message up to another one after so many receives.
pub(crate) async fn create_queue_before(
    account: &Account,
    dead: &Queue,
    receives: u32,
    visibility: u32,
) -> Queue {
    let redrive = json!({
        "deadLetterTargetArn": dead.arn,
        "maxReceiveCount": receives.to_string(),
    });
    let attributes = json!({
        "VisibilityTimeout": visibility.to_string(),
        "RedrivePolicy": redrive.to_string(),
    });
    create_queue(account, "inbox", &attributes).await
}

/// Has the function read the queue, one batch at a time.
pub(crate) async fn trigger_by(account: &Account, queue: &Queue) {
    let once = [
        "lambda",
        "put-function-concurrency",
        "--function-name",
        FUNCTION,
        "--reserved-concurrent-executions",
        "1",
    ];
    account.aws.run(&once).await;
    let mapping = [
        "lambda",
        "create-event-source-mapping",
        "--function-name",
        FUNCTION,
        "--event-source-arn",
        &queue.arn,
        "--function-response-types",
        "ReportBatchItemFailures",
    ];
    account.aws.run(&mapping).await;
}
