//! Hand-overs that cannot be, and messages that are not what was sent.

use std::time::Duration;

use s3_to_sftp::error::VerdictKind;
use s3_to_sftp::event::{Event, Item, parse};
use s3_to_sftp::hand_over::{Relay, RelayError};
use s3_to_sftp::owner::Owner;
use s3_to_sftp::receipt::Outcome;
use serde_json::{Value, json};
use testkit::payload;
use testkit::s3::Action as S3Action;
use testkit::sftp::{Action, Operation, flags};
use tokio::time::Instant;

use super::world;
use crate::promises::links::{Mailbox, delivered, invocation, relay};
use crate::world::{World, job};

const SIZE: usize = 3 * 1024 * 1024;
const TIME: Duration = Duration::from_millis(1500);

fn slow(world: &World) {
    world.s3.hook(|request| match request.operation.as_str() {
        "GetObject" => S3Action::Slow {
            bytes_per_second: 1_500_000,
        },
        _ => S3Action::Pass,
    });
}

/// A relay that is not allowed to send.
struct Denied;

impl Relay for Denied {
    async fn send(&self, _: &str) -> Result<(), RelayError> {
        Err(RelayError::Denied {
            permission: "sqs:SendMessage on arn:aws:sqs:us-east-1:123456789012:inbox".to_owned(),
            source: "403 AccessDenied".into(),
        })
    }
}

#[tokio::test]
async fn a_continuation_without_permission_to_send() {
    let (world, _server) = world().await;
    world.put("f", payload::ramp(SIZE));
    slow(&world);
    let deliverer = world.deliverer(&[]);
    let invocation = deliverer
        .invocation(Instant::now() + TIME)
        .handing_over_to(Denied);
    let outcome = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    invocation.finish().await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "HandOverFailed");
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(
        error
            .report()
            .contains("grant the function's role sqs:SendMessage on arn:aws:sqs"),
        "{}",
        error.report()
    );
    assert!(world.has_source("f"));
    world.assert_only(&[]);
}

/// `rclone serve sftp` empties a file on each OPEN: no invocation gets further than the one before.
#[tokio::test]
async fn a_relay_over_a_server_that_empties_files_on_open() {
    let (world, server) = world().await;
    server.hook(|request| {
        if request.operation == Operation::Open && request.flags & flags::WRITE != 0 {
            Action::OpenWith(request.flags | flags::TRUNC)
        } else {
            Action::Pass
        }
    });
    world.put("f", payload::ramp(SIZE));
    slow(&world);
    let (_, outcome) = relay(&world.deliverer(&[]), "f", TIME).await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "NoProgress", "{}", error.report());
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(world.has_source("f"));
    assert!(!world.home().join("f").exists());
}

/// The message as an earlier invocation has sent it, changed by `change`, and delivered with time enough.
async fn tampered(world: &World, change: impl FnOnce(&mut Value)) -> Outcome {
    world.put("f", payload::ramp(SIZE));
    slow(world);
    let deliverer = world.deliverer(&[]);
    let mailbox = Mailbox::default();
    let first = Owner::attempt("first", 1);
    let outcome = invocation(&deliverer, &mailbox, TIME, job(World::BUCKET, "f"), first).await;
    assert!(matches!(outcome, Outcome::Continued(..)), "{outcome:?}");
    world.s3.clear_hooks();
    let mut message: Value = serde_json::from_str(&mailbox.take_text()).expect("it is JSON");
    change(&mut message["s3-to-sftp"]);
    let item = match parse(message.to_string().as_bytes()) {
        Ok(Event::Notification(mut items)) => items.remove(0),
        other => panic!("{other:?}"),
    };
    let second = Owner::attempt("second", 1);
    let time = Duration::from_secs(30);
    invocation(&deliverer, &mailbox, time, item, second).await
}

/// None of these brings another file than the object under the final name, nor leaves anything.
#[tokio::test]
async fn a_record_that_was_tampered_with() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 9] = [
        ("offset in the file", |it| {
            it["begun"]["from"]["offset"] = json!(1)
        }),
        ("offset at the end", |it| {
            it["begun"]["from"]["offset"] = json!(SIZE)
        }),
        ("offset beyond", |it| {
            it["begun"]["from"]["offset"] = json!(u64::MAX)
        }),
        ("checksum", |it| {
            it["begun"]["from"]["crc64nvme"] = json!("0000000000000000");
        }),
        ("no checksum", |it| {
            it["begun"]["from"]["crc64nvme"] = json!("?")
        }),
        ("etag", |it| it["begun"]["etag"] = json!("\"0\"")),
        ("size", |it| it["begun"]["size"] = json!(0)),
        ("time", |it| it["begun"]["last_modified"] = json!(i64::MAX)),
        ("owner", |it| it["begun"]["owner"] = json!("../../f")),
    ];
    for (what, change) in changes {
        let (world, _server) = world().await;
        let outcome = tampered(&world, change).await;
        assert!(
            matches!(outcome, Outcome::Delivered(..)),
            "{what}: {outcome:?}"
        );
        assert!(world.file("f") == payload::ramp(SIZE), "{what}");
        // What the message no longer names is `clean`'s.
        if !["etag", "size", "time", "owner"].contains(&what) {
            world.assert_only(&["f"]);
        }
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 4] = [
        ("layout", |it| it["layout"] = json!(2)),
        ("hops", |it| it["hop"] = json!(1001)),
        ("key", |it| it["key"] = json!(null)),
        ("begun", |it| it["begun"] = json!("yes")),
    ];
    for (what, change) in changes {
        let (world, _server) = world().await;
        let outcome = tampered(&world, change).await;
        let Outcome::Failed(error) = outcome else {
            panic!("{what}: {outcome:?}")
        };
        assert_eq!(error.name(), "EventNotUnderstood", "{what}");
        assert_eq!(error.verdict().kind, VerdictKind::Reject, "{what}");
        let report = error.report();
        assert!(report.contains("send the object's event again"), "{report}");
        assert!(world.has_source("f"));
    }
}

/// The temporary that a message names is not there any more: everything is sent again.
#[tokio::test]
async fn a_record_whose_temporary_is_gone() {
    let (world, _server) = world().await;
    let home = world.home().to_owned();
    let outcome = tampered(&world, move |_| {
        for entry in std::fs::read_dir(home).expect("the home is there") {
            std::fs::remove_file(entry.expect("it is readable").path()).expect("it is a file");
        }
    })
    .await;
    delivered(outcome);
    assert!(world.file("f") == payload::ramp(SIZE));
    world.assert_only(&["f"]);
}

/// An object whose turn comes too late is handed over as it came.
#[tokio::test]
async fn an_object_whose_turn_does_not_come() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    world.put("g", "content");
    slow(&world);
    let deliverer = world.deliverer(&[]);
    let mailbox = Mailbox::default();
    let invocation = deliverer
        .invocation(Instant::now() + TIME)
        .handing_over_to(&mailbox);
    let first = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    assert!(matches!(first, Outcome::Continued(_, Some(_))), "{first:?}");
    mailbox.take();
    let opened = server.requests_of(Operation::Open).len();
    let second = invocation.deliver(job(World::BUCKET, "g"), "owner").await;
    invocation.finish().await;
    assert!(matches!(second, Outcome::Continued(_, None)), "{second:?}");
    assert_eq!(server.requests_of(Operation::Open).len(), opened);
    let Item::Continued(hand_over) = mailbox.take() else {
        panic!("a hand-over")
    };
    assert_eq!((hand_over.hop, &hand_over.begun), (0, &None));
    assert_eq!(hand_over.name().key, "g");
}

/// A file that takes longer to read back than an invocation lasts.
#[tokio::test]
async fn a_readback_is_handed_over_too() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(|request| {
        if request.operation == Operation::Read {
            Action::Delay(Duration::from_millis(90))
        } else {
            Action::Pass
        }
    });
    let deliverer = world.deliverer(&[("SSH_VERIFY", "readback")]);
    let (hops, outcome) = relay(&deliverer, "f", TIME).await;
    let receipt = delivered(outcome);
    assert!(receipt.read_back);
    assert!(hops >= 1, "{hops} hand-overs");
    assert!(world.file("f") == payload::ramp(SIZE));
    world.assert_only(&["f"]);
}
