//! A queue.

use serde_json::{Value, json};
use testkit::aws_calls::Answer;
use testkit::event::{self, ObjectRef};
use testkit::program::Ended;
use testkit::sftp::{Action, Operation, once, status};

use crate::world::{BUCKET, QUEUE, WHY, World, records};

#[tokio::test]
async fn what_was_given_up_is_listed_with_its_reasons_and_stays() {
    let world = World::new().await;
    world.queue.put("own", &world.uploaded("a"), WHY);
    let of_lambda = json!({
        "version": "1.0",
        "requestContext": { "condition": "RetriesExhausted" },
        "requestPayload": world.uploaded("b c"),
        "responsePayload": { "errorType": "LoginRefused", "errorMessage": "no" },
    });
    world.queue.put("lambda's", &of_lambda, None);
    world.queue.put("garbage", &json!("no event"), None);
    for number in 0..20 {
        world
            .queue
            .put(&number.to_string(), &world.uploaded("d"), WHY);
    }
    let ended = world.run(&[QUEUE]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "own s3://inbox/a",
            "    PermissionDenied: s3://inbox/a: it was refused",
            "lambda's s3://inbox/b c",
            "    LoginRefused: no",
            "garbage nothing that is understood",
            "    no reason is told",
        ]
    );
    assert_eq!(lines.len(), 2 * 23);
    assert!(
        ended.stderr.contains("23 messages; --yes delivers"),
        "{ended:?}"
    );
    let (ids, are_seen) = world.queue.left();
    assert_eq!((ids.len(), are_seen), (23, true));
    assert_eq!(world.sftp.connections(), 0);
    let regions = world.aws.of("ReceiveMessage");
    assert_eq!(regions[0].region.as_deref(), Some("eu-central-1"));

    let ended = world.run(&["--json", QUEUE]).await;
    let first: Value =
        serde_json::from_str(ended.stdout.lines().next().expect("a line")).expect("JSON");
    let expected = json!({
        "message": "own", "error_type": "PermissionDenied", "error": "s3://inbox/a: it was refused",
        "objects": ["s3://inbox/a"],
    });
    assert_eq!(first, expected);
}

#[tokio::test]
async fn a_message_is_deleted_only_when_all_that_it_names_is_delivered() {
    let world = World::new().await;
    world.queue.put("well", &world.uploaded("a"), WHY);
    let both = ["b", "bad"].map(|key| ObjectRef::stored(key, &world.s3.put(BUCKET, key, key)));
    world
        .queue
        .put("half", &event::notification(BUCKET, &both), WHY);
    world.queue.put(
        "gone",
        &event::notification(BUCKET, &[ObjectRef::new("gone", 1, "etag")]),
        WHY,
    );
    world.queue.put("garbage", &json!("no event"), None);
    world.queue.put(
        "sweep",
        &json!({ "sweep": "s3://inbox/", "older_than": "1d" }),
        None,
    );
    let refuse = |request: &testkit::sftp::Request| {
        let is_bad = request
            .path
            .as_deref()
            .is_some_and(|path| path.contains(".bad."));
        if request.operation == Operation::Open && is_bad {
            Action::refuse(status::PERMISSION_DENIED)
        } else {
            Action::Pass
        }
    };
    world.sftp.hook(refuse);
    let ended = world.replay(QUEUE).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let records = records(&ended);
    let outcomes: Vec<&Value> = records.iter().map(|it| &it["outcome"]).collect();
    assert_eq!(
        outcomes,
        ["delivered", "delivered", "failed", "gone", "failed"]
    );
    let (mut ids, are_seen) = world.queue.left();
    ids.sort();
    assert_eq!(ids, ["garbage", "half", "sweep"]);
    assert!(are_seen, "what is left is there for others at once");
    assert_eq!(
        world.s3.keys(BUCKET),
        ["bad"],
        "as the function: sources are deleted"
    );
    assert!(
        ended.stderr.contains("invoke the function with it"),
        "{ended:?}"
    );

    world.sftp.clear_hooks();
    world.queue.lock().retain(|message| message.id == "half");
    let ended = world.replay(QUEUE).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(world.queue.left().0.is_empty());
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
    let ended = world.replay(QUEUE).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("is empty"), "{ended:?}");
}

/// As the function's are; what cannot be published holds up no message.
#[tokio::test]
async fn receipts_are_published_and_a_message_is_deleted_without() {
    for bus_says in [Answer::Well, Answer::Refused(400, "AccessDeniedException")] {
        let world = World::new().await;
        let is_well = matches!(bus_says, Answer::Well);
        let queue = world.queue.clone();
        world.aws.answer(move |call| match call.action.as_str() {
            "PutEvents" => bus_says.clone(),
            _ => queue.answer(call),
        });
        world.s3.create_bucket("receipts");
        world.queue.put("m", &world.uploaded("a"), WHY);
        let mut command = world.command(&["--yes", QUEUE]);
        command
            .env("RECEIPT_BUS", "partners")
            .env("RECEIPT_PREFIX", "s3://receipts/acme/");
        let ended = Ended::of(command).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(world.queue.left().0.is_empty());
        assert!(!world.aws.of("PutEvents").is_empty(), "{ended:?}");
        assert_eq!(world.s3.keys("receipts").len(), 1, "{ended:?}");
        let is_told = ended.stderr.contains("the receipt is no event on partners");
        assert_eq!(is_told, !is_well, "{ended:?}");
    }
}

/// The delivery stands, and the message comes again: then its object is gone.
#[tokio::test]
async fn a_message_that_cannot_be_deleted_is_told() {
    let world = World::new().await;
    world.queue.put("m", &world.uploaded("a"), WHY);
    let queue = world.queue.clone();
    world.aws.answer(move |call| match call.action.as_str() {
        "DeleteMessage" => Answer::Said(400, "AccessDenied", "no"),
        _ => queue.answer(call),
    });
    let ended = world.replay(QUEUE).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("message m is done, and comes again"),
        "{ended:?}"
    );
    assert!(
        ended.stderr.contains("grant sqs:DeleteMessage"),
        "{ended:?}"
    );
    assert_eq!(world.queue.left(), (vec!["m".to_owned()], true));
}

#[tokio::test]
async fn a_queue_that_cannot_be_read_is_named_with_the_next_step() {
    let world = World::new().await;
    for (code, next) in [
        ("AccessDenied", "grant sqs:ReceiveMessage"),
        ("QueueDoesNotExist", "check the URL"),
    ] {
        world.aws.answer(move |_| Answer::Said(400, code, "no"));
        for arguments in [&[QUEUE][..], &["--yes", QUEUE]] {
            let ended = world.run(arguments).await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(
                ended.stderr.contains(QUEUE) && ended.stderr.contains(next),
                "{ended:?}"
            );
            assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        }
    }
    for queue in ["arn:aws:sqs:eu-central-1:123456789012:dead", "dead", ""] {
        let ended = world.run(&[queue]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(
            ended.stderr.contains("expected the URL of a queue"),
            "{ended:?}"
        );
    }
}

/// The server fails once, and the message stays; it is not tried again in the same run.
#[tokio::test]
async fn what_fails_is_tried_once() {
    let world = World::new().await;
    world.queue.put("m", &world.uploaded("a"), WHY);
    world
        .sftp
        .hook(once(Operation::Open, || Action::refuse(status::FAILURE)));
    let ended = world.replay(QUEUE).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(world.queue.left(), (vec!["m".to_owned()], true));
    assert!(world.s3.exists(BUCKET, "a"));
}
