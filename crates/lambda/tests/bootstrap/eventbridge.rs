//! Events from EventBridge, straight to the function.

use serde_json::json;
use testkit::event;

use crate::world::{BUCKET, World, counts, refuse_to_open};

#[tokio::test]
async fn an_object_is_delivered_by_its_key_as_it_stands_in_the_event() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    // Decoding would make others of these.
    let keys = [
        "a+b.csv",
        "100%.csv",
        "%2B.csv",
        "a%20b.csv",
        "in/ä ö.csv",
        "%FF",
    ];
    for key in keys {
        let event = event::eventbridge(BUCKET, &world.upload(key, key));
        assert_eq!(event["detail"]["object"]["key"], key);
        let outcome = world.api.invoke(event).await;
        assert_eq!(counts(outcome.response()), [1, 0, 0, 0, 0], "{key}");
        assert_eq!(world.file(key), key.as_bytes());
        assert!(!world.has_source(key), "{key}");
    }
}

#[tokio::test]
async fn one_that_fails_fails_the_invocation() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.sftp.hook(refuse_to_open("a.csv"));
    let event = event::eventbridge(BUCKET, &world.upload("a.csv", "1"));
    let outcome = world.api.invoke(event.clone()).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "SftpFailure");
    assert!(message.contains("s3://inbox/a.csv"), "{message}");
    assert!(world.has_source("a.csv"));

    world.sftp.clear_hooks();
    let again = world.api.invoke(event.clone()).await;
    assert_eq!(counts(again.response()), [1, 0, 0, 0, 0]);
    let twin = world.api.invoke(event).await;
    assert_eq!(counts(twin.response()), [0, 1, 0, 0, 0]);
    world.assert_tree(&["a.csv"]);
}

#[tokio::test]
async fn an_event_of_s3_of_another_type_is_skipped_with_a_line_that_says_what_it_was() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let mut event = event::eventbridge(BUCKET, &world.upload("a b.csv", "1"));
    for name in [
        "Object Deleted",
        "Object Tags Added",
        "Object Restore Completed",
    ] {
        event["detail-type"] = json!(name);
        let outcome = world.api.invoke(event.clone()).await;
        assert_eq!(counts(outcome.response()), [0, 0, 1, 0, 0], "{name}");
        bootstrap
            .wait_for_line(move |line| line.contains("s3://inbox/a b.csv") && line.contains(name))
            .await;
    }
    assert!(world.has_source("a b.csv"));
    assert_eq!(world.sftp.connections(), 0);
}

#[tokio::test]
async fn an_event_that_is_not_of_s3_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let created = event::eventbridge(BUCKET, &world.upload("a", "1"));
    for (source, detail_type) in [
        ("aws.events", "Scheduled Event"),
        ("acme.uploads", "Object Created"),
        // It may tell of an upload, in another form.
        ("aws.s3", "AWS API Call via CloudTrail"),
    ] {
        let mut event = created.clone();
        event["source"] = json!(source);
        event["detail-type"] = json!(detail_type);
        let outcome = world.api.invoke(event).await;
        let (error_type, message) = outcome.error();
        assert_eq!(error_type, "EventNotUnderstood");
        for part in [source, detail_type, "correct the rule's pattern"] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert!(world.has_source("a"));
    assert_eq!(world.sftp.connections(), 0);
}

#[tokio::test]
async fn an_event_of_another_major_version_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let mut event = event::eventbridge(BUCKET, &world.upload("a", "1"));
    event["detail"]["event-version"] = json!("2.0");
    let outcome = world.api.invoke(event.clone()).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(message.contains("reads 1.x"), "{message}");
    assert!(world.has_source("a"));
    event["detail"]["event-version"] = json!("1.99");
    assert_eq!(
        counts(world.api.invoke(event).await.response()),
        [1, 0, 0, 0, 0]
    );
}
