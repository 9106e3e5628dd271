//! When failed messages come again, and what never does.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::aws_calls::{Answer, Call};
use testkit::event::{self, QUEUE_ARN};
use testkit::runtime_api::Invocation;
use testkit::secrets::WRONG;
use testkit::sftp::{Action, Operation, every, status};

use crate::relay::sent;
use crate::world::{World, failures, notification};

const DEAD: &str = "http://127.0.0.1:1/123456789012/dead";

/// A server on which nothing can be written today.
async fn full_disk() -> World {
    let world = World::new().await;
    world
        .sftp
        .hook(every(Operation::Write, || Action::refuse(status::FAILURE)));
    world
}

/// A batch of messages (id, body, receive count).
fn batch(messages: &[(&str, String, u32)]) -> Value {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(id, body, receives)| event::sqs_message(id, body, *receives))
        .collect();
    json!({ "Records": messages })
}

/// The entries of all requests: handle and seconds.
fn hidden(calls: &[Call]) -> Vec<(String, i64)> {
    let entries = calls
        .iter()
        .flat_map(|call| call.body["Entries"].as_array().cloned().unwrap_or_default());
    let entry = |entry: Value| {
        let handle = entry["ReceiptHandle"].as_str().expect("text").to_owned();
        (
            handle,
            entry["VisibilityTimeout"].as_i64().expect("a number"),
        )
    };
    entries.map(entry).collect()
}

#[tokio::test]
async fn each_failed_message_comes_again_at_its_own_time() {
    let world = full_disk().await;
    let _bootstrap = world.start(&[]);
    let body = |key| world.uploaded(key, "1").to_string();
    let messages = [
        ("young", body("a"), 1),
        ("garbage", "no JSON at all".to_owned(), 1),
        ("old", body("b"), 3),
        ("ancient", body("c"), 40),
    ];
    let outcome = world.api.invoke(batch(&messages)).await;
    let ids = ["young", "garbage", "old", "ancient"];
    assert_eq!(outcome.response(), &failures(&ids));

    let calls = world.aws.of("ChangeMessageVisibilityBatch");
    assert_eq!(calls.len(), 1, "one request for all");
    let hidden = hidden(&calls);
    let [young, old, ancient] = &hidden[..] else {
        panic!("what can never go well is left to the queue: {hidden:?}");
    };
    for ((handle, seconds), expected, range) in [
        (young, "AQEB-young-1", 24..=36),
        (old, "AQEB-old-3", 96..=144),
        (ancient, "AQEB-ancient-40", 720..=1080),
    ] {
        assert_eq!(handle, expected);
        assert!(range.contains(seconds), "{expected}: {seconds} s");
    }
}

#[tokio::test]
async fn a_batch_that_the_server_does_not_let_in_comes_again_message_by_message() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", WRONG), ("DEAD_LETTER_QUEUE_URL", DEAD)]);
    let ids: Vec<String> = (0..12).map(|number| format!("m{number}")).collect();
    let messages: Vec<(&str, String, u32)> = ids
        .iter()
        .map(|id| (id.as_str(), world.uploaded(id, "1").to_string(), 1))
        .collect();
    let outcome = world.api.invoke(batch(&messages)).await;
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(outcome.response(), &failures(&all));
    assert_eq!(world.sftp.credentials_sent(), 1);
    let calls = world.aws.of("ChangeMessageVisibilityBatch");
    assert_eq!(calls.len(), 2, "ten in a request are the most");
    let hidden = hidden(&calls);
    let handles: Vec<&str> = hidden.iter().map(|(handle, _)| handle.as_str()).collect();
    let expected: Vec<String> = ids.iter().map(|id| format!("AQEB-{id}-1")).collect();
    assert_eq!(handles, expected);
    // Nothing is wrong with these objects.
    assert_eq!(sent(&world.aws), [""; 0]);
}

#[tokio::test]
async fn without_permission_to_change_it_one_warning_is_all() {
    let world = full_disk().await;
    let bootstrap = world.start(&[]);
    world.aws.answer(|_| Answer::Refused(403, "AccessDenied"));
    let body = world.uploaded("a", "1").to_string();
    for receives in [1, 2] {
        let outcome = world
            .api
            .invoke(batch(&[("m", body.clone(), receives)]))
            .await;
        assert_eq!(outcome.response(), &failures(&["m"]));
    }
    assert_eq!(world.aws.of("ChangeMessageVisibilityBatch").len(), 2);
    let permission = format!("sqs:ChangeMessageVisibility on {QUEUE_ARN}");
    let logs = bootstrap.logs();
    assert_eq!(logs.matches(&permission).count(), 1, "{logs}");
    assert!(logs.contains("WARN"), "{logs}");
}

/// The attributes of a message by name.
fn attributes(call: &Call) -> Value {
    let attributes = call.body["MessageAttributes"].as_object().expect("a map");
    attributes
        .iter()
        .map(|(name, value)| {
            assert_eq!(value["DataType"], "String");
            (name.clone(), value["StringValue"].clone())
        })
        .collect()
}

#[tokio::test]
async fn what_can_never_be_delivered_goes_to_the_dead_letter_queue_at_once() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("DEAD_LETTER_QUEUE_URL", DEAD)]);
    let refused = world.uploaded("in/../out", "1").to_string();
    let good = world.uploaded("good", "1").to_string();
    let messages = [
        ("garbage", "no JSON at all".to_owned(), 4),
        ("good", good, 1),
        ("refused", refused.clone(), 1),
    ];
    let outcome = world.api.invoke(batch(&messages)).await;
    assert_eq!(outcome.response(), &failures(&[]));
    assert_eq!(world.file("good"), b"1");
    assert!(world.has_source("in/../out"));

    assert_eq!(world.aws.actions(), ["SendMessage"; 2]);
    assert_eq!(sent(&world.aws), ["no JSON at all", &refused]);
    let calls = world.aws.of("SendMessage");
    for call in &calls {
        assert_eq!(call.body["QueueUrl"], DEAD);
    }
    let mut first = attributes(&calls[0]);
    let reason = first["ErrorMessage"].take();
    let reason = reason.as_str().expect("text");
    assert!(reason.contains("this is no JSON"), "{reason}");
    let expected = json!({
        "ErrorType": "EventNotUnderstood",
        "ErrorMessage": null,
        "SourceQueueArn": QUEUE_ARN,
        "MessageId": "garbage",
        "ReceiveCount": "4",
    });
    assert_eq!(first, expected);
    assert_eq!(attributes(&calls[1])["ErrorType"], "RemotePathRefused");
}

#[tokio::test]
async fn a_dead_letter_queue_that_takes_nothing_leaves_the_message_failed() {
    let world = World::new().await;
    let bootstrap = world.start(&[("DEAD_LETTER_QUEUE_URL", DEAD)]);
    world.aws.answer(|_| Answer::Refused(403, "AccessDenied"));
    let messages = [("garbage", "no JSON at all".to_owned(), 1)];
    let outcome = world.api.invoke(batch(&messages)).await;
    assert_eq!(outcome.response(), &failures(&["garbage"]));
    bootstrap
        .wait_for_line(|line| line.contains("the dead-letter queue does not take it"))
        .await;
}

/// It comes again for the record that can still be delivered; until then the other is in nobody's way.
#[tokio::test]
async fn a_message_with_hope_is_not_given_up() {
    let world = full_disk().await;
    let _bootstrap = world.start(&[("DEAD_LETTER_QUEUE_URL", DEAD)]);
    let objects = [world.upload("in/../out", "1"), world.upload("a", "1")];
    let body = notification(&objects).to_string();
    let outcome = world.api.invoke(batch(&[("m", body, 1)])).await;
    assert_eq!(outcome.response(), &failures(&["m"]));
    assert_eq!(world.aws.actions(), ["ChangeMessageVisibilityBatch"]);
}

#[tokio::test]
async fn a_direct_event_that_can_never_be_delivered_goes_there_too() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("DEAD_LETTER_QUEUE_URL", DEAD)]);
    let objects = [world.upload("in/../out", "1"), world.upload("good", "1")];
    let event = notification(&objects);
    let answer = world.api.invoke(event.clone()).await;
    assert_eq!(answer.response()["delivered"], 1);
    assert_eq!(answer.response()["rejected"], 1);
    let answer = world.api.invoke(json!({ "hello": "world" })).await;
    assert_eq!(answer.response()["rejected"], 1);

    let bodies = sent(&world.aws);
    let [first, second] = &bodies[..] else {
        panic!("two dead letters, not {bodies:?}");
    };
    let first: Value = serde_json::from_str(first).expect("JSON");
    assert_eq!(first, event);
    assert_eq!(second, r#"{"hello":"world"}"#);
    let attributes = attributes(&world.aws.of("SendMessage")[0]);
    assert_eq!(attributes["ErrorType"], "RemotePathRefused");
    assert_eq!(
        attributes["FunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:testkit"
    );
}

#[tokio::test]
async fn a_dead_letter_queue_that_does_not_answer_ends_before_lambdas_deadline() {
    const SHORT: Duration = Duration::from_secs(3);
    let world = World::new().await;
    let _bootstrap = world.start(&[("DEAD_LETTER_QUEUE_URL", DEAD)]);
    world.aws.answer(|_| Answer::Silence);
    let messages = [("garbage", "no JSON at all".to_owned(), 1)];
    let invocation = Invocation::new(batch(&messages)).time(SHORT);
    let outcome = world.api.run(&invocation).await;
    assert_eq!(outcome.response(), &failures(&["garbage"]));
    let invocation = Invocation::new(json!({ "hello": "world" })).time(SHORT);
    let outcome = world.api.run(&invocation).await;
    assert_eq!(outcome.error().0, "EventNotUnderstood");
}

/// Such a queue takes no message without a group.
#[tokio::test]
async fn a_dead_letter_queue_may_be_a_fifo_queue() {
    let world = World::new().await;
    let dead = format!("{DEAD}.fifo");
    let _bootstrap = world.start(&[("DEAD_LETTER_QUEUE_URL", &dead)]);
    let messages = [("garbage", "no JSON at all".to_owned(), 1)];
    let outcome = world.api.invoke(batch(&messages)).await;
    assert_eq!(outcome.response(), &failures(&[]));
    let call = world.aws.of("SendMessage").remove(0);
    assert_eq!(call.body["MessageGroupId"], "rejected");
    assert_eq!(call.body["MessageDeduplicationId"], "garbage");
}
