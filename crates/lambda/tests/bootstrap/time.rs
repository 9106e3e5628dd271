//! The deadline, and that nothing outlives an invocation.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use testkit::aws_calls::Answer;
use testkit::event;
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::runtime_api::{Invocation, Outcome};
use testkit::s3;
use testkit::sftp::{self, Operation, every, nth};

use crate::world::{BUCKET, World, eventually};

/// Little, for a test, and above the second that is the least to be set aside for the end.
pub(crate) const SHORT: Duration = Duration::from_secs(3);

fn assert_deadline_reached(outcome: &Outcome, object: &str) {
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "DeadlineReached", "{message}");
    assert!(message.contains(object), "{message}");
}

#[tokio::test]
async fn nothing_outlives_an_invocation_that_succeeds() {
    let world = World::new().await;
    let bootstrap = world.start(&[("SSH_KEEP_CONNECTION", "no")]);
    let outcome = world.api.invoke(world.uploaded("a", "1")).await;
    assert_eq!(outcome.response()["delivered"], 1);
    assert_eq!(world.sftp.connections(), 1);
    // What is left is the server's own time to see the connection's end; a connection that is kept
    // stays for ever.
    eventually("no connection is open", || {
        world.sftp.open_connections() == 0
    })
    .await;
    assert_eq!(world.sftp.open_handles(), [""; 0]);
    assert!(bootstrap.peak_memory() > 0, "the process lives on");
}

/// Two invocations of one environment, one connection; nothing is under way on it in between.
#[tokio::test]
async fn a_connection_is_kept_with_nothing_outstanding() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    for key in ["a", "b"] {
        let outcome = world.api.invoke(world.uploaded(key, "1")).await;
        assert_eq!(outcome.response()["delivered"], 1);
        assert_eq!(world.sftp.open_connections(), 1);
        assert_eq!(world.sftp.open_handles(), [""; 0]);
    }
    assert_eq!(world.sftp.connections(), 1);
}

#[tokio::test]
async fn nothing_outlives_an_invocation_that_fails() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    // Requests are outstanding when the time is over.
    world
        .sftp
        .hook(every(Operation::Fsync, || sftp::Action::Drop));
    let invocation = Invocation::new(world.uploaded("a", "1")).time(SHORT);
    assert_deadline_reached(&world.api.run(&invocation).await, "s3://inbox/a");
    eventually("no connection is open", || {
        world.sftp.open_connections() == 0
    })
    .await;
    assert!(bootstrap.peak_memory() > 0, "the process lives on");
}

#[tokio::test]
async fn a_server_that_is_too_slow_ends_before_lambdas_deadline() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world
        .sftp
        .hook(every(Operation::Write, || sftp::Action::Drop));
    let event = world.uploaded("a", payload::ramp(1_000_000));
    let outcome = world
        .api
        .run(&Invocation::new(event.clone()).time(SHORT))
        .await;
    assert_deadline_reached(&outcome, "s3://inbox/a");
    assert!(world.has_source("a"));
    world.assert_tree(&[]);

    // The next invocation of the same process delivers it.
    world.sftp.clear_hooks();
    assert_eq!(world.api.invoke(event).await.response()["delivered"], 1);
    assert!(world.file("a") == payload::ramp(1_000_000));
}

#[tokio::test]
async fn an_s3_that_is_too_slow_ends_before_lambdas_deadline() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.s3.hook(|request| {
        if request.operation == "GetObject" {
            s3::Action::Slow {
                bytes_per_second: 20_000,
            }
        } else {
            s3::Action::Pass
        }
    });
    // Nobody takes what is left.
    world
        .aws
        .answer(|_| Answer::Refused(403, "AccessDeniedException"));
    let event = world.uploaded("a", payload::ramp(1_000_000));
    let outcome = world.api.run(&Invocation::new(event).time(SHORT)).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "HandOverFailed", "{message}");
    assert!(message.contains("s3://inbox/a"), "{message}");
    assert!(world.has_source("a"));
    world.assert_tree(&[]);
}

/// Not even the temporary can be removed then, and trying must not take longer than Lambda gives.
#[tokio::test]
async fn a_line_that_goes_dead_ends_before_lambdas_deadline() {
    let world = World::new().await;
    let proxy = Arc::new(Proxy::start(world.sftp.port()).await);
    let _bootstrap = world.start(&[("SSH_PORT", &proxy.port().to_string())]);
    let line = Arc::clone(&proxy);
    world.sftp.hook(nth(Operation::Write, 1, move || {
        line.stall();
        sftp::Action::Pass
    }));
    let event = world.uploaded("a", payload::ramp(1_000_000));
    let outcome = world.api.run(&Invocation::new(event).time(SHORT)).await;
    assert_deadline_reached(&outcome, "s3://inbox/a");
    assert!(world.has_source("a"));
    assert!(!world.tree().contains("a"));
}

#[tokio::test]
async fn a_server_that_never_greets_ends_before_lambdas_deadline() {
    let world = World::new().await;
    let silent = sftp::silent();
    let _bootstrap = world.start(&[("SSH_PORT", &silent.port().to_string())]);
    let event = world.uploaded("a", "1");
    let outcome = world.api.run(&Invocation::new(event).time(SHORT)).await;
    assert_deadline_reached(&outcome, "s3://inbox/a");
    assert!(world.has_source("a"));
}

/// The file is published: to fail now would have it sent again.
#[tokio::test]
async fn a_delete_that_hangs_ends_before_lambdas_deadline_and_the_delivery_stands() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    world.s3.hook(|request| {
        if request.operation == "DeleteObject" {
            s3::Action::hold(std::future::pending::<()>())
        } else {
            s3::Action::Pass
        }
    });
    let event = world.uploaded("a", "1");
    let outcome = world.api.run(&Invocation::new(event).time(SHORT)).await;
    assert_eq!(outcome.response()["delivered"], 1);
    assert_eq!(world.file("a"), b"1");
    bootstrap
        .wait_for_line(|line| line.contains("SourceNotDeleted") && line.contains("s3://inbox/a"))
        .await;
}

#[tokio::test]
async fn messages_that_the_deadline_cuts_off_go_back_to_their_fifo_queue() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.sftp.hook(move |request| {
        let path = request.path.as_deref().unwrap_or_default();
        if request.operation == Operation::Write && path.contains("slow") {
            sftp::Action::Drop
        } else {
            sftp::Action::Pass
        }
    });
    // Of a FIFO queue: nothing may go behind what is in it.
    let ids = ["first", "slow", "never begun"];
    let mut batch = event::sqs(&ids.map(|id| (id, world.uploaded(id, id).to_string())));
    for message in batch["Records"].as_array_mut().expect("messages") {
        message["eventSourceARN"] = json!(format!("{}.fifo", event::QUEUE_ARN));
    }
    let outcome = world.api.run(&Invocation::new(batch).time(SHORT)).await;
    assert_eq!(world.aws.of("SendMessage"), []);
    let failed = json!([{ "itemIdentifier": "slow" }, { "itemIdentifier": "never begun" }]);
    assert_eq!(outcome.response()["batchItemFailures"], failed);
    assert_eq!(world.s3.keys(BUCKET), ["never begun", "slow"]);
    world.assert_tree(&["first"]);
}
