//! A bucket that Lambda puts records of failed invocations into.

use serde_json::{Value, json};
use testkit::event::{self, ObjectRef};
use testkit::s3::Action as S3Action;
use testkit::sftp::{Action, Operation, status};

use crate::world::{BUCKET, World};

const RECORDS: &str = "failed";
const PLACE: &str = "s3://failed/aws/lambda/async/acme/";

/// As Lambda names it.
fn key(number: usize) -> String {
    format!(
        "aws/lambda/async/acme/2026/11/28/2026-11-28T07.05.{number:02}-e4b46cbf-b738-4880-9b0f-a18cdf61200e"
    )
}

/// As Lambda writes it.
fn record(event: &Value) -> String {
    let record = json!({
        "version": "1.0",
        "timestamp": "2026-11-28T07:05:00.000Z",
        "requestContext": { "condition": "RetriesExhausted", "approximateInvokeCount": 3 },
        "requestPayload": event,
        "responseContext": { "statusCode": 200, "functionError": "Unhandled" },
        "responsePayload": { "errorType": "LoginRefused", "errorMessage": "no" },
    });
    record.to_string()
}

async fn world() -> World {
    let world = World::new().await;
    world.s3.create_bucket(RECORDS);
    world
}

#[tokio::test]
async fn records_are_listed_with_their_reasons_and_stay() {
    let world = world().await;
    for number in 0..23 {
        let event = world.uploaded(&format!("in/{number}"));
        world.s3.put(RECORDS, &key(number), record(&event));
    }
    world.s3.put(RECORDS, "aws/lambda/async/acme/", "");
    world
        .s3
        .put(RECORDS, "aws/lambda/async/acme-old/x", record(&json!({})));
    let ended = world.run(&[PLACE]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let first = format!("s3://failed/{} s3://inbox/in/0", key(0));
    assert_eq!(lines[..2], [first.as_str(), "    LoginRefused: no"]);
    assert_eq!(lines.len(), 2 * 23, "{ended:?}");
    assert!(
        ended.stderr.contains("23 records; --yes delivers"),
        "{ended:?}"
    );
    assert_eq!(world.s3.keys(RECORDS).len(), 25);
    assert_eq!(world.sftp.connections(), 0);

    let ended = world.run(&["--json", PLACE]).await;
    let first: Value =
        serde_json::from_str(ended.stdout.lines().next().expect("a line")).expect("JSON");
    let expected = json!({
        "message": format!("s3://failed/{}", key(0)), "error_type": "LoginRefused", "error": "no",
        "objects": ["s3://inbox/in/0"],
    });
    assert_eq!(first, expected);
}

/// Payrolls lie in buckets, too.
#[tokio::test]
async fn a_record_is_deleted_only_when_all_that_it_names_is_delivered_and_nothing_else_ever() {
    let world = world().await;
    let both = ["b", "bad"].map(|key| ObjectRef::stored(key, &world.s3.put(BUCKET, key, key)));
    let gone = event::notification(BUCKET, &[ObjectRef::new("gone", 1, "etag")]);
    let sweep = json!({ "sweep": "s3://inbox/", "older_than": "1d" });
    world.s3.put(RECORDS, "1", record(&world.uploaded("a")));
    world
        .s3
        .put(RECORDS, "2", record(&event::notification(BUCKET, &both)));
    world.s3.put(RECORDS, "3", record(&gone));
    world.s3.put(RECORDS, "4", record(&sweep));
    // An event, and no record of one: it may be somebody's data.
    world.s3.put(RECORDS, "5", world.uploaded("c").to_string());
    world.s3.put(RECORDS, "6", "salary\n1,000\n");
    world.s3.put(RECORDS, "7", vec![0xff; 10]);
    world.s3.put_generated(RECORDS, "8", 9 << 20);
    world.sftp.hook(|request| {
        let path = request.path.as_deref().unwrap_or_default();
        if request.operation == Operation::Open && path.contains(".bad.") {
            Action::refuse(status::PERMISSION_DENIED)
        } else {
            Action::Pass
        }
    });
    let ended = world.replay("s3://failed/").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(world.s3.keys(RECORDS), ["2", "4", "5", "6", "7", "8"]);
    assert_eq!(world.s3.keys(BUCKET), ["bad", "c"]);
    for said in [
        "expected an S3 event notification",
        "s3://failed/5 is no record of a failed invocation",
        "s3://failed/6 is no record of a failed invocation",
        "s3://failed/7",
        "at most 8388608 bytes are read",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }

    world.sftp.clear_hooks();
    for key in ["4", "5", "6", "7", "8"] {
        world.s3.delete(RECORDS, key);
    }
    let ended = world.replay("s3://failed/").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.s3.keys(RECORDS), [""; 0]);
    assert_eq!(world.s3.keys(BUCKET), ["c"]);
    let ended = world.replay("s3://failed/").await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert!(
        ended.stderr.contains("nothing lies below s3://failed/"),
        "{ended:?}"
    );
}

/// What somebody else put there meanwhile was not delivered.
#[tokio::test]
async fn a_record_that_was_replaced_stays() {
    let world = world().await;
    world.s3.put(RECORDS, "1", record(&world.uploaded("a")));
    let other = record(&world.uploaded("b"));
    let store = world.s3.store();
    world.sftp.hook(move |request| {
        if request.operation == Operation::Close {
            store.put(RECORDS, "1", other.clone());
        }
        Action::Pass
    });
    let ended = world.replay("s3://failed/").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("another one was put in its place"),
        "{ended:?}"
    );
    assert_eq!(world.s3.keys(RECORDS), ["1"]);
    assert_eq!(world.s3.keys(BUCKET), ["b"], "a is delivered");
}

#[tokio::test]
async fn what_s3_refuses_is_named_with_the_next_step() {
    let world = world().await;
    let ended = world.run(&["s3://no-such-bucket/"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("s3://no-such-bucket/")
            && ended.stderr.contains("check the bucket's name"),
        "{ended:?}"
    );
    world.s3.put(RECORDS, "1", record(&world.uploaded("a")));
    for (operation, said) in [
        ("ListObjectsV2", "s3:ListBucket"),
        ("GetObject", "s3:GetObject"),
        ("DeleteObject", "s3:DeleteObject"),
    ] {
        world.s3.hook(move |request| {
            if request.operation == operation && request.bucket == RECORDS {
                S3Action::access_denied()
            } else {
                S3Action::Pass
            }
        });
        let ended = world.replay("s3://failed/").await;
        world.s3.clear_hooks();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
        assert!(world.s3.exists(RECORDS, "1"));
    }
    for place in ["s3:/failed/", "s3://failed", "s3://failed/aws", "s3://"] {
        let ended = world.run(&[place]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("s3://"), "{ended:?}");
    }
}
