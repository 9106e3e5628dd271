//! A FIFO queue: the rest of a group waits for the first of it that has failed.

use std::sync::Arc;

use testkit::s3::Action as S3Action;
use testkit::sftp::{Action, Operation, status};
use tokio::sync::Notify;

use crate::world::{BUCKET, FIFO, World};

#[tokio::test]
async fn behind_the_first_failure_of_a_group_the_rest_goes_back_and_other_groups_go_on() {
    let world = World::new().await;
    world.sftp.hook(|request| {
        let is_bad = request
            .path
            .as_deref()
            .is_some_and(|path| path.contains(".a2."));
        if request.operation == Operation::Open && is_bad {
            Action::refuse(status::PERMISSION_DENIED)
        } else {
            Action::Pass
        }
    });
    for key in ["a1", "b1", "a2", "b2", "a3", "b3"] {
        let event = world.uploaded(key, key);
        world.queue.put_in_group(key, Some(&key[..1]), &event);
    }
    let worker = world
        .run(&["--queue", FIFO, "--jobs", "8", "--until-empty"])
        .await;
    assert_eq!(worker.code, Some(1), "{worker:?}");
    for (key, is_there) in [
        ("a1", true),
        ("a2", false),
        ("a3", false),
        ("b1", true),
        ("b2", true),
        ("b3", true),
    ] {
        assert_eq!(world.has(key), is_there, "{key}: {worker:?}");
    }
    assert_eq!(world.s3.keys(BUCKET), ["a2", "a3"]);
    let left = [("a2".to_owned(), 1, false), ("a3".to_owned(), 1, false)];
    assert_eq!(world.queue.left(), left);
    assert!(worker.logs.contains("handed back unbegun"), "{worker:?}");
}

/// Another group's object may be the one that takes an hour.
#[tokio::test]
async fn a_group_does_not_wait_for_another_one() {
    let world = World::new().await;
    let is_b_done = Arc::new(Notify::new());
    world.s3.hook(move |request| {
        let is_b_done = Arc::clone(&is_b_done);
        match (request.operation.as_str(), request.key.as_str()) {
            ("GetObject", "a") => S3Action::hold(async move { is_b_done.notified().await }),
            // The file has its name.
            ("DeleteObject", "b") => S3Action::run(move || is_b_done.notify_one()),
            _ => S3Action::Pass,
        }
    });
    for key in ["a", "b"] {
        let event = world.uploaded(key, key);
        world.queue.put_in_group(key, Some(key), &event);
    }
    let worker = world.run(&["--queue", FIFO, "--until-empty"]).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert!(world.has("a") && world.has("b"), "{worker:?}");
}

/// One after the other, in the order of the group, however many jobs there are.
#[tokio::test]
async fn a_group_arrives_in_its_order() {
    let world = World::new().await;
    let keys: Vec<String> = (0..8).map(|number| format!("{number}")).collect();
    for key in &keys {
        let event = world.uploaded(key, key.as_str());
        world.queue.put_in_group(key, Some("g"), &event);
    }
    let worker = world
        .run(&["--queue", FIFO, "--jobs", "8", "--until-empty"])
        .await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    let deleted: Vec<_> = world
        .aws
        .of("DeleteMessage")
        .iter()
        .filter_map(|call| call.body["ReceiptHandle"].as_str().map(str::to_owned))
        .collect();
    let expected: Vec<_> = keys.iter().map(|key| format!("{key}/1")).collect();
    assert_eq!(deleted, expected);
}
