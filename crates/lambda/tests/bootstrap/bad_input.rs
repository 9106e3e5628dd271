//! The rows of the bad-input table that the process answers, and the errors' names, which never change: people filter
//! by them.

use serde_json::json;
use testkit::event;
use testkit::runtime_api::{InitError, Outcome};
use testkit::s3;
use testkit::secrets::WRONG;
use testkit::sftp::{Action, Operation, closed_port, every, silent, status};

use crate::world::{BUCKET, World, failures, notification};

/// Refused at start: exit status 1, and an init error with all problems in its message.
async fn init_error(extra: &[(&str, &str)]) -> String {
    let world = World::new().await;
    let bootstrap = world.start(extra);
    let exit = bootstrap.wait_for_exit().await;
    assert_eq!(exit.code(), Some(1), "{}", bootstrap.logs());
    let InitError {
        error_type,
        error_message,
    } = world.api.init_error().expect("reported");
    assert_eq!(error_type, "SettingsRefused");
    let line = bootstrap
        .wait_for_line(|line| line.contains("cannot be used"))
        .await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["message"],
        error_message.as_str(),
        "the log says the same"
    );
    assert_eq!(world.sftp.connections(), 0);
    error_message
}

/// The names that a message complains of, in order.
fn complaints(message: &str) -> Vec<&str> {
    let lines = message.lines().skip(1);
    lines
        .filter_map(|line| line.trim().split([':', '=']).next())
        .collect()
}

#[tokio::test]
async fn a_required_variable_missing() {
    for name in ["SSH_HOST", "SSH_USERNAME"] {
        let message = init_error(&[(name, "")]).await;
        assert_eq!(complaints(&message), [name], "{message}");
    }
}

#[tokio::test]
async fn a_port_that_is_no_number() {
    let message = init_error(&[("SSH_PORT", "ssh")]).await;
    assert_eq!(complaints(&message), ["SSH_PORT"], "{message}");
    assert!(message.contains("1 to 65535"), "{message}");
}

#[tokio::test]
async fn host_and_port_in_one() {
    let message = init_error(&[("SSH_HOST", "sftp.example.com:2222")]).await;
    assert_eq!(complaints(&message), ["SSH_HOST"], "{message}");
    assert!(
        message.contains("the port belongs into SSH_PORT"),
        "{message}"
    );
}

#[tokio::test]
async fn an_unknown_placeholder() {
    let message = init_error(&[("SSH_FILENAME", "{dir}/{basename}")]).await;
    assert_eq!(complaints(&message), ["SSH_FILENAME"], "{message}");
    assert!(message.contains("{basename}"), "{message}");
}

#[tokio::test]
async fn both_logins_missing() {
    let message = init_error(&[("SSH_PASSWORD", "")]).await;
    assert_eq!(complaints(&message), ["SSH_PASSWORD"], "{message}");
    assert!(message.contains("SSH_PRIVATE_KEY"), "{message}");
}

#[tokio::test]
async fn a_private_key_that_is_not_bucket_and_key() {
    let message = init_error(&[("SSH_PRIVATE_KEY", "id_rsa")]).await;
    assert_eq!(complaints(&message), ["SSH_PRIVATE_KEY"], "{message}");
    assert!(message.contains("bucket:key"), "{message}");
}

#[tokio::test]
async fn all_problems_stand_in_one_message() {
    let message = init_error(&[
        ("SSH_HOST", "sftp://example.com:22"),
        ("SSH_USERNAME", ""),
        ("SSH_PASSWORD", ""),
        ("SSH_PORT", "0"),
        ("SSH_FILENAME", "{unknown}"),
    ])
    .await;
    let mut names = complaints(&message);
    names.sort_unstable();
    let expected = [
        "SSH_FILENAME",
        "SSH_HOST",
        "SSH_PASSWORD",
        "SSH_PORT",
        "SSH_USERNAME",
    ];
    assert_eq!(names, expected, "{message}");
}

#[tokio::test]
async fn valid_json_that_is_no_s3_event() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let event = json!({ "hello": "x".repeat(300) });
    let text = event.to_string();
    let outcome = world.api.invoke(event).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(
        message.contains("expected an S3 event notification"),
        "{message}"
    );
    assert!(message.contains(&text[..200]), "{message}");
    assert!(!message.contains(&text[..201]), "{message}");
    // The process lives on.
    let outcome = world.api.invoke(world.uploaded("a", "1")).await;
    assert_eq!(outcome.response()["delivered"], 1);
}

#[tokio::test]
async fn an_sqs_body_that_is_garbage() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let garbage = "gar\u{7}bage ".repeat(50);
    let batch = event::sqs(&[
        ("garbage", garbage),
        ("other", json!({ "hello": "world" }).to_string()),
        ("good", world.uploaded("a", "1").to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    let failed = json!([{ "itemIdentifier": "garbage" }, { "itemIdentifier": "other" }]);
    assert_eq!(outcome.response()["batchItemFailures"], failed);
    assert_eq!(world.file("a"), b"1");
    for found in ["gar\\\\u{7}bage gar", r#"{\"hello\":\"world\"}"#] {
        bootstrap
            .wait_for_line(move |line| line.contains("expected an S3") && line.contains(found))
            .await;
    }
}

/// Delivers one object, which fails and stays.
async fn refused(world: &World, extra: &[(&str, &str)], key: &str) -> (String, String) {
    let _bootstrap = world.start(extra);
    let outcome = world.api.invoke(world.uploaded(key, "content")).await;
    assert!(world.has_source(key), "the source is kept");
    let (error_type, message) = outcome.error();
    assert!(message.contains(&format!("s3://inbox/{key}")), "{message}");
    (error_type.to_owned(), message.to_owned())
}

#[tokio::test]
async fn an_unknown_host() {
    let world = World::new().await;
    let host = [("SSH_HOST", "sftp.invalid"), ("SSH_CONNECT_TIMEOUT", "5s")];
    let (name, message) = refused(&world, &host, "a").await;
    assert_eq!(name, "NameNotFound", "{message}");
    assert!(message.contains("sftp.invalid"), "{message}");
}

#[tokio::test]
async fn a_port_that_is_closed() {
    let world = World::new().await;
    let port = closed_port();
    let number = port.port().to_string();
    let (name, message) = refused(&world, &[("SSH_PORT", &number)], "a").await;
    assert_eq!(name, "ConnectFailed", "{message}");
    assert!(
        message.contains(&format!("127.0.0.1:{number}")),
        "{message}"
    );
}

#[tokio::test]
async fn a_banner_that_never_comes() {
    let world = World::new().await;
    let server = silent();
    let port = server.port().to_string();
    let (name, message) = refused(
        &world,
        &[("SSH_PORT", &port), ("SSH_CONNECT_TIMEOUT", "1")],
        "a",
    )
    .await;
    assert_eq!(name, "ServerSilent", "{message}");
    assert!(message.contains(&format!("127.0.0.1:{port}")), "{message}");
    assert!(message.contains("no SSH banner"), "{message}");
}

#[tokio::test]
async fn a_login_that_is_refused() {
    let world = World::new().await;
    let (name, message) = refused(&world, &[("SSH_PASSWORD", WRONG)], "a").await;
    assert_eq!(name, "LoginRefused", "{message}");
    let address = format!("127.0.0.1:{}", world.sftp.port());
    assert!(
        message.contains(&address) && message.contains("acme"),
        "{message}"
    );
    assert!(!message.contains("nope"), "{message}");
    assert_eq!(world.sftp.credentials_sent(), 1);
}

#[tokio::test]
async fn a_wrong_host_key() {
    let world = World::new().await;
    let other = format!("SHA256:{}", "A".repeat(43));
    let (name, message) = refused(&world, &[("SSH_HOST_KEY", &other)], "a").await;
    assert_eq!(name, "HostKeyMismatch", "{message}");
    assert!(message.contains(&other), "{message}");
    assert!(message.contains(world.sftp.fingerprint()), "{message}");
    assert_eq!(world.sftp.credentials_sent(), 0);
}

#[tokio::test]
async fn a_directory_that_does_not_exist() {
    let world = World::new().await;
    let (name, message) = refused(&world, &[("SSH_DIR", "uplaod")], "a").await;
    assert_eq!(name, "DirectoryMissing", "{message}");
    assert!(message.contains("uplaod"), "{message}");
    world.assert_tree(&[]);
}

#[tokio::test]
async fn a_private_key_whose_object_is_missing() {
    let world = World::new().await;
    world.s3.create_bucket("secrets");
    let (name, message) = refused(&world, &[("SSH_PRIVATE_KEY", "secrets:id")], "a").await;
    assert_eq!(name, "PrivateKeyUnavailable", "{message}");
    assert!(message.contains("s3://secrets/id"), "{message}");
    assert_eq!(world.sftp.identifications(), [""; 0]);
}

#[tokio::test]
async fn a_private_key_that_is_none() {
    let world = World::new().await;
    world.s3.create_bucket("secrets");
    world.s3.put("secrets", "id", "the answer is 42");
    let (name, message) = refused(&world, &[("SSH_PRIVATE_KEY", "secrets:id")], "a").await;
    assert_eq!(name, "PrivateKeyUnusable", "{message}");
    assert!(message.contains("s3://secrets/id"), "{message}");
    assert!(!message.contains("42"), "{message}");
}

#[tokio::test]
async fn a_remote_path_that_leads_out_is_refused_and_the_others_are_delivered() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let objects = ["../a", "b", "..\\c", ".ssh/authorized_keys"].map(|key| world.upload(key, key));
    let outcome = world.api.invoke(notification(&objects)).await;
    let (name, message) = outcome.error();
    assert_eq!(name, "RemotePathRefused");
    assert_eq!(message.lines().count(), 3, "{message}");
    world.assert_tree(&["b"]);
    assert_eq!(
        world.s3.keys(BUCKET),
        ["../a", "..\\c", ".ssh/authorized_keys"]
    );
}

#[tokio::test]
async fn the_functions_own_private_key_in_the_source_bucket() {
    let world = World::new().await;
    let key = world
        .sftp
        .account()
        .private_key
        .expect("the server takes keys");
    let _bootstrap = world.start(&[("SSH_PRIVATE_KEY", "inbox:id")]);
    let outcome = world.api.invoke(world.uploaded("id", key.clone())).await;
    let (name, message) = outcome.error();
    assert_eq!(name, "OwnObject", "{message}");
    assert!(!message.contains(key.lines().nth(1).expect("a line")));
    assert!(world.has_source("id"));
    world.assert_tree(&[]);
    // For any other object it is the key to log in with.
    let outcome = world.api.invoke(world.uploaded("a", "1")).await;
    assert_eq!(outcome.response()["delivered"], 1);
}

#[tokio::test]
async fn a_source_that_may_not_be_read() {
    let world = World::new().await;
    world.s3.hook(|request| {
        if request.operation == "GetObject" {
            s3::Action::access_denied()
        } else {
            s3::Action::Pass
        }
    });
    let (name, message) = refused(&world, &[], "a").await;
    assert_eq!(name, "SourceDenied", "{message}");
    assert!(message.contains("s3:ListBucket"), "{message}");
    world.assert_tree(&[]);
}

#[tokio::test]
async fn a_server_that_denies_permission() {
    let world = World::new().await;
    world.sftp.hook(every(Operation::Open, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let (name, message) = refused(&world, &[], "a").await;
    assert_eq!(name, "PermissionDenied", "{message}");
    assert!(message.contains("status 3"), "{message}");
    world.assert_tree(&[]);
}

#[tokio::test]
async fn a_disk_that_is_full() {
    let world = World::new().await;
    world.sftp.hook(testkit::sftp::disk_full_beyond(3));
    let (name, message) = refused(&world, &[], "a").await;
    assert_eq!(name, "SftpFailure", "{message}");
    assert!(message.contains("status 4"), "{message}");
    assert!(message.contains("No space left on device"), "{message}");
    world.assert_tree(&[]);
}

#[tokio::test]
async fn failures_that_differ_have_a_name_in_common() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.sftp.hook(every(Operation::Open, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let objects = [world.upload("a", "1"), world.upload("../b", "2")];
    let outcome = world.api.invoke(notification(&objects)).await;
    assert!(matches!(outcome, Outcome::Error { .. }));
    let (name, message) = outcome.error();
    assert_eq!(name, "DeliveriesFailed");
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(
        lines[0].contains("s3://inbox/a") && lines[1].contains("s3://inbox/../b"),
        "{message}"
    );
}

#[tokio::test]
async fn a_batch_whose_third_body_is_garbage() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let body = |key: &str| world.uploaded(key, key).to_string();
    let batch = event::sqs(&[
        ("first", body("first")),
        ("second", body("second")),
        ("third", "\u{0}\u{1f}{{{ no JSON".to_owned()),
        ("fourth", body("fourth")),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&["third"]));
    world.assert_tree(&["first", "fourth", "second"]);
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
}

#[tokio::test]
async fn a_wrapper_in_a_wrapper_three_deep_is_delivered_and_five_deep_is_refused_by_itself() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let by_topic = |event: &serde_json::Value| event::sns(&event.to_string());
    let failed = |key: &str| event::failed_invocation(&by_topic(&world.uploaded(key, key)));
    // Queue, topic, record of a failed invocation, topic: what can really happen.
    let three =
        event::sns_envelope(&event::failed_invocation(&world.uploaded("three", "3")).to_string());
    let four = event::sns_envelope(&failed("four").to_string());
    let five =
        event::sns_envelope(&event::failed_invocation(&by_topic(&failed("five"))).to_string());
    let batch = event::sqs(&[
        ("three", three.to_string()),
        ("five", five.to_string()),
        ("four", four.to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&["five"]));
    world.assert_tree(&["four", "three"]);
    assert_eq!(world.s3.keys(BUCKET), ["five"]);
    bootstrap
        .wait_for_line(|line| {
            line.contains("EventNotUnderstood") && line.contains("wrapped more than 4 times")
        })
        .await;
    // What is inside can be sent by itself.
    let outcome = world.api.invoke(failed("five")).await;
    assert_eq!(outcome.response()["delivered"], 1);
}

#[tokio::test]
async fn an_eventbridge_event_of_another_type_in_a_batch() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let created = event::eventbridge(BUCKET, &world.upload("a", "1"));
    let mut deleted = created.clone();
    deleted["detail-type"] = json!("Object Deleted");
    let mut scheduled = created.clone();
    scheduled["detail-type"] = json!("Scheduled Event");
    scheduled["source"] = json!("aws.events");
    let batch = event::sqs(&[
        ("scheduled", scheduled.to_string()),
        ("deleted", deleted.to_string()),
        ("created", created.to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    // S3's own is acknowledged; what is not S3's would be lost if it were.
    assert_eq!(outcome.response(), &failures(&["scheduled"]));
    world.assert_tree(&["a"]);
}

#[tokio::test]
async fn version_3_0_of_a_notification() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let mut event = world.uploaded("a", "1");
    event["Records"][0]["eventVersion"] = json!("3.0");
    let outcome = world.api.invoke(event.clone()).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(
        message.contains("\"3.0\"; this program reads 2.x"),
        "{message}"
    );
    let batch = event::sqs(&[
        ("new", event.to_string()),
        ("old", world.uploaded("b", "1").to_string()),
    ]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&["new"]));
    world.assert_tree(&["b"]);
    assert!(world.has_source("a"));
}

/// 10,000 messages are the most that a mapping hands over, and 6 MB the most that Lambda takes as an answer.
#[tokio::test]
async fn an_answer_about_a_whole_batch_of_10_000_stays_below_6_mb() {
    const MOST: usize = 6 * 1024 * 1024;
    let world = World::new().await;
    let _bootstrap = world.start(&[("LOGGING_LEVEL", "CRITICAL")]);
    let ids: Vec<String> = (0..10_000)
        .map(|number| format!("19dd0b57-b21e-4ac1-bd88-{number:012}"))
        .collect();
    let messages: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "x")).collect();
    let outcome = world.api.invoke(event::sqs(&messages)).await;
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert!(
        outcome.response() == &failures(&all),
        "each of them is named"
    );
    let size = outcome.response().to_string().len();
    assert!(size < MOST / 2, "{size} bytes");

    // Without their ids they fail together, and the reason is told for some of them.
    let mut nameless = event::sqs(&messages[..1000]);
    for message in nameless["Records"].as_array_mut().expect("messages") {
        message
            .as_object_mut()
            .expect("a message")
            .remove("messageId");
    }
    let outcome = world.api.invoke(nameless).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "EventNotUnderstood");
    assert!(message.ends_with("and 980 more"), "{message}");
    assert!(message.len() < 100_000, "{}", message.len());
}

/// Receipts are told up to 256 KiB, and counted all.
#[tokio::test]
async fn an_answer_with_more_receipts_than_fit_counts_them_all() {
    const FILES: usize = 800;
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let list: Vec<String> = (0..FILES)
        .map(|number| {
            let key = format!("a report with a long name {number:05}");
            world.upload(&key, "1");
            format!("s3://{BUCKET}/{key}")
        })
        .collect();
    let outcome = world.api.invoke(json!(list)).await;
    let answer = outcome.response();
    assert_eq!(answer["delivered"], FILES);
    let receipts = answer["receipts"].as_array().expect("receipts").len();
    assert!(receipts > 100 && receipts < FILES, "{receipts} receipts");
    assert!(answer.to_string().len() < 300_000);
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
    assert_eq!(world.tree().len(), FILES);
}
