//! Messages from SNS, straight to the function.

use serde_json::json;
use testkit::event::{self, ObjectRef};

use crate::world::{BUCKET, World, counts, notification, refuse_to_open};

#[tokio::test]
async fn a_topic_s_message_is_delivered_and_answered_like_s3_s_own() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let key = "in/red flower+é.csv";
    let event = event::sns(&world.uploaded(key, "content").to_string());
    let outcome = world.api.invoke(event).await;
    assert_eq!(counts(outcome.response()), [1, 0, 0, 0, 0]);
    assert_eq!(outcome.response()["receipts"][0]["key"], key);
    assert_eq!(world.file(key), b"content");
    assert!(!world.has_source(key));
}

#[tokio::test]
async fn an_eventbridge_event_in_a_topic_s_message_keeps_its_key() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let key = "a%2Bb c+d.csv";
    let object = world.upload(key, "content");
    let event = event::sns(&event::eventbridge(BUCKET, &object).to_string());
    assert_eq!(
        counts(world.api.invoke(event).await.response()),
        [1, 0, 0, 0, 0]
    );
    assert_eq!(world.file(key), b"content");
}

#[tokio::test]
async fn if_one_fails_the_invocation_does_and_the_others_are_delivered() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.sftp.hook(refuse_to_open("two"));
    let objects = ["one", "two"].map(|key| world.upload(key, key));
    let mut event = event::sns(&notification(&objects).to_string());
    let three = event::sns(&world.uploaded("three", "three").to_string());
    let garbage = event::sns("no JSON at all");
    for more in [&garbage, &three] {
        let record = more["Records"][0].clone();
        event["Records"]
            .as_array_mut()
            .expect("records")
            .push(record);
    }
    let outcome = world.api.invoke(event.clone()).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "DeliveriesFailed");
    assert_eq!(message.lines().count(), 2, "{message}");
    assert!(message.contains("s3://inbox/two"), "{message}");
    assert!(message.contains("no JSON at all"), "{message}");
    world.assert_tree(&["one", "three"]);
    assert!(world.has_source("two"));

    // Lambda tries again with the same event.
    world.sftp.clear_hooks();
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.error().0, "EventNotUnderstood", "the garbage");
    world.assert_tree(&["one", "three", "two"]);
    assert_eq!(world.file("two"), b"two");
}

#[tokio::test]
async fn s3s_test_event_in_a_topic_s_message_is_acknowledged() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let event = event::sns(&event::test_event(BUCKET).to_string());
    assert_eq!(
        counts(world.api.invoke(event).await.response()),
        [0, 0, 1, 0, 0]
    );
    bootstrap
        .wait_for_line(|line| line.contains("acknowledged: S3's test event"))
        .await;
    assert_eq!(world.sftp.connections(), 0);
}

#[tokio::test]
async fn what_is_gone_is_a_success() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let gone = notification(&[ObjectRef::new("no such", 1, "0")]);
    let outcome = world.api.invoke(event::sns(&gone.to_string())).await;
    assert_eq!(counts(outcome.response()), [0, 1, 0, 0, 0]);
}

/// Whoever may publish to the topic is not whoever may invoke the function or write to its queue.
#[tokio::test]
async fn a_continuation_in_a_topic_s_message_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("large", "content");
    let continuation =
        json!({ "s3-to-sftp": { "layout": 1, "bucket": BUCKET, "key": "large", "hop": 0 } });
    let text = continuation.to_string();
    let outcome = world.api.invoke(event::sns(&text)).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(message.contains("it came by a topic"), "{message}");

    let wrapped = event::sns_envelope(&text).to_string();
    let by_bus = event::failed_invocation_by_eventbridge(&continuation).to_string();
    let batch = event::sqs(&[("by-topic", wrapped), ("by-bus", by_bus)]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(
        outcome.response(),
        &crate::world::failures(&["by-topic", "by-bus"])
    );
    assert!(world.has_source("large"));
    world.assert_tree(&[]);

    // By itself in the queue it is one.
    let outcome = world.api.invoke(event::sqs(&[("own", text)])).await;
    assert_eq!(outcome.response(), &crate::world::failures(&[]));
    world.assert_tree(&["large"]);
}
