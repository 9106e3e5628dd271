//! What has lain in S3 for too long is sent to the queue that the function reads from.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use testkit::aws_calls::{Answer, AwsCalls, all_but};
use testkit::event;
use testkit::runtime_api::Invocation;
use testkit::s3;

use crate::world::{BUCKET, World};

pub(crate) const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/inbox";
pub(crate) const HOUR: u64 = 3600;

/// The function's setting.
pub(crate) const SENDS: (&str, &str) = ("SWEEP_QUEUE_URL", QUEUE);

pub(crate) fn sweep(place: &str, older_than: &str) -> Value {
    json!({ "sweep": place, "older_than": older_than })
}

/// Stores an object that has lain for so long.
pub(crate) fn left(world: &World, key: &str, hours: u64) {
    world.upload(key, "1");
    let age = Duration::from_secs(hours * HOUR);
    world
        .s3
        .set_last_modified(BUCKET, key, SystemTime::now() - age);
}

/// The bodies that were sent, request by request.
pub(crate) fn sent(aws: &AwsCalls) -> Vec<Vec<String>> {
    let calls = aws.of("SendMessageBatch");
    let bodies = |entries: &Value| {
        let entries = entries.as_array().expect("entries");
        let body = |entry: &Value| entry["MessageBody"].as_str().expect("text").to_owned();
        entries.iter().map(body).collect()
    };
    calls
        .iter()
        .map(|call| bodies(&call.body["Entries"]))
        .collect()
}

/// The keys that messages name.
pub(crate) fn keys(bodies: &[Vec<String>]) -> Vec<String> {
    let key = |body: &String| {
        let body: Value = serde_json::from_str(body).expect("JSON");
        body["s3-to-sftp"]["key"]
            .as_str()
            .expect("a key")
            .to_owned()
    };
    bodies.iter().flatten().map(key).collect()
}

#[tokio::test]
async fn what_has_lain_too_long_is_sent_and_can_be_delivered() {
    let world = World::new().await;
    let bootstrap = world.start(&[SENDS]);
    let old = ["in/a b+c%2B%.csv", "in/x/ü\u{7}"];
    left(&world, old[0], 49);
    left(&world, old[1], 25);
    left(&world, "in/young", 23);
    left(&world, "out/old", 100);
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    let mut answer = outcome.response().clone();
    let oldest = answer["oldest_seconds"].take().as_u64().expect("an age");
    assert!((49 * HOUR..50 * HOUR).contains(&oldest), "{oldest}");
    let expected = json!({
        "swept": "s3://inbox/in/",
        "listed": 3,
        "sent": 2,
        "not_sent": 0,
        "younger": 1,
        "own": 0,
        "folder_markers": 0,
        "oldest_seconds": null,
        "complete": true,
    });
    assert_eq!(answer, expected);
    assert_eq!(world.aws.actions(), ["SendMessageBatch"]);
    assert_eq!(world.aws.of("SendMessageBatch")[0].body["QueueUrl"], QUEUE);
    assert_eq!(world.sftp.connections(), 0, "the partner is not bothered");
    assert_eq!(world.s3.keys(BUCKET).len(), 4, "nothing is touched");

    let line = bootstrap
        .wait_for_line(|line| line.contains("\"OldestUndelivered\":"))
        .await;
    let metric: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(metric["OldestUndelivered"], oldest);
    assert_eq!(metric["level"], "INFO");
    let described = &metric["_aws"]["CloudWatchMetrics"][0];
    let expected = json!({
        "Namespace": "s3-to-sftp",
        "Dimensions": [["service", "destination"]],
        "Metrics": [{ "Name": "OldestUndelivered", "Unit": "Seconds" }],
    });
    assert_eq!(described, &expected);

    // What the queue hands out: the keys are not decoded once more.
    let bodies: Vec<String> = sent(&world.aws).concat();
    let messages: Vec<(String, String)> = (0..).map(|it: u8| it.to_string()).zip(bodies).collect();
    let outcome = world.api.invoke(event::sqs(&messages)).await;
    // The second one's key holds a control character.
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] });
    assert_eq!(outcome.response(), &failed);
    assert_eq!(world.file(old[0]), b"1");
    assert!(!world.has_source(old[0]));
}

#[tokio::test]
async fn thousands_are_sent_ten_at_a_time_page_after_page() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    let all: Vec<String> = (0..1_205).map(|number| format!("in/{number:05}")).collect();
    for key in &all {
        left(&world, key, 25);
    }
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "24h")).await;
    assert_eq!(outcome.response()["sent"], 1_205);
    let sent = sent(&world.aws);
    assert_eq!(keys(&sent), all);
    assert_eq!(sent.len(), 121);
    assert_eq!(world.s3.count("ListObjectsV2"), 2);
    assert_eq!(
        world.s3.count("DeleteObject"),
        1,
        "asked once for the directory"
    );
}

#[tokio::test]
async fn a_whole_bucket_is_swept_and_seconds_are_a_number() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    left(&world, "a", 2);
    left(&world, "in/b", 2);
    let event = json!({ "sweep": "s3://inbox/", "older_than": 7200 - 60 });
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.response()["sent"], 2);
    let event = json!({ "sweep": "s3://inbox/", "older_than": 7200 + 600 });
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.response()["sent"], 0);
    assert_eq!(outcome.response()["younger"], 2);
}

#[tokio::test]
async fn nothing_left_is_an_age_of_zero() {
    let world = World::new().await;
    let bootstrap = world.start(&[SENDS]);
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    assert_eq!(outcome.response()["sent"], 0);
    assert_eq!(outcome.response()["oldest_seconds"], 0);
    bootstrap
        .wait_for_line(|line| line.contains("\"OldestUndelivered\":0"))
        .await;
    assert_eq!(world.aws.actions(), [""; 0]);
}

#[tokio::test]
async fn the_functions_own_objects_and_folder_markers_are_not_sent() {
    let world = World::new().await;
    let settings = [
        SENDS,
        ("SSH_PRIVATE_KEY", "inbox:in/id"),
        ("SSH_HOST_KEY", "s3://inbox/in/host keys"),
        ("S3_AFTER_DELIVERY", "move:s3://inbox/in/archive"),
        ("RECEIPT_PREFIX", "s3://inbox/in/receipts/"),
    ];
    let _bootstrap = world.start(&settings);
    for key in [
        "in/id",
        "in/host keys",
        "in/archive/in/a",
        "in/receipts/2026/11/28/1.json",
        "in/file",
    ] {
        left(&world, key, 25);
    }
    world.upload("in/folder/", "");
    let age = Duration::from_secs(30 * HOUR);
    let then = SystemTime::now() - age;
    world.s3.set_last_modified(BUCKET, "in/folder/", then);
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    let answer = outcome.response();
    assert_eq!(
        (&answer["own"], &answer["folder_markers"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(keys(&sent(&world.aws)), ["in/file"]);
    let oldest = answer["oldest_seconds"].as_u64().expect("an age");
    assert!(
        oldest < 26 * HOUR,
        "the marker's age does not count: {oldest}"
    );
    assert_eq!(world.s3.keys(BUCKET).len(), 6, "asking leaves nothing");
}

/// SQS may take nine of ten.
#[tokio::test]
async fn what_the_queue_did_not_take_is_sent_again_alone() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    for number in 0..10 {
        left(&world, &format!("in/{number}"), 25);
    }
    let mut is_first = true;
    world.aws.answer(move |call| {
        if std::mem::take(&mut is_first) {
            Answer::Body(all_but(call, &["3", "7"]))
        } else {
            Answer::Well
        }
    });
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    assert_eq!(outcome.response()["sent"], 10);
    assert_eq!(outcome.response()["not_sent"], 0);
    let sent = sent(&world.aws);
    assert_eq!(sent.len(), 2);
    assert_eq!(keys(&sent[1..]), ["in/3", "in/7"]);
}

#[tokio::test]
async fn what_the_queue_never_takes_fails_the_sweep_and_the_others_are_sent() {
    let world = World::new().await;
    let bootstrap = world.start(&[SENDS]);
    for number in 0..12 {
        left(&world, &format!("in/{number:02}"), 25);
    }
    world.aws.answer(|call| {
        let is_in = call.body.to_string().contains("in/03");
        let id = call.body["Entries"].as_array().map_or(0, Vec::len);
        match (is_in, id) {
            (true, 10) => Answer::Body(all_but(call, &["3"])),
            // Alone it keeps its id.
            (true, _) => Answer::Body(all_but(call, &["3"])),
            _ => Answer::Well,
        }
    });
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "SweepNotSent");
    assert!(
        message.contains("did not take 1 of the messages"),
        "{message}"
    );
    let bodies = sent(&world.aws);
    let sizes: Vec<usize> = bodies.iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 1, 1, 2]);
    bootstrap
        .wait_for_line(|line| line.contains("\"_aws\""))
        .await;
}

#[tokio::test]
async fn what_is_not_reached_in_time_is_left_to_the_next_run() {
    let world = World::new().await;
    let bootstrap = world.start(&[SENDS]);
    for number in 0..1_001 {
        left(&world, &format!("in/{number:05}"), 25);
    }
    world.s3.hook(|request| {
        if request.operation == "ListObjectsV2" && request.number == 2 {
            s3::Action::Delay(Duration::from_secs(60))
        } else {
            s3::Action::Pass
        }
    });
    let event = sweep("s3://inbox/in/", "1d");
    let invocation = Invocation::new(event.clone()).time(Duration::from_secs(4));
    let outcome = world.api.run(&invocation).await;
    assert_eq!(outcome.response()["sent"], 1_000);
    assert_eq!(outcome.response()["complete"], false);
    bootstrap
        .wait_for_line(|line| {
            line.contains("WARN")
                && line.contains("in/00999")
                && line.contains("left to the next run")
        })
        .await;
    world.s3.clear_hooks();
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.response()["complete"], true);
    assert_eq!(outcome.response()["sent"], 1_001);
}

/// What the queue did not take is told, even where the time is over before the end.
#[tokio::test]
async fn what_the_queue_never_takes_fails_a_sweep_that_is_cut_off() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    for number in 0..1_001 {
        left(&world, &format!("in/{number:05}"), 25);
    }
    world.s3.hook(|request| {
        if request.operation == "ListObjectsV2" && request.number == 2 {
            s3::Action::Delay(Duration::from_secs(60))
        } else {
            s3::Action::Pass
        }
    });
    world.aws.answer(|call| {
        if call.body.to_string().contains("in/00003") {
            Answer::Body(all_but(call, &["3"]))
        } else {
            Answer::Well
        }
    });
    let event = sweep("s3://inbox/in/", "1d");
    let invocation = Invocation::new(event).time(Duration::from_secs(6));
    let outcome = world.api.run(&invocation).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "SweepNotSent", "{message}");
    assert!(message.contains("did not take 1 of"), "{message}");
}

/// Such a queue takes no message without a group, and a message of a group waits for those before it.
#[tokio::test]
async fn a_fifo_queue_gets_a_group_for_each_message() {
    let world = World::new().await;
    let queue = format!("{QUEUE}.fifo");
    let _bootstrap = world.start(&[("SWEEP_QUEUE_URL", &queue)]);
    left(&world, "a", 25);
    left(&world, "b", 25);
    for _ in 0..2 {
        let outcome = world.api.invoke(sweep("s3://inbox/", "1d")).await;
        assert_eq!(outcome.response()["sent"], 2);
    }
    let calls = world.aws.of("SendMessageBatch");
    assert_eq!(calls[0].body, calls[1].body, "a repetition is known as one");
    let entry = |number: usize, field: &str| calls[0].body["Entries"][number][field].clone();
    for field in ["MessageGroupId", "MessageDeduplicationId"] {
        assert!(entry(0, field).is_string());
        assert_ne!(entry(0, field), entry(1, field));
    }
}
