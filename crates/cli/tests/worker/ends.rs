//! What is deleted, what comes again and when, what is given up.

use std::path::Path;

use serde_json::json;
use testkit::aws_calls::Answer;
use testkit::sftp::{Action, Operation, Request};

use crate::world::{BUCKET, DEAD, Kind, QUEUE, World, answer, ended, eventually, spawn};

/// There is no room for a file of that name.
fn refuse(name: &'static str) -> impl Fn(&Request) -> Action + Send + Sync + 'static {
    move |request| {
        let temporary = format!(".{name}.");
        let path = request.path.as_deref().unwrap_or_default();
        let last = Path::new(path).file_name().unwrap_or_default();
        if request.operation == Operation::Open && last.to_string_lossy().starts_with(&temporary) {
            Action::no_space()
        } else {
            Action::Pass
        }
    }
}

#[tokio::test]
async fn what_is_delivered_is_deleted_and_what_fails_comes_again_after_its_back_off() {
    let world = World::new().await;
    world.sftp.hook(refuse("bad"));
    let keys: Vec<String> = (0..25).map(|number| format!("{number}")).collect();
    for key in &keys {
        world.queued(key);
    }
    world.queued("bad");
    let worker = world.run(&["--queue", QUEUE, "--until-empty"]).await;
    assert_eq!(worker.code, Some(1), "{worker:?}");
    for key in &keys {
        assert!(world.has(key), "{key}: {worker:?}");
    }
    assert_eq!(world.s3.keys(BUCKET), ["bad"]);
    let outcomes = |outcome: &str| {
        let records = worker.records.iter();
        records.filter(|it| it["outcome"] == outcome).count()
    };
    assert_eq!((outcomes("delivered"), outcomes("failed")), (25, 1));
    // Not shown at once, or it would have been received again before the queue was empty.
    assert_eq!(world.queue.left(), [("bad".to_owned(), 1, false)]);
    let changes = world.aws.of("ChangeMessageVisibilityBatch");
    let seconds = changes
        .iter()
        .flat_map(|call| call.body["Entries"].as_array().cloned().unwrap_or_default())
        .filter(|entry| entry["ReceiptHandle"] == "bad/1")
        .filter_map(|entry| entry["VisibilityTimeout"].as_u64())
        .next_back();
    let seconds = seconds.expect("a back-off");
    assert!((24..=36).contains(&seconds), "{seconds}");
}

/// The worker's receipts are published as the function's are, and what cannot be published holds up no message.
#[tokio::test]
async fn receipts_are_published_and_a_message_is_deleted_without() {
    for bus_says in [Answer::Well, Answer::Refused(400, "AccessDeniedException")] {
        let world = World::new().await;
        let queue = world.queue.clone();
        let kind = Kind {
            visibility: 30,
            gives_up: true,
        };
        let is_well = matches!(bus_says, Answer::Well);
        world.aws.answer(move |call| match call.action.as_str() {
            "PutEvents" => bus_says.clone(),
            _ => answer(kind, &queue, call),
        });
        world.s3.create_bucket("receipts");
        world.queued("a");
        let mut command = world.command(&["--queue", QUEUE, "--until-empty"]);
        command
            .env("RECEIPT_BUS", "partners")
            .env("RECEIPT_PREFIX", "s3://receipts/acme/");
        let worker = ended(&spawn(command)).await;
        assert_eq!(worker.code, Some(0), "{worker:?}");
        assert!(world.has("a"), "{worker:?}");
        assert_eq!(world.queue.left(), []);
        assert!(!world.aws.of("PutEvents").is_empty(), "{worker:?}");
        assert_eq!(world.s3.keys("receipts").len(), 1, "{worker:?}");
        let is_told = worker.logs.contains("the receipt is no event on partners");
        assert_eq!(is_told, !is_well, "{worker:?}");
    }
}

#[tokio::test]
async fn an_empty_queue_is_no_failure() {
    let world = World::new().await;
    let worker = world.run(&["--queue", QUEUE, "--until-empty"]).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert_eq!(world.sftp.connections(), 0);
}

#[tokio::test]
async fn what_can_never_be_delivered_goes_to_the_dead_letter_queue_at_once() {
    let world = World::new().await;
    world.queued("first");
    world.queue.put("garbage", &json!("no event"));
    world.queued("last");
    let mut command = world.command(&["--queue", QUEUE, "--until-empty"]);
    command.env("DEAD_LETTER_QUEUE_URL", DEAD);
    let worker = ended(&spawn(command)).await;
    assert_eq!(worker.code, Some(1), "{worker:?}");
    assert!(world.has("first") && world.has("last"), "{worker:?}");
    assert_eq!(world.queue.left(), []);
    let letters = world.aws.of("SendMessage");
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].body["QueueUrl"], DEAD);
    assert_eq!(
        letters[0].body["MessageBody"],
        json!("no event").to_string()
    );
    let deleted = world.aws.of("DeleteMessage");
    let is_it = |call: &&testkit::aws_calls::Call| call.body["ReceiptHandle"] == "garbage/1";
    assert_eq!(deleted.iter().filter(is_it).count(), 1);
}

/// It cannot be told from what another version of the worker would understand: nothing is thrown away.
#[tokio::test]
async fn without_a_dead_letter_queue_it_comes_again() {
    let world = World::with(Kind {
        visibility: 5,
        gives_up: false,
    })
    .await;
    world.queue.put("garbage", &json!("no event"));
    let worker = spawn(world.command(&["--queue", QUEUE]));
    eventually("it is received again", &worker, async || {
        world
            .queue
            .left()
            .iter()
            .any(|(_, receives, _)| *receives > 1)
    })
    .await;
    worker.terminate();
    let worker = ended(&worker).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert!(
        worker.logs.contains("the queue has no redrive policy"),
        "{worker:?}"
    );
    assert_eq!(world.queue.left().len(), 1);
}

/// Deleted any earlier, what is being delivered would be lost when the worker is killed.
#[tokio::test]
async fn a_message_is_deleted_only_when_its_object_has_its_name() {
    let world = World::new().await;
    let aws = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, queue) = (std::sync::Arc::clone(&aws), world.queue.clone());
    world.sftp.hook(move |request| {
        if matches!(
            request.operation,
            Operation::Rename | Operation::PosixRename | Operation::Hardlink
        ) {
            seen.lock().expect("no panic").push(queue.left().len());
        }
        Action::Pass
    });
    world.queued("a");
    let worker = world.run(&["--queue", QUEUE, "--until-empty"]).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    let seen = aws.lock().expect("no panic").clone();
    assert!(
        !seen.is_empty() && seen.iter().all(|it| *it == 1),
        "{seen:?}"
    );
    assert_eq!(world.queue.left(), []);
}
