//! The lines' form, and what is never in them.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use serde_json::{Value, json};
use testkit::aws_calls::Answer;
use testkit::event::ObjectRef;
use testkit::payload;
use testkit::runtime_api::Bootstrap;
use testkit::s3::{Algorithm, Coverage, SECRET_ACCESS_KEY};
use testkit::secret;
use testkit::secrets::{self, CANARY, PASSWORD, WRONG};
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

/// Whoever looks for an invocation finds all of its lines, and each error once.
#[tokio::test]
async fn every_line_has_the_id_of_its_invocation_and_an_error_has_one_line() {
    let world = World::new().await;
    let bootstrap = world.start(&[("LOGGING_LEVEL", "ERROR")]);
    have_it_say_everything(&world).await;
    let refused = world.api.invoke(json!({ "Records": "none" })).await;
    let (error_type, message) = refused.error();
    let logs = all_lines(bootstrap).await;
    let lines: Vec<Value> = logs
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2, "one for each error: {logs}");
    assert_eq!(lines[0]["error_type"], "RemotePathRefused");
    assert_eq!(lines[0]["object"], "s3://inbox/../refused");
    assert_eq!(
        (
            &lines[0]["Failures"],
            &lines[0]["Failures.RemotePathRefused"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&lines[1]["error_type"], &lines[1]["message"]),
        (&json!(error_type), &json!(message))
    );
    let ids: Vec<_> = lines.iter().map(|line| &line["requestId"]).collect();
    assert!(
        ids.iter().all(|id| id.is_string()) && ids[0] != ids[1],
        "{ids:?}"
    );
}

/// The first invocation of an environment is a metric of its own, wherever it leads.
#[tokio::test]
async fn a_cold_start_is_counted_once() {
    let world = World::new().await;
    let bootstrap = world.start(&[
        ("POWERTOOLS_METRICS_NAMESPACE", "Files"),
        ("POWERTOOLS_SERVICE_NAME", "payroll"),
    ]);
    for key in ["a", "b"] {
        world.api.invoke(world.uploaded(key, "1")).await.response();
    }
    let logs = all_lines(bootstrap).await;
    let starts: Vec<Value> = logs
        .lines()
        .filter(|line| line.contains("\"ColdStart\":"))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(starts.len(), 1, "{logs}");
    assert_eq!(
        starts[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"],
        "Files"
    );
    assert_eq!(starts[0]["service"], "payroll");
}

#[tokio::test]
async fn there_are_no_metrics_where_nobody_wants_them() {
    let world = World::new().await;
    let bootstrap = world.start(&[("POWERTOOLS_METRICS_DISABLED", "true")]);
    have_it_say_everything(&world).await;
    let logs = all_lines(bootstrap).await;
    assert!(logs.contains("\"outcome\":\"delivered\""), "{logs}");
    assert!(
        !logs.contains("_aws") && !logs.contains("ColdStart"),
        "{logs}"
    );
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
        // CloudWatch finds metrics in nothing else.
        if let Ok(json) = serde_json::from_str::<Value>(line) {
            assert!(
                json["_aws"].is_object() && json["outcome"].is_null(),
                "{line}"
            );
        }
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

/// Everything that the function says of deliveries that go well and of logins that do not, with every kind of secret.
async fn assert_no_secret_is_shown(variable: &str, level: &str) {
    // The key and the password are both needed, so both are used.
    let server = SftpServer::builder().requires_both().start().await;
    let world = World::with(server).await;
    let account = world.sftp.account();
    let key = account.private_key.expect("the server takes keys");
    let (user, host_key) = (account.username, account.host_key);
    let other_key = {
        let other = SftpServer::start().await.account();
        other.private_key.expect("the server takes keys")
    };
    let connector = json!({ "Username": user, "Password": PASSWORD, "PrivateKey": key, "Other": secret!("other") });
    let connector = connector.to_string();
    world.aws.answer(move |call| {
        let stored = match call.body["SecretId"].as_str().unwrap_or_default() {
            CONNECTOR => connector.as_str(),
            _ => WRONG,
        };
        Answer::Body(json!({ "SecretString": stored, "Parameter": { "Value": stored } }))
    });
    world.s3.create_bucket("secrets");
    let cut = &key[..key.len() / 2];
    for (name, text) in [("id", key.as_str()), ("other", &other_key), ("cut", cut)] {
        world.s3.put("secrets", name, text.to_owned());
    }
    let pinned = |letter: &str| format!("SHA256:{}", letter.repeat(43));

    let mut shown = String::new();
    for (what, environment, expected) in [
        (
            "by key and password",
            vec![("SSH_PRIVATE_KEY", "secrets:id")],
            "",
        ),
        (
            "by a secret",
            vec![
                ("SSH_SECRET", CONNECTOR),
                ("SSH_PASSWORD", ""),
                ("SSH_USERNAME", ""),
            ],
            "",
        ),
        (
            "a wrong password",
            vec![("SSH_PRIVATE_KEY", "secrets:id"), ("SSH_PASSWORD", WRONG)],
            "LoginRefused",
        ),
        (
            "a wrong password of a store",
            vec![("SSH_PRIVATE_KEY", "secrets:id"), ("SSH_PASSWORD", STORED)],
            "LoginRefused",
        ),
        (
            "a wrong parameter",
            vec![
                ("SSH_PRIVATE_KEY", "secrets:id"),
                ("SSH_PASSWORD", PARAMETER),
            ],
            "LoginRefused",
        ),
        (
            "a wrong key",
            vec![("SSH_PRIVATE_KEY", "secrets:other")],
            "LoginRefused",
        ),
        (
            "a wrong account",
            vec![("SSH_USERNAME", "somebody")],
            "LoginRefused",
        ),
        (
            "a broken key",
            vec![("SSH_PRIVATE_KEY", "secrets:cut")],
            "PrivateKeyUnusable",
        ),
        (
            "a password for a key",
            vec![("SSH_PRIVATE_KEY", STORED)],
            "PrivateKeyUnusable",
        ),
        (
            "a field that is not there",
            vec![("SSH_PASSWORD", MISSING)],
            "SecretUnavailable",
        ),
        (
            "another server",
            vec![("SSH_HOST_KEY", pinned("A").leak())],
            "HostKeyMismatch",
        ),
        (
            "no pinned server",
            vec![("SSH_HOST_KEY", ""), ("SSH_PRIVATE_KEY", "secrets:id")],
            "",
        ),
        (
            "the host key",
            vec![
                ("SSH_HOST_KEY", host_key.as_str()),
                ("SSH_PRIVATE_KEY", "secrets:id"),
            ],
            "",
        ),
    ] {
        let environment = [environment, vec![(variable, level)]].concat();
        let bootstrap = world.start(&environment);
        let outcome = world.api.invoke(world.uploaded("a", "1")).await;
        if expected.is_empty() {
            assert_eq!(outcome.response()["delivered"], 1, "{what}: {outcome:?}");
            shown += &have_it_say_everything(&world).await;
        } else {
            let name = outcome.error().0;
            // The server hangs up where nothing is left to try.
            let is_refused = expected == "LoginRefused" && name == "ConnectionBroken";
            assert!(name == expected || is_refused, "{what}: {outcome:?}");
            assert!(world.has_source("a"), "{what}");
        }
        shown += &format!("{outcome:?}");
        shown += &all_lines(bootstrap).await;
    }
    assert!(
        shown.contains("s3://inbox/a"),
        "something was shown:\n{shown}"
    );

    // Nor when the secrets stand where they do not belong.
    for (name, value) in [
        ("SSH_PRIVATE_KEY", PASSWORD),
        ("SSH_CERTIFICATE", key.as_str()),
        ("SSH_SECRET", PASSWORD),
        ("SSH_SECRET", connector_of(PASSWORD).leak()),
        ("SSH_PASS", PASSWORD),
        ("SSH_PORT", ""),
    ] {
        // What is wrong beside it makes all of them be shown.
        let bootstrap = world.start(&[(name, value), ("SSH_CHANNELS", "many"), (variable, level)]);
        assert_eq!(bootstrap.wait_for_exit().await.code(), Some(1));
        shown += &format!("{:?}", world.api.init_error().expect("reported"));
        shown += &bootstrap.logs();
    }

    let keys = [key.as_str(), &other_key];
    let lines = keys.iter().flat_map(|key| key.lines());
    let lines = lines.filter(|line| !line.starts_with("-----"));
    for secret in lines.chain([CANARY, SECRET_ACCESS_KEY]) {
        for form in secrets::forms(secret) {
            assert!(
                !shown.contains(&form),
                "{form} is shown by {variable}={level}:\n{shown}"
            );
        }
    }
}

const CONNECTOR: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:connector";
const STORED: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:stored";
const MISSING: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:connector#missing";
const PARAMETER: &str = "arn:aws:ssm:us-east-1:123456789012:parameter/stored";

fn connector_of(password: &str) -> String {
    json!({ "Username": "acme", "Password": password }).to_string()
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
