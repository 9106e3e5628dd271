//! Uploads that come by a topic or by EventBridge, straight or through a queue, and what is sent again from where failed
//! invocations end.

use serde_json::json;

use crate::account::{Account, FUNCTION, INBOX, package};
use crate::bus::create_rule;
use crate::queue::{Queue, create_queue, create_queue_before, held, trigger_by};

const TIMEOUT: u32 = 10;

/// A name that another decoding would change.
const NAME: &str = "a+b %2B ü.csv";

async fn create_topic(account: &Account, name: &str) -> String {
    let created = account
        .aws
        .run(&["sns", "create-topic", "--name", name])
        .await;
    created["TopicArn"].as_str().expect("an ARN").to_owned()
}

async fn subscribe(account: &Account, topic: &str, protocol: &str, to: &str, attributes: &[&str]) {
    let subscribe = [
        "sns",
        "subscribe",
        "--topic-arn",
        topic,
        "--protocol",
        protocol,
        "--notification-endpoint",
        to,
    ];
    account
        .aws
        .run(&[&subscribe[..], attributes].concat())
        .await;
}

/// Has EventBridge send what is created below `prefix` to `target`.
async fn rule(account: &Account, name: &str, prefix: &str, target: &str) {
    let pattern = json!({
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": { "name": [INBOX] },
            "object": { "key": [{ "prefix": prefix }] }
        }
    });
    create_rule(account, "default", name, &pattern, target).await;
}

async fn is_empty(account: &Account, queue: &Queue) -> bool {
    held(account, queue).await == 0
}

#[tokio::test]
async fn uploads_arrive_by_topics_and_by_eventbridge_straight_and_through_queues() {
    let account = Account::new().await;
    let function = account
        .create_function("provided.al2023", "bootstrap", TIMEOUT, &package())
        .await;
    let dead = create_queue(&account, "dead", &json!({})).await;
    let queue = create_queue_before(&account, &dead, 2, TIMEOUT).await;
    let (straight, wrapped, raw) = (
        create_topic(&account, "straight").await,
        create_topic(&account, "wrapped").await,
        create_topic(&account, "raw").await,
    );
    subscribe(&account, &straight, "lambda", &function, &[]).await;
    subscribe(&account, &wrapped, "sqs", &queue.arn, &[]).await;
    let attributes = ["--attributes", "RawMessageDelivery=true"];
    subscribe(&account, &raw, "sqs", &queue.arn, &attributes).await;
    rule(&account, "straight", "bus-straight/", &function).await;
    rule(&account, "queued", "bus-queued/", &queue.arn).await;

    // This sends `s3:TestEvent` to each of them, too.
    let by_topic = |topic: &str, prefix: &str| {
        json!({
            "TopicArn": topic,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": { "Key": { "FilterRules": [{ "Name": "prefix", "Value": prefix }] } }
        })
    };
    account
        .notify(json!({
            "TopicConfigurations": [
                by_topic(&straight, "topic-straight/"),
                by_topic(&wrapped, "topic-wrapped/"),
                by_topic(&raw, "topic-raw/"),
            ],
            "QueueConfigurations": [{
                "QueueArn": queue.arn,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": { "Key": { "FilterRules": [{ "Name": "prefix", "Value": "queue/" }] } }
            }],
            "EventBridgeConfiguration": {}
        }))
        .await;

    let keys = [
        "topic-straight",
        "topic-wrapped",
        "topic-raw",
        "bus-straight",
        "bus-queued",
        "queue",
    ]
    .map(|way| format!("{way}/{NAME}"));
    for (key, size) in keys.iter().zip(100_001..) {
        account.upload(key, size).await;
    }
    // Those of the queue are there before anybody reads it: one batch holds all shapes.
    trigger_by(&account, &queue).await;
    for (key, size) in keys.iter().zip(100_001..) {
        account.assert_delivered(key, size).await;
    }
    assert_eq!(account.inbox().await, [""; 0]);
    account
        .eventually("the queue is empty", async || {
            is_empty(&account, &queue).await
        })
        .await;
    assert!(is_empty(&account, &dead).await, "nothing has failed");
}

/// A direct event that fails ends in a queue with its record; from there it is delivered once the reason is gone.
#[tokio::test]
async fn what_an_on_failure_destination_holds_is_delivered_when_it_is_read() {
    let account = Account::new().await;
    let wrong = vec![("SSH_DIR".to_owned(), "no-such-directory".to_owned())];
    let function = account
        .create_function_with("provided.al2023", "bootstrap", TIMEOUT, &package(), wrong)
        .await;
    let failed = create_queue(
        &account,
        "failed",
        &json!({ "VisibilityTimeout": TIMEOUT.to_string() }),
    )
    .await;
    let destination = json!({ "OnFailure": { "Destination": failed.arn } }).to_string();
    account
        .aws
        .run(&[
            "lambda",
            "put-function-event-invoke-config",
            "--function-name",
            FUNCTION,
            "--maximum-retry-attempts",
            "0",
            "--destination-config",
            &destination,
        ])
        .await;
    account.notify_function(&function).await;
    let key = format!("in/{NAME}");
    account.upload(&key, 70_001).await;
    account
        .eventually("the record of the failure is in the queue", async || {
            !is_empty(&account, &failed).await
        })
        .await;
    assert_eq!(account.inbox().await, [key.as_str()]);

    account.set_environment(Vec::new()).await;
    trigger_by(&account, &failed).await;
    account.assert_delivered(&key, 70_001).await;
    account
        .eventually("the queue is empty", async || {
            is_empty(&account, &failed).await
        })
        .await;
}
