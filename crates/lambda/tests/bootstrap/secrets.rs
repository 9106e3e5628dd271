//! Values that lie in a store, and what becomes of a delivery while they are changed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use testkit::aws_calls::{Answer, Call};
use testkit::event::{self, ObjectRef};
use testkit::runtime_api::Invocation;
use testkit::secret;
use testkit::secrets::PASSWORD;
use testkit::sftp::{Method, SftpServer};

use crate::world::World;

/// What the server takes, and what it does not.
pub(crate) const RIGHT: &str = PASSWORD;
pub(crate) const WRONG: [&str; 3] = [secret!("wrong 1"), secret!("wrong 2"), secret!("wrong 3")];

pub(crate) const SECRET: &str =
    "arn:aws-eusc:secretsmanager:eusc-de-east-1:123456789012:secret:acme-AbCdEf";
const PARAMETER: &str = "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/acme/password";

pub(crate) async fn server() -> SftpServer {
    SftpServer::builder()
        .password(Some(RIGHT))
        .host_key_seed(7)
        .start()
        .await
}

/// The function has no password but what the reference names, and `stored` is what the stores answer.
pub(crate) async fn world(stored: impl FnMut(&Call) -> Answer + Send + 'static) -> World {
    let world = World::with(server().await).await;
    world.aws.answer(stored);
    world
}

pub(crate) fn text(text: &str) -> Answer {
    Answer::Body(json!({ "ARN": SECRET, "SecretString": text, "VersionStages": [] }))
}

pub(crate) fn is_previous(call: &Call) -> bool {
    call.body["VersionStage"] == "AWSPREVIOUS"
}

fn none() -> Answer {
    Answer::Said(
        400,
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
    )
}

/// Delivers one object, and looks at it.
async fn assert_delivered(world: &World, key: &str) {
    let outcome = world.api.invoke(world.uploaded(key, "content")).await;
    assert_eq!(outcome.response()["delivered"], 1, "{outcome:?}");
    assert_eq!(world.file(key), b"content");
}

/// Fails to deliver one object, which is still there; the error's name and message.
async fn assert_failed(world: &World, key: &str) -> (String, String) {
    let outcome = world.api.invoke(world.uploaded(key, "content")).await;
    assert!(world.has_source(key));
    let (name, message) = outcome.error();
    for secret in WRONG.iter().chain([&RIGHT]) {
        assert!(!message.contains(secret), "{message}");
    }
    (name.to_owned(), message.to_owned())
}

#[tokio::test]
async fn a_password_may_lie_in_s3() {
    let world = world(|_| Answer::Silence).await;
    world.s3.create_bucket("secrets");
    // As an editor saves it.
    world
        .s3
        .put("secrets", "acme/password", format!("{RIGHT}\n"));
    let _bootstrap = world.start(&[("SSH_PASSWORD", "s3://secrets/acme/password")]);
    assert_delivered(&world, "a").await;
    // Nobody has to know where it lies in order to deliver it to himself.
    let event = event::notification("secrets", &[ObjectRef::new("acme/password", 10, "etag")]);
    let outcome = world.api.invoke(event).await;
    assert_eq!(outcome.error().0, "OwnObject");
}

#[tokio::test]
async fn a_password_may_be_a_secret_of_any_partition_and_region() {
    let world = world(|_| text(RIGHT)).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    assert_delivered(&world, "a").await;
    let calls = world.aws.of("GetSecretValue");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].body["SecretId"], SECRET);
    assert_eq!(calls[0].region.as_deref(), Some("eusc-de-east-1"));
}

#[tokio::test]
async fn a_password_may_be_a_field_of_a_secret() {
    let world = world(|_| text(&json!({ "user": "x", "pass word": RIGHT }).to_string())).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", &format!("{SECRET}#pass word"))]);
    assert_delivered(&world, "a").await;
}

#[tokio::test]
async fn a_password_may_be_a_binary_secret_that_is_text() {
    let binary = BASE64.encode(format!("{RIGHT}\n"));
    let world = world(move |_| Answer::Body(json!({ "SecretBinary": binary }))).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    assert_delivered(&world, "a").await;
}

#[tokio::test]
async fn a_password_may_be_a_parameter_of_any_partition_and_region() {
    let world = world(|_| Answer::Body(json!({ "Parameter": { "Value": RIGHT } }))).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", PARAMETER)]);
    assert_delivered(&world, "a").await;
    let calls = world.aws.of("GetParameter");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].body["Name"], PARAMETER);
    assert_eq!(calls[0].body["WithDecryption"], true);
    assert_eq!(calls[0].region.as_deref(), Some("cn-north-1"));
}

#[tokio::test]
async fn a_private_key_may_be_a_secret() {
    let server = SftpServer::builder().password(None).start().await;
    let key = server.account().private_key.expect("it takes keys");
    let world = World::with(server).await;
    world.aws.answer(move |_| text(&key));
    let _bootstrap = world.start(&[("SSH_PRIVATE_KEY", SECRET)]);
    assert_delivered(&world, "a").await;
}

/// Of the form that connectors of AWS Transfer Family use.
fn connector(fields: &Value) -> impl FnMut(&Call) -> Answer + Send + 'static {
    let fields = fields.to_string();
    move |call| {
        if is_previous(call) {
            none()
        } else {
            text(&fields)
        }
    }
}

#[tokio::test]
async fn one_secret_may_tell_the_account_and_the_password() {
    let world = world(connector(&json!({ "Username": "acme", "Password": RIGHT }))).await;
    let _bootstrap = world.start(&[
        ("SSH_SECRET", SECRET),
        ("SSH_USERNAME", ""),
        ("SSH_PASSWORD", ""),
    ]);
    assert_delivered(&world, "a").await;
    assert_eq!(world.sftp.logins()[0].user, "acme");
}

#[tokio::test]
async fn one_secret_may_tell_the_account_and_the_key() {
    let server = SftpServer::builder().password(None).start().await;
    let key = server.account().private_key.expect("it takes keys");
    let world = World::with(server).await;
    world.aws.answer(connector(
        &json!({ "Username": "acme", "Password": "", "PrivateKey": key }),
    ));
    let _bootstrap = world.start(&[
        ("SSH_SECRET", SECRET),
        ("SSH_USERNAME", ""),
        ("SSH_PASSWORD", ""),
    ]);
    assert_delivered(&world, "a").await;
    assert_eq!(world.sftp.credentials_sent(), 1);
}

/// With `HostKey` it pins the server, too: no credential leaves for another.
#[tokio::test]
async fn one_secret_may_tell_the_host_key() {
    let server = server().await;
    let right = server.account().host_key;
    let wrong = SftpServer::start().await.account().host_key;
    let world = World::with(server).await;
    let only_secret = [
        ("SSH_SECRET", SECRET),
        ("SSH_USERNAME", ""),
        ("SSH_PASSWORD", ""),
        ("SSH_HOST_KEY", ""),
    ];
    let with =
        |host_key: &str| json!({ "Username": "acme", "Password": RIGHT, "HostKey": host_key });
    world.aws.answer(connector(&with(&wrong)));
    let bootstrap = world.start(&only_secret);
    let (name, _) = assert_failed(&world, "a").await;
    assert_eq!(name, "HostKeyMismatch");
    assert_eq!(world.sftp.credentials_sent(), 0);
    drop(bootstrap);

    world.aws.answer(connector(&with("no key at all")));
    let bootstrap = world.start(&only_secret);
    let (name, message) = assert_failed(&world, "a").await;
    assert_eq!(name, "HostKeysUnusable", "{message}");
    assert!(message.contains("in SSH_SECRET"), "{message}");
    assert_eq!(world.sftp.credentials_sent(), 0);
    drop(bootstrap);

    world.aws.answer(connector(&with(&right)));
    let bootstrap = world.start(&only_secret);
    assert_delivered(&world, "a").await;
    assert!(!bootstrap.logs().contains("WARN"), "{}", bootstrap.logs());
}

#[tokio::test]
async fn the_host_keys_may_lie_in_a_store() {
    let server = server().await;
    let (right, wrong) = (
        server.account().host_key,
        SftpServer::start().await.account().host_key,
    );
    let world = World::with(server).await;
    let stored = Arc::new(Mutex::new(wrong));
    let answer = Arc::clone(&stored);
    world.aws.answer(move |call| {
        let text = answer.lock().expect("nobody panics").clone();
        match call.action.as_str() {
            "GetParameter" => Answer::Body(json!({ "Parameter": { "Value": text } })),
            _ => Answer::Body(json!({ "SecretString": text })),
        }
    });
    for reference in [SECRET, PARAMETER] {
        let bootstrap = world.start(&[("SSH_HOST_KEY", reference)]);
        let before = world.sftp.credentials_sent();
        let (name, _) = assert_failed(&world, "a").await;
        assert_eq!(name, "HostKeyMismatch");
        assert_eq!(world.sftp.credentials_sent(), before);
        drop(bootstrap);
        let wrong = std::mem::replace(&mut *stored.lock().expect("nobody panics"), right.clone());
        let _bootstrap = world.start(&[("SSH_HOST_KEY", reference)]);
        assert_delivered(&world, "a").await;
        *stored.lock().expect("nobody panics") = wrong;
    }
    world
        .aws
        .answer(|_| Answer::Said(400, "AccessDeniedException", "no"));
    let _bootstrap = world.start(&[("SSH_HOST_KEY", SECRET)]);
    let (name, message) = assert_failed(&world, "a").await;
    assert_eq!(name, "HostKeysUnavailable");
    assert!(
        message.contains("secretsmanager:GetSecretValue on"),
        "{message}"
    );
}

#[tokio::test]
async fn what_is_set_goes_before_the_secret() {
    let fields = json!({ "Username": "other", "Password": WRONG[0] });
    let world = world(connector(&fields)).await;
    let _bootstrap = world.start(&[("SSH_SECRET", SECRET)]);
    assert_delivered(&world, "a").await;
    assert_eq!(world.sftp.credentials_sent(), 1);
}

/// What a rotation does: the stage AWSCURRENT moves on at once, the partner changes the password later.
#[tokio::test]
async fn a_partner_who_is_behind_the_rotation_gets_the_password_before_it() {
    for reference in [("SSH_PASSWORD", SECRET), ("SSH_SECRET", SECRET)] {
        let whole = reference.0 == "SSH_SECRET";
        let stored = move |password: &str| {
            let connector = json!({ "Username": "acme", "Password": password });
            if whole {
                text(&connector.to_string())
            } else {
                text(password)
            }
        };
        let world =
            world(move |call| stored(if is_previous(call) { RIGHT } else { WRONG[0] })).await;
        let bootstrap = world.start(&[("SSH_PASSWORD", ""), reference]);
        assert_delivered(&world, "a").await;
        assert_eq!(world.sftp.credentials_sent(), 2);
        let logs = bootstrap.logs();
        assert!(logs.contains("AWSPREVIOUS"), "{logs}");
        // It goes on with it.
        world.sftp.disconnect_all();
        assert_delivered(&world, "b").await;
        assert_eq!(world.sftp.credentials_sent(), 3);
    }
}

/// Answers one text after the other; the last one again and again.
fn one_after_the_other(
    texts: &[&'static str],
    previous: Option<&'static str>,
) -> impl FnMut(&Call) -> Answer + Send + 'static {
    let mut left = texts.to_vec();
    left.reverse();
    move |call| {
        if is_previous(call) {
            return previous.map_or_else(none, text);
        }
        let last = left.last().copied().unwrap_or_default();
        if left.len() > 1 {
            left.pop();
        }
        text(last)
    }
}

#[tokio::test]
async fn a_password_that_changes_between_its_fetch_and_the_login_is_fetched_again() {
    let world = world(one_after_the_other(&[WRONG[0], RIGHT], Some(WRONG[0]))).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    assert_delivered(&world, "a").await;
    assert_eq!(world.sftp.credentials_sent(), 2);
    assert_eq!(world.aws.of("GetSecretValue").len(), 2);
}

#[tokio::test]
async fn a_key_that_was_refused_is_not_offered_beside_a_new_password() {
    let world = world(one_after_the_other(&[WRONG[0], RIGHT], None)).await;
    let other = SftpServer::start().await.account();
    let other = other.private_key.expect("it takes keys");
    world.s3.create_bucket("secrets");
    world.s3.put("secrets", "other", other);
    let _bootstrap = world.start(&[
        ("SSH_PASSWORD", SECRET),
        ("SSH_PRIVATE_KEY", "secrets:other"),
    ]);
    assert_delivered(&world, "a").await;
    let logins = world.sftp.logins();
    let count = |method| logins.iter().filter(|it| it.method == method).count();
    assert_eq!(count(Method::Password), 2, "{logins:?}");
    assert_eq!(count(Method::PublicKeyOffer), 1, "{logins:?}");
}

#[tokio::test]
async fn a_login_is_kept_and_not_fetched_for_every_connection() {
    let world = world(|_| text(RIGHT)).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET), ("SSH_KEEP_CONNECTION", "no")]);
    for key in ["a", "b", "c"] {
        assert_delivered(&world, key).await;
    }
    assert_eq!(world.sftp.connections(), 3);
    assert_eq!(world.aws.of("GetSecretValue").len(), 1);
}

/// The three log-ins: with what an earlier invocation has fetched, with what is stored now, with what was before.
#[tokio::test]
async fn there_are_three_log_ins_at_most() {
    let world = world(one_after_the_other(
        &[RIGHT, WRONG[0], WRONG[1]],
        Some(WRONG[2]),
    ))
    .await;
    let port = world.sftp.port();
    let bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    assert_delivered(&world, "a").await;

    // The partner has a password of which nobody knows.
    let World { s3, sftp, api, aws } = world;
    sftp.disconnect_all();
    drop(sftp);
    let sftp = SftpServer::builder()
        .password(Some(secret!("of nobody")))
        .host_key_seed(7)
        .port(port)
        .start()
        .await;
    let world = World { s3, sftp, api, aws };
    let objects = ["b", "c", "d"].map(|key| world.upload(key, "content"));
    let outcome = world.api.invoke(crate::world::notification(&objects)).await;
    assert_eq!(outcome.error().0, "LoginRefused", "{outcome:?}");
    assert_eq!(world.sftp.credentials_sent(), 3, "{}", bootstrap.logs());
    let (name, _) = assert_failed(&world, "e").await;
    assert_eq!(name, "LoginRefused");
    assert_eq!(world.sftp.credentials_sent(), 3, "the server is left alone");
}

#[tokio::test]
async fn the_same_password_is_offered_once() {
    for (reference, previous) in [
        (SECRET, Some(WRONG[0])),
        (SECRET, None),
        (PARAMETER, None),
        (WRONG[0], None),
    ] {
        let world = world(move |call| {
            if call.action == "GetParameter" {
                Answer::Body(json!({ "Parameter": { "Value": WRONG[0] } }))
            } else if is_previous(call) {
                previous.map_or_else(none, text)
            } else {
                text(WRONG[0])
            }
        })
        .await;
        let _bootstrap = world.start(&[("SSH_PASSWORD", reference)]);
        let (name, _) = assert_failed(&world, "a").await;
        assert_eq!(name, "LoginRefused");
        assert_eq!(world.sftp.credentials_sent(), 1, "{reference} {previous:?}");
    }
}

const DENIED: &str = "User: arn:aws:sts::123456789012:assumed-role/acme/f is not authorized to perform: \
                      secretsmanager:GetSecretValue because no identity-based policy allows it";

#[tokio::test]
async fn a_store_that_gives_no_value_is_named_with_the_next_step() {
    let field = format!("{SECRET}#Password");
    let denied_parameter = format!("ssm:GetParameter on {PARAMETER}");
    let denied_secret = format!("secretsmanager:GetSecretValue on {SECRET}");
    let said = |code, message| Answer::Said(400, code, message);
    let rows: Vec<(&str, &str, Answer, Vec<&str>)> = vec![
        (
            "access denied",
            SECRET,
            said("AccessDeniedException", DENIED),
            vec!["access was denied", &denied_secret],
        ),
        (
            "access denied to a parameter",
            PARAMETER,
            said("AccessDeniedException", "is not authorized"),
            vec![&denied_parameter],
        ),
        (
            "KMS",
            SECRET,
            said("AccessDeniedException", "Access to KMS is not allowed"),
            vec!["kms:Decrypt"],
        ),
        (
            "KMS of a parameter",
            PARAMETER,
            said(
                "AccessDeniedException",
                "The ciphertext refers to a customer master key that does not exist",
            ),
            vec!["kms:Decrypt"],
        ),
        (
            "a key that is gone",
            SECRET,
            said("DecryptionFailure", "Secrets Manager can't decrypt"),
            vec!["kms:Decrypt"],
        ),
        (
            "not found",
            SECRET,
            said(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
            vec!["there is none", "region and account"],
        ),
        (
            "no parameter",
            PARAMETER,
            said("ParameterNotFound", ""),
            vec!["there is none"],
        ),
        (
            "pending deletion",
            SECRET,
            said(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ),
            vec!["marked for deletion", "RestoreSecret"],
        ),
        (
            "binary",
            SECRET,
            Answer::Body(json!({ "SecretBinary": "/+8=" })),
            vec!["binary"],
        ),
        ("empty", SECRET, text(""), vec!["it is empty"]),
        (
            "no value",
            SECRET,
            Answer::Body(json!({})),
            vec!["it is empty"],
        ),
        (
            "an empty parameter",
            PARAMETER,
            Answer::Body(json!({ "Parameter": {} })),
            vec!["it is empty"],
        ),
        (
            "no JSON",
            &field,
            text(RIGHT),
            vec!["no JSON object", "\"Password\"", "leave out the `#`"],
        ),
        (
            "another field",
            &field,
            text(&json!({ "password": RIGHT, "user": "x" }).to_string()),
            vec![
                "no field \"Password\"",
                "it has \"password\", \"user\"",
                "capital letters",
            ],
        ),
        (
            "an empty field",
            &field,
            text("{\"Password\":\"\"}"),
            vec!["no field \"Password\", or an empty one"],
        ),
        (
            "a field of another kind",
            &field,
            text(&json!({ "Password": [RIGHT] }).to_string()),
            vec!["\"Password\" is no text", "quotes"],
        ),
        (
            "JSON and no field",
            SECRET,
            text(&json!({ "Password": RIGHT }).to_string()),
            vec!["the fields \"Password\"", "name the field"],
        ),
    ];
    for (what, reference, answer, expected) in rows {
        let world = world(move |_| answer.clone()).await;
        let _bootstrap = world.start(&[("SSH_PASSWORD", reference)]);
        let (name, message) = assert_failed(&world, "a").await;
        assert_eq!(name, "SecretUnavailable", "{what}: {message}");
        for part in [
            "SSH_PASSWORD",
            reference,
            "fetching the credentials",
            "; next: ",
        ] {
            assert!(message.contains(part), "{what}: {part} in {message}");
        }
        for part in expected {
            assert!(message.contains(part), "{what}: {part} in {message}");
        }
        assert_eq!(world.sftp.identifications(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn a_secret_of_several_fields_that_lacks_one_is_named() {
    for (what, stored, expected) in [
        (
            "no account",
            json!({ "Password": RIGHT }),
            "no field \"Username\"",
        ),
        (
            "other names",
            json!({ "username": "acme", "Password": RIGHT }),
            "it has \"Password\", \"username\"",
        ),
        (
            "no credential",
            json!({ "Username": "acme", "password": RIGHT }),
            "neither \"Password\" nor \"PrivateKey\"; it has \"Username\", \"password\"",
        ),
        (
            "not text",
            json!({ "Username": "acme", "Password": 7 }),
            "\"Password\" is no text",
        ),
        ("no object", json!(RIGHT), "it is no JSON object"),
    ] {
        let world = world(connector(&stored)).await;
        let _bootstrap = world.start(&[
            ("SSH_SECRET", SECRET),
            ("SSH_USERNAME", ""),
            ("SSH_PASSWORD", ""),
        ]);
        let (name, message) = assert_failed(&world, "a").await;
        assert_eq!(name, "SecretUnavailable", "{what}: {message}");
        assert!(message.contains(expected), "{what}: {message}");
        assert!(
            message.contains("SSH_SECRET") && message.contains(SECRET),
            "{message}"
        );
        assert_eq!(world.sftp.identifications(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn a_secret_that_holds_a_broken_key_says_so() {
    let stored =
        json!({ "Username": "acme", "PrivateKey": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA" });
    let world = world(connector(&stored)).await;
    let _bootstrap = world.start(&[("SSH_SECRET", SECRET), ("SSH_PASSWORD", "")]);
    let (name, message) = assert_failed(&world, "a").await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(message.contains("in SSH_SECRET"), "{message}");
}

/// The SDK tries three times within its time; the function's own goes before.
#[tokio::test]
async fn a_store_that_does_not_answer_costs_no_more_than_the_time_there_is() {
    let world = world(|_| Answer::Silence).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET), ("SSH_STALL_TIMEOUT", "2s")]);
    let begin = Instant::now();
    let invocation = Invocation::new(world.uploaded("a", "content")).time(Duration::from_secs(20));
    let outcome = world.api.run(&invocation).await;
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "{:?}",
        begin.elapsed()
    );
    let (name, message) = outcome.error();
    assert_eq!(name, "SecretUnavailable", "{message}");
    assert!(
        message.contains("did not answer well") && message.contains("endpoint"),
        "{message}"
    );
    assert!(world.has_source("a"));
}

/// A refusal is told as such, whatever the store does after it.
#[tokio::test]
async fn a_store_that_fails_after_a_refused_login_does_not_hide_it() {
    let calls = Arc::new(Mutex::new(0));
    let world = world(move |_| {
        let mut calls = calls.lock().expect("nobody panics");
        *calls += 1;
        if *calls == 1 {
            text(WRONG[0])
        } else {
            Answer::Said(400, "AccessDeniedException", "not any more")
        }
    })
    .await;
    let bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    let (name, _) = assert_failed(&world, "a").await;
    assert_eq!(name, "LoginRefused");
    assert_eq!(world.sftp.credentials_sent(), 1);
    let logs = bootstrap.logs();
    assert!(logs.contains("secretsmanager:GetSecretValue on"), "{logs}");
}
