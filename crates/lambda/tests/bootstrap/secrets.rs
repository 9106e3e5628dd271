//! Values that lie in a store, and what becomes of a delivery while they are changed.

mod refused;
mod rotation;

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
