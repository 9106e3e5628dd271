//! The lines' form, and what is never in them.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use serde_json::Value;
use testkit::event::ObjectRef;
use testkit::payload;
use testkit::runtime_api::Bootstrap;
use testkit::s3::{Algorithm, Coverage, SECRET_ACCESS_KEY};
use testkit::sftp::SftpServer;

use crate::world::{BUCKET, World};

/// One delivery, one record that is skipped, one that fails: all that an invocation says.
async fn have_it_say_everything(world: &World) -> String {
    let objects = [
        world.upload("delivered", "1"),
        world.upload("folder/", ""),
        world.upload("../refused", "1"),
    ];
    let event = crate::world::notification(&objects);
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.error().0, "RemotePathRefused");
    format!("{outcome:?}")
}

/// The process has written its last line, and all of them are read.
async fn all_lines(bootstrap: Bootstrap) -> String {
    bootstrap.kill();
    bootstrap.wait_for_exit().await;
    bootstrap.logs()
}

#[tokio::test]
async fn every_line_is_json_with_a_level_and_a_timestamp() {
    // No host key is pinned: that warns.
    let world = World::new().await;
    let bootstrap = world.start(&[("LOGGING_LEVEL", "TRACE"), ("SSH_HOST_KEY", "")]);
    let begin = OffsetDateTime::now_utc();
    have_it_say_everything(&world).await;
    let logs = all_lines(bootstrap).await;
    let mut levels = Vec::new();
    for line in logs.lines() {
        let json: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        levels.push(json["level"].as_str().expect("a level").to_owned());
        let timestamp = json["timestamp"].as_str().expect("a timestamp");
        let timestamp = OffsetDateTime::parse(timestamp, &Rfc3339)
            .unwrap_or_else(|error| panic!("{error}: {timestamp}"));
        assert!(timestamp >= begin - ::time::Duration::MINUTE, "{timestamp}");
        assert!(timestamp <= OffsetDateTime::now_utc(), "{timestamp}");
        assert!(json["message"].is_string(), "{line}");
        // The SDK and the runtime print whole requests and payloads below INFO.
        if ["DEBUG", "TRACE"].contains(&json["level"].as_str().unwrap_or_default()) {
            let target = json["target"].as_str().expect("a target");
            let ours = ["bootstrap", "s3_to_sftp", "sftp"];
            assert!(
                ours.contains(&target.split(':').next().unwrap_or_default()),
                "{line}"
            );
        }
    }
    for level in &levels {
        let known = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
        assert!(
            known.contains(&level.as_str()),
            "{level} is none of Lambda's"
        );
    }
    for level in ["INFO", "WARN", "ERROR"] {
        assert!(levels.iter().any(|it| it == level), "{level} in\n{logs}");
    }
}

/// Every connection to a server that is not known tells how to pin it, in a line that a metric can be made of.
#[tokio::test]
async fn a_host_key_that_is_not_pinned_is_told_with_the_line_to_set() {
    let world = World::new().await;
    let unpinned = [("SSH_HOST_KEY", ""), ("SSH_KEEP_CONNECTION", "no")];
    let bootstrap = world.start(&unpinned);
    for key in ["a", "b"] {
        let outcome = world.api.invoke(world.uploaded(key, "1")).await;
        assert_eq!(outcome.response()["delivered"], 1, "{outcome:?}");
    }
    let told = not_pinned(&all_lines(bootstrap).await);
    assert_eq!(told.len(), 2, "one for each connection: {told:?}");
    for line in &told {
        assert_eq!(line["level"], "WARN", "{line}");
        assert_eq!(line["fingerprint"], world.sftp.fingerprint(), "{line}");
    }
    let message = told[0]["message"].as_str().expect("a message");
    let (_, value) = message
        .split_once("set SSH_HOST_KEY=")
        .expect("what to set, to the end of the message");
    let key = world.sftp.host_key();
    let (key, _comment) = key.rsplit_once(' ').expect("type, key and comment");
    assert_eq!(value, key);

    let bootstrap = world.start(&[("SSH_HOST_KEY", value)]);
    let outcome = world.api.invoke(world.uploaded("c", "1")).await;
    assert_eq!(outcome.response()["delivered"], 1, "{outcome:?}");
    let told = not_pinned(&all_lines(bootstrap).await);
    assert!(told.is_empty(), "{told:?}");
}

fn not_pinned(logs: &str) -> Vec<Value> {
    logs.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("every line is JSON"))
        .filter(|line| line["metric"] == "HostKeyNotPinned")
        .collect()
}

/// The SDK warns of each object that was uploaded in parts, which nobody can do anything about.
#[tokio::test]
async fn an_object_that_was_uploaded_in_parts_is_no_reason_to_warn() {
    let world = World::new().await;
    let bootstrap = world.start(&[("LOGGING_LEVEL", "TRACE")]);
    let parts = vec![payload::ramp(50_000), payload::ramp(1)];
    let (algorithm, coverage) = (Algorithm::Crc32, Coverage::Composite);
    let store = world.s3.store();
    let stored = store.put_multipart_with(BUCKET, "parts", parts, algorithm, coverage);
    let event = crate::world::notification(&[ObjectRef::stored("parts", &stored)]);
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.response()["delivered"], 1, "{outcome:?}");
    let logs = all_lines(bootstrap).await;
    assert!(logs.contains("the source is deleted"), "{logs}");
    assert!(!logs.contains("WARN"), "{logs}");
}

#[tokio::test]
async fn text_is_written_where_lambda_is_set_to_text() {
    let world = World::new().await;
    let bootstrap = world.start(&[("AWS_LAMBDA_LOG_FORMAT", "Text")]);
    have_it_say_everything(&world).await;
    let logs = all_lines(bootstrap).await;
    assert!(!logs.is_empty());
    for line in logs.lines() {
        assert!(serde_json::from_str::<Value>(line).is_err(), "{line}");
        assert!(!line.contains('\u{1b}'), "no colours: {line}");
    }
    let delivered = logs
        .lines()
        .find(|line| line.contains("delivered s3://inbox/delivered"));
    assert!(
        delivered.is_some_and(|line| line.contains(" INFO ")),
        "{logs}"
    );
}

#[tokio::test]
async fn the_level_is_lambdas_own_then_rust_log_then_the_setting() {
    for (extra, expected) in [
        (&[("LOGGING_LEVEL", "ERROR")][..], false),
        (&[("LOGGING_LEVEL", "CRITICAL"), ("RUST_LOG", "info")], true),
        (
            &[("RUST_LOG", "info"), ("AWS_LAMBDA_LOG_LEVEL", "FATAL")],
            false,
        ),
        (
            &[
                ("LOGGING_LEVEL", "CRITICAL"),
                ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ],
            true,
        ),
        (&[], true),
    ] {
        let world = World::new().await;
        let bootstrap = world.start(extra);
        have_it_say_everything(&world).await;
        let logs = all_lines(bootstrap).await;
        assert_eq!(logs.contains("\"INFO\""), expected, "{extra:?}:\n{logs}");
        assert!(logs.contains("\"ERROR\""), "{extra:?}:\n{logs}");
    }
}

const PASSWORD: &str = "Tr0ub4dor+and=3";

/// How a secret could stand in a line: as it is, escaped, as bytes.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let list = format!("{bytes:?}");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let escaped = secret.replace('/', "\\/");
    vec![
        secret.to_owned(),
        escaped,
        list.trim_matches(['[', ']']).to_owned(),
        hex,
    ]
}

async fn assert_no_secret_is_shown(variable: &str, level: &str) {
    // The key and the password are both needed, so both are used.
    let server = SftpServer::builder()
        .password(Some(PASSWORD))
        .requires_both()
        .start()
        .await;
    let world = World::with(server).await;
    let key = world
        .sftp
        .account()
        .private_key
        .expect("the server takes keys");
    world.s3.create_bucket("secrets");
    world.s3.put("secrets", "id", key.clone());
    let login = [("SSH_PRIVATE_KEY", "secrets:id"), (variable, level)];

    let bootstrap = world.start(&login);
    let mut shown = have_it_say_everything(&world).await;
    assert_eq!(world.file("delivered"), b"1");
    shown += &all_lines(bootstrap).await;
    assert!(
        shown.contains("s3://inbox/delivered"),
        "something was shown:\n{shown}"
    );

    // Nor when the login is refused, or the secrets stand where they do not belong.
    let bootstrap = world.start(&[login[0], login[1], ("SSH_USERNAME", "somebody")]);
    let outcome = world.api.invoke(world.uploaded("a", "1")).await;
    assert_eq!(outcome.error().0, "LoginRefused");
    shown += &format!("{outcome:?}");
    shown += &all_lines(bootstrap).await;
    let misplaced = ("SSH_CERTIFICATE", key.as_str());
    let bootstrap = world.start(&[("SSH_PRIVATE_KEY", key.as_str()), misplaced, login[1]]);
    assert_eq!(bootstrap.wait_for_exit().await.code(), Some(1));
    shown += &format!("{:?}", world.api.init_error().expect("reported"));
    shown += &bootstrap.logs();

    let lines = key.lines().filter(|line| !line.starts_with("-----"));
    for secret in lines.chain([PASSWORD, SECRET_ACCESS_KEY]) {
        for form in forms(secret) {
            assert!(
                !shown.contains(&form),
                "{form} is shown by {variable}={level}:\n{shown}"
            );
        }
    }
    assert!(world.s3.exists(BUCKET, "a"));
}

#[tokio::test]
async fn no_secret_is_shown_by_logging_level_trace() {
    assert_no_secret_is_shown("LOGGING_LEVEL", "TRACE").await;
}

#[tokio::test]
async fn no_secret_is_shown_by_rust_log_trace() {
    assert_no_secret_is_shown("RUST_LOG", "trace").await;
}

#[tokio::test]
async fn no_secret_is_shown_by_aws_lambda_log_level_trace() {
    assert_no_secret_is_shown("AWS_LAMBDA_LOG_LEVEL", "TRACE").await;
}
