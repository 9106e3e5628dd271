//! Events from S3 itself.

use serde_json::{Value, json};
use testkit::event;
use testkit::payload;
use testkit::receipt::without_times;
use testkit::runtime_api::{Invocation, Outcome};
use testkit::sftp::{Action, Operation, nth, status};

use crate::world::{BUCKET, World, counts, eventually, notification, refuse_to_open_by};

/// An archive below the prefix that triggers the function makes an event of each copy: no error, and no dead letter.
#[tokio::test]
async fn what_lies_in_the_archive_is_skipped() {
    let world = World::new().await;
    let bootstrap = world.start(&[("S3_AFTER_DELIVERY", "move:s3://inbox/done/")]);
    let outcome = world.api.invoke(world.uploaded("a", "1")).await;
    assert_eq!(counts(outcome.response()), [1, 0, 0, 0, 0]);
    let stored = world.s3.stored(BUCKET, "done/a").expect("it was moved");
    let event = notification(&[event::ObjectRef::stored("done/a", &stored)]);
    let outcome = world.api.invoke(event).await;
    assert_eq!(counts(outcome.response()), [0, 0, 1, 0, 0]);
    bootstrap
        .wait_for_line(|line| {
            line.contains("s3://inbox/done/a") && line.contains("leave that out of the trigger")
        })
        .await;
    assert!(world.has_source("done/a"));
    world.assert_tree(&["a"]);
}

/// Who gives no prefix meant another bucket. Nothing would ever be delivered, and nobody would be told.
#[tokio::test]
async fn a_bucket_that_is_all_archive_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("S3_AFTER_DELIVERY", "move:s3://inbox/")]);
    let outcome = world.api.invoke(world.uploaded("a", "1")).await;
    assert_eq!(outcome.error().0, "OwnObject");
    assert!(world.has_source("a"));
}

#[tokio::test]
async fn an_upload_is_delivered_and_its_source_is_deleted() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let key = "in/red flower+é.csv";
    let stored = world.upload(key, payload::ramp(300_000));
    let event = notification(std::slice::from_ref(&stored));
    assert_eq!(
        event["Records"][0]["s3"]["object"]["key"], "in/red+flower%2B%C3%A9.csv",
        "the event is encoded as S3 does"
    );

    let outcome = world.api.invoke(event).await;

    let mut answer = outcome.response().clone();
    let receipt = answer["receipts"][0].take();
    let seconds = &receipt["seconds"];
    assert!(seconds.as_f64().is_some_and(|it| it < 30.0), "{seconds}");
    let since = &receipt["seconds_since_event"];
    assert!(since.as_f64().is_some_and(|it| it > 0.0), "{since}");
    answer["receipts"][0] = without_times(receipt.clone());
    let expected = json!({
        "schema": 1,
        "outcome": "delivered",
        "version": env!("CARGO_PKG_VERSION"),
        "request_id": receipt["request_id"],
        "bucket": BUCKET,
        "key": key,
        "etag": stored.etag,
        "bytes": 300_000,
        "server": format!("127.0.0.1:{}", world.sftp.port()),
        "server_identification": "SSH-2.0-testkit",
        "host_key": world.sftp.fingerprint(),
        "host_key_pinned": true,
        "username": "acme",
        "login": "password",
        "key_exchange": "mlkem768x25519-sha256",
        "host_key_algorithm": "ssh-ed25519",
        "cipher": "aes256-gcm@openssh.com",
        "remote_path": key,
        "published": "posix-rename",
        "size": "equal",
        "checksum": "equal",
        "checksum_algorithm": "crc64nvme",
        "checksum_s3": "86k1XIneAO0=",
        "crc64nvme": "86k1XIneAO0=",
        "read_back": false,
        "durable": "file-and-name",
        "channels": 1,
        "hops": 0,
        "bytes_sent": 300_000,
        "bytes_resumed": 0,
        "retries": 0,
        "source": "deleted",
    });
    assert_eq!(
        answer,
        json!({ "delivered": 1, "gone": 0, "skipped": 0, "continued": 0, "rejected": 0, "receipts": [expected] })
    );
    assert!(world.file(key) == payload::ramp(300_000), "byte by byte");
    world.assert_tree(&["in", key]);
    assert!(!world.has_source(key));

    // The log holds the same receipt, for the answer of a direct trigger is read by nobody. It was written before the source
    // was touched, and is what CloudWatch makes metrics of, too.
    let line = bootstrap
        .wait_for_line(|line| line.contains("\"delivered\""))
        .await;
    let line: Value = serde_json::from_str(&line).expect("JSON");
    let receipt = receipt.as_object().expect("an object");
    for (name, value) in receipt.iter().filter(|(name, _)| *name != "source") {
        assert_eq!(&line[name], value, "{name} in {line}");
    }
    assert!(line.get("source").is_none(), "{line}");
    assert_eq!(line["object"], format!("s3://{BUCKET}/{key}"));
    assert_eq!(line["requestId"], receipt["request_id"]);
    assert_eq!(line["destination"], "127.0.0.1");
    assert_eq!(
        (&line["Deliveries"], &line["Bytes"]),
        (&json!(1), &json!(300_000))
    );
    for metric in ["Throughput", "TimeToDeliver"] {
        assert!(
            line[metric].as_f64().is_some_and(|it| it > 0.0),
            "{metric} in {line}"
        );
    }
    let described = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
    let described: Vec<_> = described
        .into_iter()
        .flatten()
        .map(|it| &it["Name"])
        .collect();
    assert_eq!(
        described,
        [
            "Deliveries",
            "Bytes",
            "Retries",
            "Throughput",
            "TimeToDeliver"
        ]
    );
}

#[tokio::test]
async fn one_process_serves_one_invocation_after_the_other() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    for key in ["one", "two", "three"] {
        let event = world.uploaded(key, key);
        assert_eq!(world.api.invoke(event).await.response()["delivered"], 1);
        assert_eq!(world.file(key), key.as_bytes());
        assert!(!world.has_source(key));
        assert_eq!(world.sftp.connections(), 1);
    }
    assert!(bootstrap.peak_memory() > 0, "it is still that process");
}

#[tokio::test]
async fn a_client_says_who_it_is() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.api.invoke(world.uploaded("a", "1")).await;
    let expected = concat!("SSH-2.0-s3-to-sftp_", env!("CARGO_PKG_VERSION"));
    assert_eq!(world.sftp.identifications(), [expected]);
}

#[tokio::test]
async fn a_zero_byte_file_is_delivered() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let outcome = world.api.invoke(world.uploaded("done.flag", "")).await;
    assert_eq!(outcome.response()["receipts"][0]["bytes"], 0);
    assert_eq!(world.file("done.flag"), b"");
    assert!(!world.has_source("done.flag"));
}

#[tokio::test]
async fn records_of_one_event_do_not_depend_on_one_another() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world
        .sftp
        .hook(refuse_to_open_by("two", status::PERMISSION_DENIED));
    let objects = ["one", "two", "three"].map(|key| world.upload(key, key));
    let invocation = Invocation::new(notification(&objects));

    let outcome = world.api.run(&invocation).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "PermissionDenied");
    assert!(message.contains("s3://inbox/two"), "{message}");
    assert!(!message.contains("s3://inbox/one"), "{message}");
    world.assert_tree(&["one", "three"]);
    let left = ["one", "two", "three"].map(|key| world.has_source(key));
    assert_eq!(left, [false, true, false]);

    // Lambda tries again, with the same event and the same request id.
    world.sftp.clear_hooks();
    let again = world.api.run(&invocation).await;
    let answer = again.response();
    assert_eq!(
        (&answer["delivered"], &answer["gone"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(answer["receipts"][0]["key"], "two");
    assert_eq!(world.file("two"), b"two");
    assert!(!world.has_source("two"));
    world.assert_tree(&["one", "three", "two"]);
}

/// Lambda kills a process that runs out of memory or time, and tries again with the same request id.
#[tokio::test]
async fn what_a_killed_process_left_behind_is_used_by_its_retry() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    // The first write is stored, and the second is never answered.
    world.sftp.hook(nth(Operation::Write, 2, || Action::Drop));
    let event = world.uploaded("a", payload::ramp(2_000_000));
    let invocation = Invocation::new(event);
    let (outcome, ()) = tokio::join!(world.api.run(&invocation), async {
        let writes = || world.sftp.requests_of(Operation::Write).len();
        eventually("two writes have come", || writes() >= 2).await;
        bootstrap.kill();
    });
    assert!(matches!(outcome, Outcome::Exited(_)), "{outcome:?}");
    let left = world.tree();
    assert!(
        left.len() == 1 && !left.contains("a"),
        "a temporary: {left:?}"
    );
    assert!(world.has_source("a"));

    world.sftp.clear_hooks();
    let _bootstrap = world.start(&[]);
    assert_eq!(world.api.run(&invocation).await.response()["delivered"], 1);
    assert!(world.file("a") == payload::ramp(2_000_000));
    world.assert_tree(&["a"]);
    assert!(!world.has_source("a"));
}

#[tokio::test]
async fn an_object_that_is_gone_is_a_success_and_nothing_is_written() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let event = world.uploaded("a", "1");
    world.s3.delete(BUCKET, "a");
    let outcome = world.api.invoke(event).await;
    let expected = json!({ "delivered": 0, "gone": 1, "skipped": 0, "continued": 0, "rejected": 0, "receipts": [] });
    assert_eq!(outcome.response(), &expected);
    world.assert_tree(&[]);
    assert_eq!(world.sftp.requests_of(Operation::Open), []);
}

#[tokio::test]
async fn removals_and_folder_markers_are_skipped_with_a_line_that_says_so() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let removed = world.upload("removed", "1").named("ObjectRemoved:Delete");
    let folder = world.upload("folder/", "");
    let outcome = world.api.invoke(notification(&[removed, folder])).await;
    let expected = json!({ "delivered": 0, "gone": 0, "skipped": 2, "continued": 0, "rejected": 0, "receipts": [] });
    assert_eq!(outcome.response(), &expected);
    for (object, why) in [
        ("s3://inbox/removed", "ObjectRemoved:Delete"),
        ("s3://inbox/folder/", "folder marker"),
    ] {
        bootstrap
            .wait_for_line(move |line| line.contains(object) && line.contains(why))
            .await;
    }
    assert!(world.has_source("removed") && world.has_source("folder/"));
    assert_eq!(world.sftp.connections(), 0);
}

#[tokio::test]
async fn s3s_test_event_is_acknowledged() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let outcome = world.api.invoke(event::test_event(BUCKET)).await;
    assert_eq!(outcome.response(), &Value::Null);
    bootstrap
        .wait_for_line(|line| line.contains("acknowledged"))
        .await;
    assert_eq!(world.sftp.connections(), 0);
    assert_eq!(world.s3.requests(), []);
}
