//! Batches from SQS.

use serde_json::json;
use testkit::event::{self, ObjectRef};
use testkit::secrets::WRONG;
use testkit::sftp::{Action, Operation, every, status};

use crate::world::{BUCKET, World, failures, notification};

#[tokio::test]
async fn exactly_the_messages_that_failed_are_named() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let two = [world.upload("a b", "1"), world.upload("folder/../c", "2")];
    let batch = event::sqs(&[
        ("good", world.uploaded("one", "one").to_string()),
        ("garbage", "no JSON at all".to_owned()),
        (
            "missing",
            notification(&[ObjectRef::new("no such", 1, "0")]).to_string(),
        ),
        ("half", notification(&two).to_string()),
        ("test", event::test_event(BUCKET).to_string()),
        ("last", world.uploaded("last", "last").to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&["garbage", "half"]));
    world.assert_tree(&["a b", "last", "one"]);
    assert_eq!(world.s3.keys(BUCKET), ["folder/../c"]);
    assert_eq!(world.sftp.connections(), 1, "one connection for a batch");
    bootstrap
        .wait_for_line(|line| line.contains("s3://inbox/no such") && line.contains("gone"))
        .await;
}

#[tokio::test]
async fn a_batch_without_failures_names_none() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let batch = event::sqs(&[("m", world.uploaded("one", "one").to_string())]);
    assert_eq!(world.api.invoke(batch).await.response(), &failures(&[]));
    assert_eq!(world.file("one"), b"one");
}

#[tokio::test]
async fn a_failed_message_without_an_id_fails_the_batch() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let mut batch = event::sqs(&[
        ("good", world.uploaded("one", "one").to_string()),
        ("nameless", "no JSON at all".to_owned()),
    ]);
    batch["Records"][1]
        .as_object_mut()
        .expect("a message")
        .remove("messageId");
    let outcome = world.api.invoke(batch).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(message.contains("no JSON at all"), "{message}");
    assert_eq!(world.file("one"), b"one");
    assert!(!world.has_source("one"));
}

#[tokio::test]
async fn s3s_test_event_in_a_message_is_acknowledged() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let batch = event::sqs(&[("test", event::test_event(BUCKET).to_string())]);
    assert_eq!(world.api.invoke(batch).await.response(), &failures(&[]));
    assert_eq!(world.sftp.connections(), 0);
}

/// A server that lets nobody in is asked once for a batch, and every message goes back.
#[tokio::test]
async fn a_refused_login_is_offered_once_for_a_whole_batch() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", WRONG)]);
    let ids = ["a", "b", "c"];
    let batch = event::sqs(&ids.map(|id| (id, world.uploaded(id, id).to_string())));
    assert_eq!(world.api.invoke(batch).await.response(), &failures(&ids));
    assert_eq!(world.sftp.credentials_sent(), 1);
    assert_eq!(world.s3.keys(BUCKET), ids);
}

/// A message that comes again is another attempt: its predecessor may still be writing.
#[tokio::test]
async fn each_receive_of_a_message_has_a_temporary_of_its_own() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world
        .sftp
        .hook(every(Operation::Fsync, || Action::refuse(status::FAILURE)));
    let body = world.uploaded("a", "1").to_string();
    for receive in [1, 2, 2] {
        let batch = json!({ "Records": [event::sqs_message("m", &body, receive)] });
        assert_eq!(world.api.invoke(batch).await.response(), &failures(&["m"]));
    }
    let opened: Vec<String> = world
        .sftp
        .requests_of(Operation::Open)
        .into_iter()
        .filter_map(|request| request.path)
        // The directory is opened as well, to sync it.
        .filter(|path| path.ends_with(".part"))
        .collect();
    let [first, second, third] = &opened[..] else {
        panic!("three OPENs, not {opened:?}");
    };
    assert_ne!(first, second);
    assert_eq!(second, third);
    world.assert_tree(&[]);
}
