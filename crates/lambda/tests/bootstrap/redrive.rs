//! What failed before, or is written by hand, is delivered like the original.

use serde_json::{Value, json};
use testkit::event;

use crate::relay::sent;
use crate::world::{BUCKET, World, counts, failures, notification};

const DEAD: &str = "http://127.0.0.1:1/123456789012/dead";

#[tokio::test]
async fn the_record_of_a_failed_invocation_is_delivered_as_the_invocation_would_have_been() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let object = |key: &str| world.upload(key, key);
    let of_s3 = |key: &str| notification(&[object(key)]);
    let records = [
        ("s3 +", event::failed_invocation(&of_s3("s3 +"))),
        (
            "topic +",
            event::failed_invocation(&event::sns(&of_s3("topic +").to_string())),
        ),
        (
            "bus %2B",
            event::failed_invocation(&event::eventbridge(BUCKET, &object("bus %2B"))),
        ),
        (
            "to bus",
            event::failed_invocation_by_eventbridge(&of_s3("to bus")),
        ),
        (
            "to topic",
            event::sns(&event::failed_invocation(&of_s3("to topic")).to_string()),
        ),
    ];
    for (key, record) in records {
        let outcome = world.api.invoke(record.clone()).await;
        assert_eq!(counts(outcome.response()), [1, 0, 0, 0, 0], "{key}");
        assert_eq!(world.file(key), key.as_bytes());
        assert!(!world.has_source(key), "{key}");

        // And the same in a queue.
        world.upload(key, "again");
        let outcome = world
            .api
            .invoke(event::sqs(&[("m", record.to_string())]))
            .await;
        assert_eq!(outcome.response(), &failures(&[]), "{key}");
        assert_eq!(world.file(key), b"again");
        assert!(!world.has_source(key), "{key}");
    }
}

#[tokio::test]
async fn the_record_of_an_invocation_of_another_kind_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let record = event::failed_invocation(&json!({ "orderId": 17 }));
    let outcome = world.api.invoke(record.clone()).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(message.contains(r#"found: {"orderId":17}"#), "{message}");
    let outcome = world
        .api
        .invoke(event::sqs(&[("m", record.to_string())]))
        .await;
    assert_eq!(outcome.response(), &failures(&["m"]));
}

/// What the function has put into the dead-letter queue is moved back as it is, once the reason is gone.
#[tokio::test]
async fn a_dead_letter_is_delivered_once_its_reason_is_gone() {
    let world = World::new().await;
    let refused = world.start(&[("DEAD_LETTER_QUEUE_URL", DEAD)]);
    let object = |key: &str| world.upload(key, key);
    let bodies = [
        notification(&[object("out/../a +")]),
        event::eventbridge(BUCKET, &object("out/../b %2B")),
        event::sns_envelope(&notification(&[object("out/../c +")]).to_string()),
        json!({ "bucket": BUCKET, "key": "out/../d +" }),
    ];
    object("out/../d +");
    let messages: Vec<(String, String)> = (0..)
        .zip(&bodies)
        .map(|(number, body)| (format!("m{number}"), body.to_string()))
        .collect();
    let outcome = world.api.invoke(event::sqs(&messages)).await;
    assert_eq!(outcome.response(), &failures(&[]));
    // A direct event goes there whole.
    let direct = event::sns(&notification(&[object("out/../e +")]).to_string());
    let outcome = world.api.invoke(direct).await;
    assert_eq!(counts(outcome.response()), [0, 0, 0, 0, 1]);
    world.assert_tree(&[]);
    let dead = sent(&world.aws);
    assert_eq!(dead.len(), 5, "{dead:?}");
    drop(refused);

    // Its keys make paths now.
    let _bootstrap = world.start(&[("SSH_FILENAME", "{name}")]);
    let letters: Vec<(String, String)> = (0..)
        .zip(dead)
        .map(|(number, body)| (format!("dead{number}"), body))
        .collect();
    let outcome = world.api.invoke(event::sqs(&letters)).await;
    assert_eq!(outcome.response(), &failures(&[]));
    world.assert_tree(&["a +", "b %2B", "c +", "d +", "e +"]);
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
}

#[tokio::test]
async fn what_is_written_by_hand_is_delivered_by_its_key_as_it_is() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let keys = ["a+b", "100%25", "c d", "e", "f", "g%2B"];
    for key in keys {
        world.upload(key, key);
    }
    let object = json!({ "bucket": BUCKET, "key": "a+b" });
    let version = json!({ "bucket": BUCKET, "key": "100%25", "versionId": "null" });
    let list = json!(["s3://inbox/c d", { "bucket": BUCKET, "key": "e" }]);
    let direct: [(&Value, u64); 3] = [(&object, 1), (&version, 1), (&list, 2)];
    for (event, number) in direct {
        let outcome = world.api.invoke(event.clone()).await;
        assert_eq!(counts(outcome.response()), [number, 0, 0, 0, 0], "{event}");
    }
    let batch = event::sqs(&[
        (
            "object",
            json!({ "bucket": BUCKET, "key": "f" }).to_string(),
        ),
        ("list", json!(["s3://inbox/g%2B"]).to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&[]));
    let mut expected = keys;
    expected.sort_unstable();
    world.assert_tree(&expected);
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
}

#[tokio::test]
async fn an_entry_of_a_list_that_names_nothing_fails_the_list_and_the_others_are_delivered() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("a", "1");
    let list = json!(["s3://inbox/a", "https://inbox.s3.amazonaws.com/b"]);
    let outcome = world.api.invoke(list).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(
        message.contains("entry 2") && message.contains("https://inbox.s3.amazonaws.com/b"),
        "{message}"
    );
    world.assert_tree(&["a"]);
}
