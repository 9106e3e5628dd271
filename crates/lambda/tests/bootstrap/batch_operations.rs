//! Tasks of S3 Batch Operations: each has a result of its own.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::event::batch_operations;
use testkit::payload;
use testkit::runtime_api::Invocation;
use testkit::s3;
use testkit::secrets::WRONG;
use testkit::sftp::{Action, Operation, every, status};

use crate::world::{BUCKET, World};

const SCHEMA: &str = "2.0";

/// The only result of an answer: its code and its text.
#[track_caller]
fn only(answer: &Value) -> (&str, &str) {
    let [(id, code, text)] = results(answer)[..] else {
        panic!("one result, not {answer}");
    };
    assert_eq!(id, "t");
    (code, text)
}

#[track_caller]
fn results(answer: &Value) -> Vec<(&str, &str, &str)> {
    let results = answer["results"].as_array().expect("results");
    results
        .iter()
        .map(|result| {
            let field = |name: &str| result[name].as_str().expect("text");
            (field("taskId"), field("resultCode"), field("resultString"))
        })
        .collect()
}

/// Runs one task, without a version.
async fn run(world: &World, key: &str) -> Value {
    let event = batch_operations(SCHEMA, BUCKET, &[("t", key, None)]);
    world.api.invoke(event).await.response().clone()
}

#[tokio::test]
async fn a_task_of_either_schema_is_delivered_and_its_source_deleted() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    for schema in ["1.0", "2.0"] {
        let key = format!("in/{schema} red flower+é%.csv");
        world.upload(&key, payload::ramp(300_000));
        let event = batch_operations(schema, BUCKET, &[("t", &key, None)]);
        let outcome = world.api.invoke(event.clone()).await;
        let answer = outcome.response();
        let (code, text) = only(answer);
        assert_eq!(code, "Succeeded");
        assert!(
            text.starts_with(&format!("delivered s3://inbox/{key} to ")),
            "{text}"
        );
        let expected = json!({
            "invocationSchemaVersion": schema,
            "invocationId": event["invocationId"],
            "treatMissingKeysAs": "TemporaryFailure",
            "results": answer["results"],
        });
        assert_eq!(answer, &expected);
        assert!(world.file(&key) == payload::ramp(300_000), "byte by byte");
        assert!(!world.has_source(&key));
        bootstrap
            .wait_for_line(move |line| {
                line.contains("\"outcome\":\"delivered\"") && line.contains(schema)
            })
            .await;
    }
}

/// S3 tries a task again whose answer was lost on its way.
#[tokio::test]
async fn a_task_that_is_done_already_has_succeeded_and_says_that_nothing_is_there() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("a", "1");
    assert_eq!(only(&run(&world, "a").await).0, "Succeeded");
    let again = run(&world, "a").await;
    assert_eq!(
        only(&again),
        (
            "Succeeded",
            "gone: nothing is there to deliver (s3://inbox/a)"
        )
    );
    assert_eq!(world.file("a"), b"1");
}

#[tokio::test]
async fn what_may_pass_is_a_temporary_failure() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world
        .sftp
        .hook(every(Operation::Write, || Action::refuse(status::FAILURE)));
    world.upload("a", "1");
    let answer = run(&world, "a").await;
    let (code, text) = only(&answer);
    assert_eq!(code, "TemporaryFailure");
    assert!(text.starts_with("SftpFailure: s3://inbox/a: "), "{text}");
    assert!(world.has_source("a"));
    world.assert_tree(&[]);
}

/// Nothing is wrong with the object, and the password may be right tomorrow.
#[tokio::test]
async fn a_server_that_lets_nobody_in_is_a_temporary_failure_of_each_task() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", WRONG)]);
    let keys = ["a", "b", "c"];
    let tasks = keys.map(|key| {
        world.upload(key, "1");
        (key, key, None)
    });
    let outcome = world
        .api
        .invoke(batch_operations(SCHEMA, BUCKET, &tasks))
        .await;
    for ((id, code, text), key) in results(outcome.response()).into_iter().zip(keys) {
        assert_eq!((id, code), (key, "TemporaryFailure"));
        assert!(text.starts_with("LoginRefused"), "{text}");
    }
    assert_eq!(world.sftp.credentials_sent(), 1);
    assert_eq!(world.s3.keys(BUCKET), keys);
}

/// The job's report is where it is read: nothing is put into the dead-letter queue.
#[tokio::test]
async fn what_is_hopeless_is_a_permanent_failure_and_the_others_are_delivered() {
    let world = World::new().await;
    let dead = (
        "DEAD_LETTER_QUEUE_URL",
        "http://127.0.0.1:1/123456789012/dead",
    );
    let _bootstrap = world.start(&[dead]);
    let keys = ["one", "in/../out", "two"];
    let tasks = keys.map(|key| {
        world.upload(key, key);
        (key, key, None)
    });
    let outcome = world
        .api
        .invoke(batch_operations(SCHEMA, BUCKET, &tasks))
        .await;
    let results = results(outcome.response());
    let codes: Vec<_> = results.iter().map(|(id, code, _)| (*id, *code)).collect();
    let expected = [
        ("one", "Succeeded"),
        ("in/../out", "PermanentFailure"),
        ("two", "Succeeded"),
    ];
    assert_eq!(codes, expected);
    assert!(
        results[1].2.starts_with("RemotePathRefused"),
        "{}",
        results[1].2
    );
    world.assert_tree(&["one", "two"]);
    assert_eq!(world.s3.keys(BUCKET), ["in/../out"]);
    assert_eq!(world.aws.actions(), [""; 0]);
    assert_eq!(world.sftp.connections(), 1);
}

#[tokio::test]
async fn an_unknown_schema_is_a_permanent_failure_of_each_task() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    world.upload("a", "1");
    for schema in [json!("9.0"), json!("9"), json!(9.0), json!(["2.0"])] {
        let mut event = batch_operations(SCHEMA, BUCKET, &[("s", "a", None), ("t", "b", None)]);
        event["invocationSchemaVersion"] = schema.clone();
        let outcome = world.api.invoke(event).await;
        let answer = outcome.response();
        assert_eq!(answer["invocationSchemaVersion"], schema);
        assert_eq!(answer["treatMissingKeysAs"], "PermanentFailure");
        let results = results(answer);
        assert_eq!(results.len(), 2);
        for ((id, code, text), expected) in results.into_iter().zip(["s", "t"]) {
            assert_eq!((id, code), (expected, "PermanentFailure"));
            assert!(text.contains("this program reads 1.x and 2.x"), "{text}");
        }
    }
    assert!(world.has_source("a"));
    assert_eq!(world.sftp.connections(), 0);
    bootstrap
        .wait_for_line(|line| line.contains("EventNotUnderstood"))
        .await;
}

#[tokio::test]
async fn no_tasks_are_no_results() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let outcome = world.api.invoke(batch_operations("1.0", BUCKET, &[])).await;
    assert_eq!(outcome.response()["results"], json!([]));
    assert_eq!(outcome.response()["treatMissingKeysAs"], "TemporaryFailure");
    assert_eq!(world.sftp.connections(), 0);
}

#[tokio::test]
async fn what_is_called_tasks_and_is_none_is_no_event() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    for tasks in [json!(null), json!({}), json!("t")] {
        let mut event = batch_operations(SCHEMA, BUCKET, &[]);
        event["tasks"] = tasks;
        let outcome = world.api.invoke(event).await;
        assert_eq!(outcome.error().0, "EventNotUnderstood");
    }
}

#[tokio::test]
async fn a_task_that_cannot_be_read_fails_alone() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("good", "1");
    let mut event = batch_operations(SCHEMA, BUCKET, &[("good", "good", None)]);
    let odd = [
        json!({ "taskId": "no key", "s3Bucket": BUCKET }),
        json!({ "taskId": "empty key", "s3Key": "", "s3Bucket": BUCKET }),
        json!({ "taskId": "no bucket", "s3Key": "good" }),
        json!({ "taskId": "access point", "s3Key": "good",
            "s3BucketArn": "arn:aws:s3:us-east-1:123456789012:accesspoint/mine" }),
        json!({ "taskId": "not UTF-8", "s3Key": "%FF", "s3Bucket": BUCKET }),
    ];
    let texts = [
        "s3Key",
        "s3Key",
        "s3BucketArn",
        "accesspoint/mine is no bucket's ARN",
        "%FF",
    ];
    let tasks = event["tasks"].as_array_mut().expect("tasks");
    tasks.splice(0..0, odd);
    let outcome = world.api.invoke(event).await;
    let results = results(outcome.response());
    let (last, refused) = results.split_last().expect("results");
    assert_eq!((last.0, last.1), ("good", "Succeeded"));
    assert_eq!(refused.len(), texts.len());
    for ((id, code, text), expected) in refused.iter().zip(texts) {
        assert_eq!(*code, "PermanentFailure", "{id}");
        assert!(text.contains(expected), "{id}: {text}");
    }
    world.assert_tree(&["good"]);
}

/// There is nothing to call its result by: what is not delivered must not be reported as if it were.
#[tokio::test]
async fn a_task_without_an_id_is_not_delivered() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    world.upload("a", "1");
    world.upload("b", "2");
    let mut event = batch_operations(SCHEMA, BUCKET, &[("t", "a", None), ("", "b", None)]);
    event["tasks"].as_array_mut().expect("tasks").push(json!(7));
    let outcome = world.api.invoke(event).await;
    let answer = outcome.response();
    assert_eq!(only(answer).0, "Succeeded");
    assert_eq!(answer["treatMissingKeysAs"], "PermanentFailure");
    assert_eq!(world.s3.keys(BUCKET), ["b"]);
    bootstrap
        .wait_for_line(|line| line.contains("the task has no `taskId`"))
        .await;
}

/// An older version must not replace a newer one at the partner's.
#[tokio::test]
async fn a_version_that_a_manifest_names_is_delivered_only_if_it_is_the_current_one() {
    let world = World::new().await;
    world.s3.create_versioned_bucket(BUCKET);
    let _bootstrap = world.start(&[]);
    let old = world.upload("a", "old").version_id.expect("a version");
    let new = world.upload("a", "new").version_id.expect("a version");
    let task = |version: &str| batch_operations("1.0", BUCKET, &[("t", "a", Some(version))]);

    let outcome = world.api.invoke(task(&old)).await;
    let (code, text) = only(outcome.response());
    assert_eq!(code, "PermanentFailure");
    assert!(text.starts_with("VersionNotCurrent"), "{text}");
    assert!(text.contains(&old) && text.contains(&new), "{text}");
    world.assert_tree(&[]);
    assert!(world.has_source("a"));

    let outcome = world.api.invoke(task(&new)).await;
    assert_eq!(only(outcome.response()).0, "Succeeded");
    assert_eq!(world.file("a"), b"new");
    assert!(!world.has_source("a"));
    // What S3 asks for again is delivered; the history has it, and the key has nothing.
    let outcome = world.api.invoke(task(&new)).await;
    let (code, text) = only(outcome.response());
    assert_eq!(code, "Succeeded");
    assert!(text.starts_with("gone"), "{text}");
}

#[tokio::test]
async fn a_version_of_a_bucket_that_keeps_none_is_null() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("a", "1");
    let event = batch_operations("1.0", BUCKET, &[("t", "a", Some("null"))]);
    let outcome = world.api.invoke(event).await;
    assert_eq!(only(outcome.response()).0, "Succeeded");
    assert_eq!(world.file("a"), b"1");
}

#[tokio::test]
async fn an_object_that_is_skipped_has_succeeded_and_says_that_its_source_is_kept() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("SSH_ON_CONFLICT", "skip")]);
    std::fs::write(world.sftp.home().join("a"), "theirs").expect("it can be written");
    world.upload("a", "ours");
    let answer = run(&world, "a").await;
    let (code, text) = only(&answer);
    assert_eq!(code, "Succeeded");
    assert!(text.contains("the source is kept"), "{text}");
    assert_eq!(world.file("a"), b"theirs");
    assert!(world.has_source("a"));
}

/// A listing tells no sizes to a manifest.
#[tokio::test]
async fn a_folder_marker_is_skipped() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("folder/", "");
    let answer = run(&world, "folder/").await;
    let (code, text) = only(&answer);
    assert_eq!(code, "Succeeded");
    assert!(text.contains("a folder marker"), "{text}");
    world.assert_tree(&[]);
    assert!(world.has_source("folder/"));
}

/// To fail it would be to have the file sent again.
#[tokio::test]
async fn a_source_that_cannot_be_deleted_is_a_success_that_says_so() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.s3.hook(|request| match request.operation.as_str() {
        "DeleteObject" => s3::Action::access_denied(),
        _ => s3::Action::Pass,
    });
    world.upload("a", "1");
    let answer = run(&world, "a").await;
    let (code, text) = only(&answer);
    assert_eq!(code, "Succeeded");
    assert!(text.contains("SourceNotDeleted"), "{text}");
    assert_eq!(world.file("a"), b"1");
}

/// S3 waits for the answer: what was handed over could not be called a success before it is one.
#[tokio::test]
async fn what_does_not_fit_into_the_invocation_is_not_handed_over() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    crate::relay::slow(&world);
    world.upload("slow", payload::ramp(crate::relay::SIZE));
    let event = batch_operations(SCHEMA, BUCKET, &[("t", "slow", None)]);
    let invocation = Invocation::new(event).time(Duration::from_secs(3));
    let outcome = world.api.run(&invocation).await;
    let (code, text) = only(outcome.response());
    assert_eq!(code, "TemporaryFailure");
    assert!(text.starts_with("DeadlineReached"), "{text}");
    assert!(text.contains("or by a sweep"), "{text}");
    assert_eq!(world.aws.actions(), [""; 0], "nothing goes on with it");
    assert!(world.has_source("slow"));
    world.assert_tree(&[]);
}

/// The second look is part of the invocation's time.
#[tokio::test]
async fn a_plus_that_cannot_be_looked_for_in_time_is_tried_again() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("a+b", "1");
    world.s3.hook(|request| {
        if request.operation == "HeadObject" && request.key == "a+b" {
            s3::Action::Delay(Duration::from_secs(60))
        } else {
            s3::Action::Pass
        }
    });
    let mut event = batch_operations(SCHEMA, BUCKET, &[("t", "", None)]);
    event["tasks"][0]["s3Key"] = json!("a+b");
    let invocation = Invocation::new(event).time(Duration::from_secs(3));
    let outcome = world.api.run(&invocation).await;
    let (code, text) = only(outcome.response());
    assert_eq!(code, "TemporaryFailure", "{text}");
    assert!(world.has_source("a+b"));
}

/// Whether a plus is a blank in such a key, AWS's own pages do not agree on. A wrong guess must not look like an object that is gone.
#[tokio::test]
async fn a_plus_that_may_be_one_is_not_taken_for_an_object_that_is_gone() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.upload("a+b", "1");
    let task = |key: &str| {
        let mut event = batch_operations(SCHEMA, BUCKET, &[("t", "", None)]);
        event["tasks"][0]["s3Key"] = json!(key);
        event
    };
    let outcome = world.api.invoke(task("a+b")).await;
    let (code, text) = only(outcome.response());
    assert_eq!(code, "PermanentFailure");
    assert!(text.contains("write the plus as %2B"), "{text}");
    assert!(world.has_source("a+b"));
    world.assert_tree(&[]);

    world.upload("a b", "2");
    let outcome = world.api.invoke(task("a+b")).await;
    assert_eq!(only(outcome.response()).0, "Succeeded");
    world.assert_tree(&["a b"]);
    let outcome = world.api.invoke(task("a%2Bb")).await;
    assert_eq!(only(outcome.response()).0, "Succeeded");
    world.assert_tree(&["a b", "a+b"]);
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
    // And now it is.
    let outcome = world.api.invoke(task("a+b")).await;
    assert_eq!(only(outcome.response()).0, "Succeeded");
}
