//! Batches from FIFO queues: a group arrives in order, or waits for its first failure.

use serde_json::{Value, json};
use testkit::event;
use testkit::sftp::{Operation, Request};

use crate::world::{World, failures, is_about, notification, refuse_to_open};

/// Messages (id, group), each with an object of its own, whose key is the id.
fn batch(world: &World, messages: &[(&str, &str)]) -> Value {
    let message = |&(id, group): &(&str, &str)| {
        let body = world.uploaded(id, id).to_string();
        event::fifo_message(id, group, &body, 1)
    };
    let messages: Vec<Value> = messages.iter().map(message).collect();
    json!({ "Records": messages })
}

/// The names that files got, in order.
fn published(world: &World) -> Vec<String> {
    let renames = world.sftp.requests_of(Operation::Rename);
    let posix = world.sftp.requests_of(Operation::PosixRename);
    let names = renames.into_iter().chain(posix);
    names.filter_map(|request| request.to).collect()
}

#[tokio::test]
async fn behind_the_first_failure_of_a_group_the_rest_of_it_is_handed_back_and_other_groups_go_on()
{
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    world.sftp.hook(refuse_to_open("a2"));
    let batch = batch(
        &world,
        &[
            ("a1", "a"),
            ("b1", "b"),
            ("a2", "a"),
            ("b2", "b"),
            ("a3", "a"),
            ("b3", "b"),
            ("a4", "a"),
        ],
    );
    let outcome = world.api.invoke(batch.clone()).await;
    assert_eq!(outcome.response(), &failures(&["a2", "a3", "a4"]));
    world.assert_tree(&["a1", "b1", "b2", "b3"]);
    let opened = world.sftp.requests_of(Operation::Open);
    let is_of_rest = |request: &Request| is_about(request, "a3") || is_about(request, "a4");
    assert!(
        !opened.iter().any(is_of_rest),
        "the rest of the group is not begun: {opened:?}"
    );
    for id in ["a3", "a4"] {
        bootstrap
            .wait_for_line(move |line| line.contains("handed back unbegun") && line.contains(id))
            .await;
    }

    // The rest is shown no later than what it waits for: hidden for longer, it would hold up the group.
    let call = world.aws.of("ChangeMessageVisibilityBatch").remove(0);
    let entries = call.body["Entries"].as_array().expect("entries");
    let seconds: Vec<&Value> = entries.iter().map(|it| &it["VisibilityTimeout"]).collect();
    assert_eq!(seconds.len(), 3, "{entries:?}");
    assert!(seconds.iter().all(|it| *it == seconds[0]), "{entries:?}");

    // When they come again, they arrive in order.
    world.sftp.clear_hooks();
    world.sftp.forget_requests();
    let rest = batch["Records"].as_array().expect("messages").iter();
    let failed = |message: &&Value| {
        ["a2", "a3", "a4"]
            .map(Value::from)
            .contains(&message["messageId"])
    };
    let rest: Vec<&Value> = rest.filter(failed).collect();
    let outcome = world.api.invoke(json!({ "Records": rest })).await;
    assert_eq!(outcome.response(), &failures(&[]));
    assert_eq!(published(&world).len(), 3);
    assert!(published(&world).is_sorted(), "{:?}", published(&world));
    world.assert_tree(&["a1", "a2", "a3", "a4", "b1", "b2", "b3"]);
}

/// A message of two records is a group by itself: the second one does not overtake the first. What can never be delivered
/// holds up nothing.
#[tokio::test]
async fn behind_the_first_failure_in_a_message_the_rest_of_it_is_not_begun() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    world.sftp.hook(refuse_to_open("a2"));
    let keys = ["../a0", "a1", "a2", "a3"];
    let body = notification(&keys.map(|key| world.upload(key, key))).to_string();
    let batch = json!({ "Records": [event::fifo_message("m", "a", &body, 1)] });
    let outcome = world.api.invoke(batch.clone()).await;
    assert_eq!(outcome.response(), &failures(&["m"]));
    world.assert_tree(&["a1"]);
    bootstrap
        .wait_for_line(|line| {
            line.contains("handed back unbegun") && line.contains("\"records\":1")
        })
        .await;

    world.sftp.clear_hooks();
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&["m"]));
    world.assert_tree(&["a1", "a2", "a3"]);
}

#[tokio::test]
async fn a_body_that_is_garbage_holds_up_its_group_alone() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let mut batch = batch(
        &world,
        &[("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b")],
    );
    batch["Records"][0]["body"] = json!("no JSON at all");
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&["a1", "a2"]));
    world.assert_tree(&["b1", "b2"]);
}

/// As where the queue itself gives a message up: the group goes on without it.
#[tokio::test]
async fn a_message_that_went_to_the_dead_letter_queue_holds_up_nobody() {
    let world = World::new().await;
    let dead = "http://127.0.0.1:1/123456789012/dead.fifo";
    let _bootstrap = world.start(&[("DEAD_LETTER_QUEUE_URL", dead)]);
    let mut batch = batch(&world, &[("a1", "a"), ("a2", "a")]);
    batch["Records"][0]["body"] = json!("no JSON at all");
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&[]));
    assert_eq!(crate::relay::sent(&world.aws), ["no JSON at all"]);
    world.assert_tree(&["a2"]);
}

#[tokio::test]
async fn a_handed_back_message_without_an_id_fails_the_batch() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.sftp.hook(refuse_to_open("a1"));
    let mut batch = batch(&world, &[("a1", "a"), ("a2", "a"), ("b1", "b")]);
    batch["Records"][1]
        .as_object_mut()
        .expect("a message")
        .remove("messageId");
    let outcome = world.api.invoke(batch).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "SftpFailure");
    assert!(message.contains("s3://inbox/a1"), "{message}");
    world.assert_tree(&["b1"]);
    assert!(world.has_source("a2"));
}
