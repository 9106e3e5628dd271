//! Uploads, by notification and by queue.

use serde_json::json;

use crate::account::{Account, FUNCTION, package};
use crate::queue::{Queue, create_queue, held, receive};

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
            given_up.extend(bodies(&account, &dead).await);
            !given_up.is_empty()
        })
        .await;
    account
        .eventually("the queue is empty", async || {
            held(&account, &queue).await == 0
        })
        .await;
    given_up.extend(bodies(&account, &dead).await);
    assert_eq!(given_up, [garbage]);
}

async fn bodies(account: &Account, queue: &Queue) -> Vec<String> {
    let messages = receive(account, queue).await;
    let bodies = messages
        .iter()
        .filter_map(|message| message["Body"].as_str());
    bodies.map(str::to_owned).collect()
}
