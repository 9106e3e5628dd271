//! What stands behind `SSH_PRIVATE_KEY`.

use std::sync::Arc;

use s3_to_sftp::receipt::Outcome;
use testkit::s3::Action as S3Action;
use testkit::sftp::SftpServer;

use super::{failure, world};
use crate::world::World;

/// Delivers with what stands behind `SSH_PRIVATE_KEY`, and gives the name and the report of the failure.
pub(crate) async fn with_key(
    key: Option<&str>,
    more: &[(&str, &str)],
) -> (&'static str, String, World) {
    let (mut world, server) = world().await;
    world.account.private_key = key.map(str::to_owned);
    world.s3.store().create_bucket("secrets");
    let extra = [("SSH_PRIVATE_KEY", "secrets:key"), ("SSH_PASSWORD", "")];
    let (name, report) = failure(&world, &[more, &extra].concat()).await;
    assert!(
        report.contains("s3://secrets/key"),
        "the reference is named: {report}"
    );
    assert_eq!(server.credentials_sent(), 0);
    (name, report, world)
}

#[tokio::test]
async fn a_private_key_that_is_missing() {
    let (name, report, _world) = with_key(None, &[]).await;
    assert_eq!(name, "PrivateKeyUnavailable");
    assert!(
        report.contains("no such object") && report.contains("next:"),
        "{report}"
    );
}

#[tokio::test]
async fn a_private_key_that_may_not_be_read() {
    let (world, _server) = world().await;
    world.s3.store().create_bucket("secrets");
    world.s3.hook(|request| match request.bucket.as_str() {
        "secrets" => S3Action::access_denied(),
        _ => S3Action::Pass,
    });
    let extra = [("SSH_PRIVATE_KEY", "secrets:key"), ("SSH_PASSWORD", "")];
    let (name, report) = failure(&world, &extra).await;
    assert_eq!(name, "PrivateKeyUnavailable");
    assert!(
        report.contains("s3://secrets/key") && report.contains("s3:GetObject"),
        "{report}"
    );
}

#[tokio::test]
async fn a_private_key_that_is_none() {
    let (name, report, _world) = with_key(Some("top-secret text that is no key"), &[]).await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(
        !report.contains("top-secret"),
        "the content is not shown: {report}"
    );
}

#[tokio::test]
async fn a_private_key_that_is_a_public_key() {
    let (name, report, _world) = with_key(Some("ssh-ed25519 AAAAC3Nza acme@example"), &[]).await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(report.contains("public key"), "{report}");
}

/// Whatever it is, it is not read into memory.
#[tokio::test]
async fn a_private_key_that_is_larger_than_any_key() {
    let (name, report, _world) = with_key(Some(&"x".repeat(70_000)), &[]).await;
    assert_eq!(name, "PrivateKeyUnavailable");
    assert!(report.contains("65536 bytes"), "{report}");
}

#[tokio::test]
async fn a_private_key_that_is_cut_short() {
    let key = SftpServer::start()
        .await
        .account()
        .private_key
        .expect("the account has a key");
    let half = &key[..key.len() / 2];
    let (name, report, _world) = with_key(Some(half), &[]).await;
    assert_eq!(name, "PrivateKeyUnusable");
    let secret = half.lines().nth(1).expect("a second line");
    assert!(!report.contains(&secret[..20]), "{report}");
}

/// russh's errors print their source, and hand it out as well.
#[tokio::test]
async fn a_private_key_that_is_garbage_in_armour() {
    let garbage = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    let (name, report, _world) = with_key(Some(garbage), &[]).await;
    assert_eq!(name, "PrivateKeyUnusable");
    let causes = report.split(": ").collect::<Vec<_>>();
    let mut once = causes.clone();
    once.dedup();
    assert_eq!(causes, once, "no cause is printed twice: {report}");
}

#[tokio::test]
async fn a_private_key_that_is_encrypted() {
    let (name, report, _world) = with_key(Some(ENCRYPTED_OPENSSH), &[]).await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(
        report.contains("SSH_PASSPHRASE is not set; next: set SSH_PASSPHRASE"),
        "{report}"
    );
    let wrong = [("SSH_PASSPHRASE", "hunter2")];
    let (name, report, _world) = with_key(Some(ENCRYPTED_OPENSSH), &wrong).await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(
        report.contains("does not fit the key; next: correct SSH_PASSPHRASE")
            && !report.contains("hunter2"),
        "{report}"
    );
}

#[tokio::test]
async fn a_private_key_that_is_something_else() {
    for (text, what) in [
        ("", "it is empty"),
        (" \n ", "it is empty"),
        (
            "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1l acme",
            "an OpenSSH certificate",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "an X.509 certificate",
        ),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOY\n-----END PGP PRIVATE KEY BLOCK-----",
            "a PGP key",
        ),
        ("{\"PrivateKey\": \"x\"}", "JSON"),
        (
            "SHA256:uNiVztksCsDhcc0u9e8BrrJJeWfvvRa4pdaaPQKYQzU",
            "a fingerprint",
        ),
        ("PuTTY-User-Key-File-1: ssh-rsa", "PuTTY's format"),
        (
            "-----BEGIN DSA PRIVATE KEY-----\nMIIB\n-----END DSA PRIVATE KEY-----",
            "of the type DSA",
        ),
    ] {
        let (name, report, _world) = with_key(Some(text), &[]).await;
        assert_eq!(name, "PrivateKeyUnusable");
        assert!(report.contains(what), "{what}: {report}");
        assert!(report.contains("SSH_"), "the setting is named: {report}");
    }
}

/// The other way to say which key: itself.
#[tokio::test]
async fn a_private_key_in_the_setting_itself() {
    let server = Arc::new(SftpServer::builder().password(None).start().await);
    let key = server.account().private_key.expect("the account has a key");
    let world = World::new(server.account(), Arc::clone(&server)).await;
    let on_one_line = key.replace('\n', "\\n");
    for (name, value) in [("one", key.as_str()), ("two", &on_one_line)] {
        world.put(name, "content");
        let deliverer = world.deliverer(&[("SSH_PRIVATE_KEY", value)]);
        let outcome = world.deliver_by(&deliverer, name).await;
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    }
    let half = &key[..key.len() / 2];
    let (name, report) = failure_beside(&world, &[("SSH_PRIVATE_KEY", half)]).await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(
        report.contains("the private key in SSH_PRIVATE_KEY cannot be used"),
        "{report}"
    );
}

/// An encrypted one with its passphrase, from S3.
#[tokio::test]
async fn a_passphrase_opens_the_key_and_is_ignored_where_there_is_none_to_ask_for() {
    let server = Arc::new(SftpServer::builder().password(None).start().await);
    let mut world = World::new(server.account(), Arc::clone(&server)).await;
    world.put("plain", "content");
    let deliverer = world.deliverer(&[("SSH_PASSPHRASE", "hunter2")]);
    let outcome = world.deliver_by(&deliverer, "plain").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");

    // The server does not know this key: that it was offered shows that it was opened.
    world.account.private_key = Some(ENCRYPTED_OPENSSH.to_owned());
    let passphrase = [("SSH_PASSPHRASE", "passphrase")];
    let (name, report) = failure_beside(&world, &passphrase).await;
    assert_eq!(name, "LoginRefused", "{report}");
    assert!(report.contains("publickey (ssh-ed25519)"), "{report}");
}

/// As [`failure`], where files were delivered before.
async fn failure_beside(world: &World, extra: &[(&str, &str)]) -> (&'static str, String) {
    world.put("g", "content");
    let outcome = world.deliver_by(&world.deliverer(extra), "g").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(world.has_source("g"), "the source is kept");
    (error.name(), error.report())
}

/// Made by `ssh-keygen -t ed25519 -N passphrase`; nothing accepts it.
const ENCRYPTED_OPENSSH: &str = include_str!("../../keys/encrypted_ed25519");
