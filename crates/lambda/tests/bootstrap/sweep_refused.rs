//! A sweep that sends nothing: what is asked for is nonsense, or its messages would be sent again by each further one.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use testkit::aws_calls::Answer;
use testkit::runtime_api::Invocation;
use testkit::s3;

use crate::sweep::{QUEUE, SENDS, keys, left, sent, sweep};
use crate::world::{BUCKET, World};

/// Whatever is wrong with it, a refusal is an error, for nobody reads a schedule's answer; it is no dead letter, which
/// somebody would send again.
async fn is_refused(world: &World, event: Value, error: &str, texts: &[&str]) {
    let connections = world.sftp.connections();
    let outcome = world.api.invoke(event.clone()).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, error, "{event}: {message}");
    for text in texts {
        assert!(message.contains(text), "{event}: {message}");
    }
    assert_eq!(world.aws.actions(), [""; 0], "{event}");
    assert_eq!(
        world.sftp.connections(),
        connections,
        "the partner is not bothered"
    );
}

#[tokio::test]
async fn a_sweep_that_cannot_be_read_is_refused() {
    let world = World::new().await;
    let dead = (
        "DEAD_LETTER_QUEUE_URL",
        "http://127.0.0.1:1/123456789012/dead",
    );
    let _bootstrap = world.start(&[SENDS, dead]);
    left(&world, "in/a", 25);
    for (place, text) in [
        ("inbox/in/", "expected {\"sweep\":\"s3://BUCKET/PREFIX/\""),
        ("arn:aws:s3:::inbox/in/", "is no place in S3"),
        ("s3://", "is no place in S3"),
        ("s3:///in/", "is no place in S3"),
        ("s3://in box/in/", "is no place in S3"),
        (
            "s3://inbox",
            "names no prefix: give `s3://inbox/PREFIX/`, or `s3://inbox/` for the whole bucket",
        ),
    ] {
        is_refused(&world, sweep(place, "1d"), "SweepRefused", &[text]).await;
    }
    for place in [json!(7), json!(["s3://inbox/in/"]), json!({})] {
        let event = json!({ "sweep": place, "older_than": "1d" });
        is_refused(&world, event, "SweepRefused", &["is no place in S3"]).await;
    }
    for (age, text) in [
        (
            json!("yesterday"),
            "is no time: \"yesterday\"; give one like `90m`, `12h` or `1d`",
        ),
        (json!(""), "is no time"),
        (json!("d"), "is no time"),
        (json!("-1d"), "is no time"),
        (json!("1.5d"), "is no time"),
        (json!("1w"), "is no time"),
        (json!("99999999999999999999d"), "is no time"),
        (json!("999999999999999999d"), "is no time"),
        (json!(-1), "is no time: -1"),
        (json!(1.5), "is no time"),
        (json!(true), "is no time"),
        (json!(["1d"]), "is no time"),
        (json!("0d"), "is no time at all"),
        (json!(0), "is no time at all"),
        (json!(null), "`older_than` is missing"),
    ] {
        let event = json!({ "sweep": "s3://inbox/in/", "older_than": age });
        is_refused(&world, event, "SweepRefused", &[text]).await;
    }
    let event = json!({ "sweep": "s3://inbox/in/" });
    is_refused(&world, event, "SweepRefused", &["`older_than` is missing"]).await;
    assert_eq!(world.s3.requests(), []);
}

#[tokio::test]
async fn a_sweep_with_keep_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS, ("S3_AFTER_DELIVERY", "keep")]);
    left(&world, "in/a", 25);
    let texts = ["the sweep failed", "S3_AFTER_DELIVERY=keep", "next: "];
    is_refused(
        &world,
        sweep("s3://inbox/in/", "1d"),
        "SweepRefused",
        &texts,
    )
    .await;
    assert_eq!(world.s3.requests(), []);
}

#[tokio::test]
async fn a_sweep_without_a_queue_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    left(&world, "in/a", 25);
    let texts = ["SWEEP_QUEUE_URL is not set; next: "];
    is_refused(
        &world,
        sweep("s3://inbox/in/", "1d"),
        "SweepRefused",
        &texts,
    )
    .await;
    assert_eq!(world.s3.requests(), []);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_listed_fails_the_sweep() {
    let world = World::new().await;
    let bootstrap = world.start(&[SENDS]);
    let texts = [
        "s3://elsewhere/in/ cannot be listed",
        "next: check the bucket's name",
    ];
    is_refused(
        &world,
        sweep("s3://elsewhere/in/", "1d"),
        "NoSuchBucket",
        &texts,
    )
    .await;
    world.s3.hook(|_| s3::Action::access_denied());
    let texts = [
        "s3://inbox/in/ cannot be listed",
        "s3:ListBucket on the bucket",
    ];
    is_refused(
        &world,
        sweep("s3://inbox/in/", "1d"),
        "SourceDenied",
        &texts,
    )
    .await;
    bootstrap
        .wait_for_line(|line| line.contains("ERROR") && line.contains("SourceDenied"))
        .await;
    assert!(
        !bootstrap.logs().contains("OldestUndelivered"),
        "no age is known"
    );
}

#[tokio::test]
async fn a_queue_that_takes_nothing_fails_the_sweep_and_names_the_permission() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    left(&world, "in/a", 25);
    world.aws.answer(|_| Answer::Refused(403, "AccessDenied"));
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "SweepNotSent");
    let permission = format!("grant the function's role sqs:SendMessage on {QUEUE}");
    assert!(message.contains(&permission), "{message}");
}

/// What comes no further than this would not come further tomorrow.
#[tokio::test]
async fn a_queue_that_does_not_answer_fails_the_sweep_before_lambdas_deadline() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    left(&world, "in/a", 25);
    world.aws.answer(|_| Answer::Silence);
    let event = sweep("s3://inbox/in/", "1d");
    let invocation = Invocation::new(event).time(Duration::from_secs(3));
    let outcome = world.api.run(&invocation).await;
    assert_eq!(outcome.error().0, "DeadlineReached");
}

fn deny(world: &World, operation: &'static str) {
    world.s3.hook(move |request| {
        if request.operation == operation {
            s3::Action::access_denied()
        } else {
            s3::Action::Pass
        }
    });
}

/// What is delivered would lie there for ever, and each run would have it sent again.
#[tokio::test]
async fn sources_that_may_not_be_deleted_end_the_sweep_before_anything_is_sent() {
    let world = World::new().await;
    let bootstrap = world.start(&[SENDS]);
    left(&world, "in/a", 25);
    left(&world, "in/b", 49);
    deny(&world, "DeleteObject");
    for _ in 0..2 {
        let texts = [
            "s3://inbox/in/a: the sweep failed",
            "sent again",
            "s3:DeleteObject",
        ];
        let event = sweep("s3://inbox/in/", "1d");
        is_refused(&world, event, "SourceNotDeleted", &texts).await;
    }
    bootstrap
        .wait_for_line(|line| line.contains("\"_aws\""))
        .await;
    // They may be: the sweep goes on by itself.
    world.s3.clear_hooks();
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    assert_eq!(outcome.response()["sent"], 2);
}

/// A policy may tell directories apart.
#[tokio::test]
async fn each_directory_is_asked_for() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    for number in 0..10 {
        left(&world, &format!("in/a/{number}"), 25);
    }
    left(&world, "in/b/1", 25);
    world.s3.hook(|request| {
        if request.operation == "DeleteObject" && request.key.starts_with("in/b/") {
            s3::Action::access_denied()
        } else {
            s3::Action::Pass
        }
    });
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "SourceNotDeleted");
    assert!(message.contains("s3://inbox/in/b/1: "), "{message}");
    assert_eq!(
        keys(&sent(&world.aws)).len(),
        10,
        "what could be deleted was sent"
    );
}

/// A role may have what begins so, and nothing else in the directory.
#[tokio::test]
async fn a_prefix_that_is_no_directory_is_asked_for_by_itself() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    left(&world, "in/2026-a.csv", 25);
    left(&world, "in/2026-b/c.csv", 25);
    world.s3.hook(|request| {
        if request.operation == "DeleteObject" && !request.key.starts_with("in/2026-") {
            s3::Action::access_denied()
        } else {
            s3::Action::Pass
        }
    });
    let event = sweep("s3://inbox/in/2026-", "1d");
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.response()["sent"], 2);
    assert_eq!(world.s3.count("DeleteObject"), 2);
}

#[tokio::test]
async fn asking_whether_sources_may_be_deleted_leaves_no_marker() {
    let world = World::new().await;
    world.s3.create_versioned_bucket(BUCKET);
    let _bootstrap = world.start(&[SENDS]);
    left(&world, "in/a", 25);
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    assert_eq!(outcome.response()["sent"], 1);
    let asked: Vec<_> = world
        .s3
        .requests()
        .into_iter()
        .filter(|it| it.operation == "DeleteObject")
        .collect();
    let [asked] = &asked[..] else {
        panic!("asked once, not {asked:?}");
    };
    assert!(asked.key.starts_with("in/.s3-to-sftp-asks-"), "{asked:?}");
    assert!(asked.if_match.is_some(), "{asked:?}");
    assert_eq!(world.s3.versions(BUCKET, &asked.key), []);
    assert_eq!(world.s3.versions(BUCKET, "in/a").len(), 1);
}

#[tokio::test]
async fn an_archive_that_takes_nothing_ends_the_sweep_before_anything_is_sent() {
    let world = World::new().await;
    world.s3.create_bucket("archive");
    let _bootstrap = world.start(&[SENDS, ("S3_AFTER_DELIVERY", "move:s3://archive/done")]);
    left(&world, "in/a", 25);
    deny(&world, "CopyObject");
    let texts = [
        "S3 denied the copy into the archive",
        "s3:PutObject below the archive's prefix",
    ];
    is_refused(
        &world,
        sweep("s3://inbox/in/", "1d"),
        "SourceNotDeleted",
        &texts,
    )
    .await;
    world.s3.clear_hooks();
    let outcome = world.api.invoke(sweep("s3://inbox/in/", "1d")).await;
    assert_eq!(outcome.response()["sent"], 1);
    assert_eq!(world.s3.keys("archive"), [""; 0], "asking leaves nothing");
}

/// Its directory's sources may be deleted, and so it is sent once more; it is refused for itself alone, and so not again.
#[tokio::test]
async fn a_source_that_this_process_could_not_delete_ends_the_sweep() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    let event = world.uploaded("in/b", "1");
    left(&world, "in/a", 25);
    left(&world, "in/b", 25);
    left(&world, "in/c", 25);
    world.s3.hook(|request| {
        if request.operation == "DeleteObject" && request.key == "in/b" {
            s3::Action::access_denied()
        } else {
            s3::Action::Pass
        }
    });
    let outcome = world.api.invoke(event.clone()).await;
    assert_eq!(outcome.response()["delivered"], 1);
    let sweep = sweep("s3://inbox/in/", "1d");
    let outcome = world.api.invoke(sweep.clone()).await;
    assert_eq!(outcome.response()["sent"], 3);
    world.aws.forget();
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.response()["delivered"], 1);
    let texts = ["s3://inbox/in/b: the sweep failed", "it was delivered"];
    is_refused(&world, sweep.clone(), "SourceNotDeleted", &texts).await;

    // Another object under its name is none that was delivered.
    world.upload("in/b", "3");
    let age = Duration::from_secs(25 * crate::sweep::HOUR);
    world
        .s3
        .set_last_modified(BUCKET, "in/b", SystemTime::now() - age);
    let outcome = world.api.invoke(sweep).await;
    assert_eq!(outcome.response()["sent"], 3);
}

#[tokio::test]
async fn a_permission_that_comes_back_lets_the_sweep_go_on() {
    let world = World::new().await;
    let _bootstrap = world.start(&[SENDS]);
    let event = world.uploaded("in/a", "1");
    left(&world, "in/a", 25);
    deny(&world, "DeleteObject");
    let outcome = world.api.invoke(event.clone()).await;
    assert_eq!(outcome.response()["delivered"], 1);
    let sweep = sweep("s3://inbox/in/", "1d");
    is_refused(&world, sweep.clone(), "SourceNotDeleted", &["in/a"]).await;

    world.s3.clear_hooks();
    let outcome = world.api.invoke(sweep).await;
    assert_eq!(outcome.response()["sent"], 1);
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.response()["delivered"], 1);
    assert!(!world.has_source("in/a"));
}
