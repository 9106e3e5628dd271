//! Uploads, by notification and by queue.

use serde_json::{Value, json};

use crate::account::{Account, FUNCTION, package};

#[tokio::test]
async fn an_upload_by_the_aws_cli_arrives_on_openssh_and_its_source_is_deleted() {
    let account = Account::new().await;
    let arn = account
        .create_function("provided.al2023", "bootstrap", 60, &package())
        .await;
    account.notify_function(&arn).await;

    let key = "in/Jahresabschluß 2026 + Anhänge (ä).csv";
    account.upload(key, 1_500_000).await;
    account.assert_delivered(key, 1_500_000).await;

    // Above 8 MiB the AWS CLI uploads in parts: another event name, an ETag that is no MD5.
    account.upload("large.bin", 20_000_003).await;
    account.assert_delivered("large.bin", 20_000_003).await;

    account.upload("empty", 0).await;
    account.assert_delivered("empty", 0).await;
    assert_eq!(account.inbox().await, [""; 0]);
}

#[tokio::test]
async fn an_upload_through_a_queue_is_delivered_and_only_what_failed_stays_in_the_queue() {
    let account = Account::new().await;
    // Lambda wants the visibility time-out to be the function's time-out at least.
    const TIMEOUT: u32 = 6;
    account
        .create_function("provided.al2023", "bootstrap", TIMEOUT, &package())
        .await;
    let dead = create_queue(&account, "dead", &json!({})).await;
    let redrive = json!({ "deadLetterTargetArn": dead.arn, "maxReceiveCount": "1" });
    let attributes = json!({
        "VisibilityTimeout": TIMEOUT.to_string(),
        "RedrivePolicy": redrive.to_string(),
    });
    let queue = create_queue(&account, "inbox", &attributes).await;
    account
        .notify(json!({ "QueueConfigurations": [
            { "QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"] }
        ] }))
        .await;
    // In the queue before anybody reads it, so that they come as one batch.
    let garbage = "no JSON at all";
    account
        .aws
        .run(&[
            "sqs",
            "send-message",
            "--queue-url",
            &queue.url,
            "--message-body",
            garbage,
        ])
        .await;
    let key = "in/a b+ü.csv";
    account.upload(key, 700_001).await;
    account
        .aws
        .run(&[
            "lambda",
            "create-event-source-mapping",
            "--function-name",
            FUNCTION,
            "--event-source-arn",
            &queue.arn,
            "--batch-size",
            "10",
            "--function-response-types",
            "ReportBatchItemFailures",
        ])
        .await;

    account.assert_delivered(key, 700_001).await;
    // What failed is received again until it is given up; what was delivered is never seen again.
    let mut given_up = Vec::new();
    account
        .eventually("what failed is in the dead-letter queue", async || {
            given_up.extend(receive(&account, &dead).await);
            !given_up.is_empty()
        })
        .await;
    account
        .eventually("the queue is empty", async || {
            held(&account, &queue).await == 0
        })
        .await;
    given_up.extend(receive(&account, &dead).await);
    assert_eq!(given_up, [garbage]);
}

struct Queue {
    url: String,
    arn: String,
}

async fn create_queue(account: &Account, name: &str, attributes: &Value) -> Queue {
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
async fn held(account: &Account, queue: &Queue) -> u32 {
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

/// The bodies of the messages that a queue gives out, which hides them for a while.
async fn receive(account: &Account, queue: &Queue) -> Vec<String> {
    let arguments = ["sqs", "receive-message", "--queue-url", &queue.url];
    let more = ["--max-number-of-messages", "10", "--wait-time-seconds", "1"];
    let answer = account.aws.run(&[&arguments[..], &more].concat()).await;
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    let bodies = messages
        .iter()
        .filter_map(|message| message["Body"].as_str());
    bodies.map(str::to_owned).collect()
}
