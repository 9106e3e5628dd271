//! Event buses of the account, and what rules of them put into queues.

use serde_json::{Value, json};
use testkit::receipt;

use crate::account::Account;
use crate::queue::{Queue, create_queue, delete, receive};

/// Makes an event bus; its ARN.
pub(crate) async fn create_bus(account: &Account, name: &str) -> String {
    let created = account
        .aws
        .run(&["events", "create-event-bus", "--name", name])
        .await;
    created["EventBusArn"].as_str().expect("an ARN").to_owned()
}

/// Has a bus send what is like `pattern` to `target`.
pub(crate) async fn create_rule(
    account: &Account,
    bus: &str,
    name: &str,
    pattern: &Value,
    target: &str,
) {
    let rule = ["events", "put-rule", "--event-bus-name", bus];
    let pattern = pattern.to_string();
    let more = ["--name", name, "--event-pattern", &pattern];
    account.aws.run(&[&rule[..], &more].concat()).await;
    let put = ["events", "put-targets", "--event-bus-name", bus];
    let targets = json!([{ "Id": "target", "Arn": target }]).to_string();
    let more = ["--rule", name, "--targets", &targets];
    account.aws.run(&[&put[..], &more].concat()).await;
}

/// The same, to a queue of the rule's own.
pub(crate) async fn create_rule_to_queue(
    account: &Account,
    bus: &str,
    name: &str,
    pattern: &Value,
) -> Queue {
    let queue = create_queue(account, name, &json!({})).await;
    create_rule(account, bus, name, pattern, &queue.arn).await;
    queue
}

/// The one event that a rule has put into its queue: its kind, and its detail, which is a receipt.
pub(crate) async fn the_receipt(account: &Account, queue: &Queue) -> (Value, Value) {
    let mut messages = Vec::new();
    account
        .eventually("an event is in the queue", async || {
            messages = receive(account, queue).await;
            !messages.is_empty()
        })
        .await;
    let [message] = &messages[..] else {
        panic!("one event, not {messages:?}");
    };
    delete(account, queue, message).await;
    let body = message["Body"].as_str().expect("a body");
    let mut event: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(event["source"], "s3-to-sftp", "{event}");
    receipt::check(&event["detail"]);
    (event["detail-type"].take(), event["detail"].take())
}
