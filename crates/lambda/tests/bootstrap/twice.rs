//! An object that is named more than once in one event, and two objects with one remote path.

use serde_json::{Value, json};
use testkit::event::{self, ObjectRef};
use testkit::s3;
use testkit::sftp::Operation;

use crate::world::{BUCKET, World, counts, failures, notification, refuse_to_open};

/// How often objects were asked for.
fn reads(world: &World) -> usize {
    world.s3.count("GetObject")
}

#[tokio::test]
async fn an_object_in_two_messages_is_delivered_once_and_both_are_done() {
    let world = World::new().await;
    // With `keep` a second delivery would find the object there.
    let bootstrap = world.start(&[("S3_AFTER_DELIVERY", "keep")]);
    let object = world.upload("a b", "content");
    let batch = event::sqs(&[
        (
            "by-s3",
            notification(std::slice::from_ref(&object)).to_string(),
        ),
        (
            "by-eventbridge",
            event::eventbridge(BUCKET, &object).to_string(),
        ),
        ("other", world.uploaded("c", "1").to_string()),
        ("twin", notification(&[object.clone(), object]).to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&[]));
    assert_eq!(reads(&world), 2, "one for each object");
    world.assert_tree(&["a b", "c"]);
    bootstrap
        .wait_for_line(|line| line.contains("named more than once") && line.contains("a b"))
        .await;
}

#[tokio::test]
async fn an_object_in_two_messages_that_fails_fails_both() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.sftp.hook(refuse_to_open("a b"));
    let object = world.upload("a b", "content");
    let batch = event::sqs(&[
        (
            "one",
            notification(std::slice::from_ref(&object)).to_string(),
        ),
        ("other", world.uploaded("c", "1").to_string()),
        ("two", event::eventbridge(BUCKET, &object).to_string()),
    ]);
    let outcome = world.api.invoke(batch.clone()).await;
    assert_eq!(outcome.response(), &failures(&["one", "two"]));
    assert_eq!(reads(&world), 2);
    assert!(world.has_source("a b"));
    world.assert_tree(&["c"]);

    world.sftp.clear_hooks();
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&[]));
    world.assert_tree(&["a b", "c"]);
}

/// The later version's message is never done because an earlier one's delivery went well.
#[tokio::test]
async fn two_versions_of_one_key_are_looked_at_one_after_the_other() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let first = world.upload("a", "first");
    let second = world.upload("a", "second");
    let batch = event::sqs(&[
        ("first", notification(&[first]).to_string()),
        (
            "second",
            notification(&[second.sequenced("0055AED6DCD90281E6")]).to_string(),
        ),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&[]));
    assert_eq!(reads(&world), 2, "the second message looks for itself");
    assert_eq!(world.file("a"), b"second");
    assert!(!world.has_source("a"));
}

/// One delivery is enough for both: it looks again before it publishes, and begins anew with what is there then.
#[tokio::test]
async fn an_object_in_two_messages_that_changes_meanwhile_arrives_as_it_is_at_the_end() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let object = world.upload("a", "first");
    let store = world.s3.store();
    let mut is_changed = false;
    world.s3.hook(move |request| {
        // Behind the read, before the last look.
        if request.operation == "HeadObject" && !is_changed {
            is_changed = true;
            store.put(BUCKET, "a", "second");
        }
        s3::Action::Pass
    });
    let batch = event::sqs(&[
        (
            "one",
            notification(std::slice::from_ref(&object)).to_string(),
        ),
        ("two", notification(&[object]).to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&[]));
    assert_eq!(world.file("a"), b"second");
    assert!(!world.has_source("a"));
}

#[tokio::test]
async fn an_object_that_a_direct_event_names_twice_is_delivered_once() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("S3_AFTER_DELIVERY", "keep")]);
    world.upload("a", "1");
    let address = format!("s3://{BUCKET}/a");
    let list = json!([address, { "bucket": BUCKET, "key": "a" }, address]);
    let outcome = world.api.invoke(list).await;
    assert_eq!(counts(outcome.response()), [1, 0, 0, 0, 0]);
    assert_eq!(reads(&world), 1);
}

/// Two objects with one remote path: the later message of the batch is the last to be written, however long the first one takes.
#[tokio::test]
async fn two_objects_with_one_remote_path_arrive_in_the_order_of_the_batch() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("SSH_FILENAME", "{name}")]);
    world.s3.hook(|request| {
        // The first one's bytes come late.
        if request.operation == "GetObject" && request.key.starts_with("slow/") {
            s3::Action::Slow {
                bytes_per_second: 200_000,
            }
        } else {
            s3::Action::Pass
        }
    });
    let body = |key: &str, content: Vec<u8>| world.uploaded(key, content).to_string();
    let batch = event::sqs(&[
        ("first", body("slow/report", vec![b'1'; 100_000])),
        ("second", body("fast/report", b"2".to_vec())),
        ("aside", body("fast/other", b"3".to_vec())),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&[]));
    assert_eq!(world.file("report"), b"2");
    let named = |it: &str| it.ends_with("report");
    let renames: Vec<Value> = world
        .sftp
        .requests_of(Operation::PosixRename)
        .into_iter()
        .filter(|it| it.to.as_deref().is_some_and(named))
        .map(|it| json!(it.to))
        .collect();
    assert_eq!(renames.len(), 2, "both were there: {renames:?}");
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
    let gone = ObjectRef::new("fast/report", 1, "0");
    assert_eq!(
        counts(world.api.invoke(notification(&[gone])).await.response()),
        [0, 1, 0, 0, 0]
    );
}
