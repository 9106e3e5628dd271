//! `s3-to-sftp send`, as a person or cron runs it: its exit status, its results, its talk.

mod receipts;
mod terminal;
mod world;

use std::fs;

use serde_json::{Value, json};
use testkit::event::{self, ObjectRef};
use testkit::payload;
use testkit::program::{Ended, SOON};
use testkit::s3::{Algorithm, Coverage};
use testkit::sftp::{Action, Operation, every, status};
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::{BUCKET, World, records};

#[tokio::test]
async fn a_source_is_delivered_and_kept() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a.csv", payload::ramp(100_000));
    let ended = world.run(&["send", "s3://inbox/a.csv"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(world.file("a.csv") == payload::ramp(100_000));
    assert!(world.s3.exists(BUCKET, "a.csv"));
    assert_eq!(world.s3.count("DeleteObject"), 0);
    let line = format!(
        "delivered s3://inbox/a.csv to 127.0.0.1:{}:a.csv (100000 bytes in ",
        world.sftp.port()
    );
    assert!(ended.stdout.starts_with(&line), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn a_source_is_deleted_when_it_is_moved() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a", "1");
    let ended = world.run(&["send", "--move", "s3://inbox/a"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.file("a"), b"1");
    assert!(!world.s3.exists(BUCKET, "a"));
}

#[tokio::test]
async fn a_source_that_could_not_be_deleted_is_no_success_of_a_move() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a", "1");
    world.s3.hook(|request| {
        if request.operation == "DeleteObject" {
            testkit::s3::Action::access_denied()
        } else {
            testkit::s3::Action::Pass
        }
    });
    let ended = world.run(&["send", "--move", "s3://inbox/a"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("its source is not deleted"),
        "{ended:?}"
    );
    assert_eq!(world.file("a"), b"1");
}

#[tokio::test]
async fn json_is_the_receipt() {
    let world = World::new().await;
    let stored = world.s3.put(BUCKET, "a", "1234");
    let ended = world.run(&["send", "--json", "s3://inbox/a"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let [receipt] = &records(&ended)[..] else {
        panic!("one record: {ended:?}");
    };
    let expected = json!({
        "schema": 1,
        "outcome": "delivered",
        "version": env!("CARGO_PKG_VERSION"),
        "bucket": BUCKET,
        "key": "a",
        "etag": stored.etag.trim_matches('"'),
        "bytes": 4,
        "server": format!("127.0.0.1:{}", world.sftp.port()),
        "server_identification": "SSH-2.0-testkit",
        "host_key": world.sftp.fingerprint(),
        "host_key_pinned": true,
        "username": "acme",
        "login": "password",
        "key_exchange": "mlkem768x25519-sha256",
        "host_key_algorithm": "ssh-ed25519",
        "cipher": "aes256-gcm@openssh.com",
        "remote_path": "a",
        "published": "posix-rename",
        "size": "equal",
        "checksum": "equal",
        "checksum_algorithm": "crc64nvme",
        "checksum_s3": "KfXb5+L/cdQ=",
        "crc64nvme": "KfXb5+L/cdQ=",
        "read_back": false,
        "durable": "file-and-name",
        "channels": 1,
        "hops": 0,
        "bytes_sent": 4,
        "bytes_resumed": 0,
        "retries": 0,
        "source": "kept",
    });
    assert_eq!(testkit::receipt::without_times(receipt.clone()), expected);
}

/// Whoever reads the lines with a program finds one for each object, whatever became of it.
#[tokio::test]
async fn json_has_a_line_for_each_object() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a", "1");
    world.s3.put(BUCKET, "../b", "2");
    let objects = ["s3://inbox/a", "s3://inbox/missing", "s3://inbox/../b"];
    let ended = world
        .run(&[&["send", "--json"], &objects[..]].concat())
        .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines = records(&ended);
    let keys: Vec<&Value> = lines.iter().map(|line| &line["key"]).collect();
    assert_eq!(keys, ["a", "missing", "../b"], "{ended:?}");
    assert_eq!(lines[1]["outcome"], "gone");
    assert_eq!(lines[2]["outcome"], "failed");
    assert_eq!(lines[2]["error_type"], "RemotePathRefused");
}

#[tokio::test]
async fn an_unknown_key_is_a_mistake_and_the_others_are_delivered() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a", "1");
    world.s3.put(BUCKET, "b", "2");
    let objects = ["s3://inbox/a", "s3://inbox/missing", "s3://inbox/b"];
    let ended = world.run(&[&["send"], &objects[..]].concat()).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stdout.contains("gone s3://inbox/missing"),
        "{ended:?}"
    );
    assert_eq!(world.files(), ["a", "b"]);
}

#[tokio::test]
async fn a_failure_is_exit_status_1_and_a_line_on_stderr() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a", "1");
    world.sftp.hook(every(Operation::Open, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let ended = world.run(&["send", "--move", "s3://inbox/a"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "");
    for part in ["s3://inbox/a", "status 3", "next: "] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
    assert!(world.s3.exists(BUCKET, "a"));
    assert_eq!(world.files(), [""; 0]);
}

#[tokio::test]
async fn bad_settings_are_exit_status_2_with_all_problems() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a", "1");
    let mut command = world.command(&["send", "s3://inbox/a"]);
    command
        .env_remove("SSH_USERNAME")
        .env_remove("SSH_PASSWORD")
        .env("SSH_HOST", "example.com:22")
        .env("SSH_PORT", "ssh");
    let ended = Ended::of(command).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for name in ["SSH_USERNAME", "SSH_PASSWORD", "SSH_HOST", "SSH_PORT"] {
        assert!(
            ended.stderr.contains(&format!("\n  {name}")),
            "{name}: {ended:?}"
        );
    }
    assert_eq!(ended.stdout, "");
    assert_eq!(world.s3.requests(), []);
}

#[tokio::test]
async fn bad_arguments_are_exit_status_2_and_say_what_is_expected() {
    let world = World::new().await;
    for object in ["inbox/a", "s3://inbox", "s3://inbox/", "s3:///a"] {
        let ended = world.run(&["send", object]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("s3://BUCKET/KEY"), "{ended:?}");
    }
    assert_eq!(world.run(&["send"]).await.code, Some(2));
}

/// Help needs no settings.
#[tokio::test]
async fn help_is_a_result_and_names_what_is_needed() {
    for (arguments, parts) in [
        (&["--help"][..], &["send", "SSH_HOST", "Exit status"][..]),
        (
            &["send", "--help"],
            &["s3://BUCKET/KEY", "--move", "--json"],
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
        command.args(arguments).env_clear();
        let ended = Ended::of(command).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stderr, "");
        for part in parts {
            assert!(ended.stdout.contains(part), "{part}: {ended:?}");
        }
    }
}

/// `| head`: whoever reads has left. What was asked for is done, and nobody complains.
#[tokio::test]
async fn a_closed_standard_output_is_no_error() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a", "1");
    world.s3.put(BUCKET, "b", "2");
    let mut child = world
        .command(&["send", "s3://inbox/a", "s3://inbox/b"])
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = timeout(SOON, child.wait_with_output())
        .await
        .expect("in time")
        .expect("ended");
    let ended = Ended::from(output);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "");
    assert_eq!(world.files(), ["a", "b"]);
}

/// Keys of events are encoded; what a person types is not.
#[tokio::test]
async fn a_key_is_taken_as_it_is_typed() {
    let world = World::new().await;
    for key in ["a b+c.txt", "100%25 ä.txt"] {
        world.s3.put(BUCKET, key, key.to_owned());
        let ended = world.run(&["send", &format!("s3://inbox/{key}")]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(world.file(key), key.as_bytes());
    }
}

/// The SDK has something to say of each such object, which nobody can do anything about.
#[tokio::test]
async fn an_object_that_was_uploaded_in_parts_is_no_reason_to_warn() {
    let world = World::new().await;
    let parts = vec![payload::ramp(50_000), payload::ramp(1)];
    let (algorithm, coverage) = (Algorithm::Crc32, Coverage::Composite);
    world
        .s3
        .put_multipart_with(BUCKET, "parts", parts, algorithm, coverage);
    let ended = world.run(&["send", "s3://inbox/parts"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "");
}

/// The SDK's own variable for S3 alone.
#[tokio::test]
async fn an_endpoint_of_s3_alone_is_used() {
    let world = World::new().await;
    world.s3.put(BUCKET, "a.csv", payload::ramp(1000));
    let mut command = world.command(&["send", "s3://inbox/a.csv"]);
    command
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_ENDPOINT_URL_S3", world.s3.endpoint());
    let ended = Ended::of(command).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(world.file("a.csv") == payload::ramp(1000));
}

#[tokio::test]
async fn everything_below_a_prefix_is_delivered_page_by_page() {
    let world = World::new().await;
    for number in 0..1_003 {
        world
            .s3
            .put(BUCKET, &format!("acme/{number:04}"), number.to_string());
    }
    world.s3.put(BUCKET, "acme/folder/", "");
    world.s3.put(BUCKET, "acme-old/a", "not below it");
    let ended = world
        .run(&[
            "send",
            "--recursive",
            "--move",
            "--jobs",
            "64",
            "s3://inbox/acme/",
        ])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.s3.keys(BUCKET), ["acme-old/a", "acme/folder/"]);
    for number in [0, 999, 1_000, 1_002] {
        assert_eq!(
            world.file(&format!("acme/{number:04}")),
            number.to_string().as_bytes()
        );
    }
    let told = ended.stdout.lines();
    assert_eq!(
        told.filter(|line| line.starts_with("delivered ")).count(),
        1_003
    );
    assert!(
        ended.stdout.contains("skipped: a folder marker"),
        "{}",
        ended.stderr
    );

    let ended = world.run(&["send", "-r", "s3://inbox/nothing/"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("nothing lies below s3://inbox/nothing/"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_prefix_that_is_no_directory_could_not_start() {
    let world = World::new().await;
    world.s3.put(BUCKET, "acme/a", "1");
    for (arguments, told) in [
        (
            &["send", "-r", "s3://inbox/acme"][..],
            "give s3://inbox/acme/ to deliver everything below it",
        ),
        (&["send", "s3://inbox/"], "names no object"),
        (&["send", "-r", "--event", "f"], "cannot be used with"),
        (&["send", "--jobs", "0", "s3://inbox/a"], "1..=256"),
    ] {
        let ended = world.run(arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(told), "{arguments:?}: {ended:?}");
    }
    assert_eq!(world.sftp.connections(), 0);
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_exit_status_1_with_its_name() {
    let world = World::new().await;
    for arguments in [
        &["send", "-r", "s3://no-such-bucket/a/"][..],
        &["send", "s3://no-such-bucket/a"],
    ] {
        let ended = world.run(arguments).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("s3://no-such-bucket/a"), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_delivered_and_where_to() {
    let world = World::new().await;
    world.s3.put(BUCKET, "acme/a b.csv", "12345");
    world.s3.put(BUCKET, "acme/../b", "1");
    let arguments = ["send", "--dry-run", "--move", "-r", "s3://inbox/acme/"];
    let mut command = world.command(&arguments);
    command
        .env("SSH_DIR", "in")
        .env("SSH_FILENAME", "{stem}-{size}{etag}");
    let bad = Ended::of(command).await;
    assert_eq!(bad.code, Some(2), "there is no {{size}}: {bad:?}");
    let mut command = world.command(&arguments);
    command.env("SSH_DIR", "in").env("S3_STRIP_PREFIX", "acme/");
    let ended = Ended::of(command).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(
        ended.stdout,
        "would deliver s3://inbox/acme/a b.csv to in/a b.csv (5 bytes)\n"
    );
    assert!(ended.stderr.contains("acme/../b"), "{ended:?}");
    assert_eq!(world.sftp.connections(), 0);
    assert_eq!(world.s3.keys(BUCKET).len(), 2);

    let ended = world
        .run(&[
            "send",
            "-n",
            "--json",
            "s3://inbox/acme/a b.csv",
            "s3://inbox/gone",
        ])
        .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let records: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let foreseen = json!({
        "outcome": "foreseen", "bucket": BUCKET, "key": "acme/a b.csv", "bytes": 5, "remote_path": "acme/a b.csv",
    });
    assert_eq!(records[0], foreseen);
    assert_eq!(records[1]["outcome"], "gone");
}

#[tokio::test]
async fn an_event_is_delivered_as_the_function_would() {
    let world = World::new().await;
    let objects = ["a", "b c"].map(|key| ObjectRef::stored(key, &world.s3.put(BUCKET, key, key)));
    let event = event::sqs(&[("m", event::notification(BUCKET, &objects).to_string())]);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("event.json");
    fs::write(&path, event.to_string()).expect("written");
    let path = path.to_str().expect("text");
    let ended = world.run(&["send", "--event", path]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.files(), ["a", "b c"]);
    assert_eq!(world.s3.keys(BUCKET), ["a", "b c"], "they are kept");

    for (content, code, told) in [
        ("{\"s3\": 1}", 2, "event.json: "),
        ("", 2, "event.json: "),
        (
            "{\"sweep\": \"s3://inbox/a/\", \"older_than\": \"1d\"}",
            2,
            "asks for a sweep",
        ),
    ] {
        fs::write(path, content).expect("written");
        let ended = world.run(&["send", "--event", path]).await;
        assert_eq!(ended.code, Some(code), "{content}: {ended:?}");
        assert!(ended.stderr.contains(told), "{content}: {ended:?}");
    }
    let ended = world.run(&["send", "--event", "/no/such/file"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    // A record that cannot be read is lost by nobody's silence.
    fs::write(
        path,
        json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m", "body": "no" }] })
            .to_string(),
    )
    .expect("written");
    let ended = world.run(&["send", "--event", path]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}
