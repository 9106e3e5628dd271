//! What stands behind `SSH_PRIVATE_KEY`.

use testkit::s3::Action as S3Action;
use testkit::sftp::SftpServer;

use super::{failure, world};
use crate::world::World;

async fn with_key(key: Option<&str>) -> (&'static str, String, World) {
    let (mut world, server) = world().await;
    world.account.private_key = key.map(str::to_owned);
    world.s3.store().create_bucket("secrets");
    let extra = [("SSH_PRIVATE_KEY", "secrets:key"), ("SSH_PASSWORD", "")];
    let (name, report) = failure(&world, &extra).await;
    assert!(
        report.contains("s3://secrets/key"),
        "the reference is named: {report}"
    );
    assert_eq!(server.credentials_sent(), 0);
    (name, report, world)
}

#[tokio::test]
async fn a_private_key_that_is_missing() {
    let (name, report, _world) = with_key(None).await;
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
    let (name, report, _world) = with_key(Some("top-secret text that is no key")).await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(
        !report.contains("top-secret"),
        "the content is not shown: {report}"
    );
}

#[tokio::test]
async fn a_private_key_that_is_a_public_key() {
    let (name, report, _world) = with_key(Some("ssh-ed25519 AAAAC3Nza acme@example")).await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(report.contains("public key"), "{report}");
}

/// Whatever it is, it is not read into memory.
#[tokio::test]
async fn a_private_key_that_is_larger_than_any_key() {
    let (name, report, _world) = with_key(Some(&"x".repeat(70_000))).await;
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
    let (name, report, _world) = with_key(Some(half)).await;
    assert_eq!(name, "PrivateKeyUnusable");
    let secret = half.lines().nth(1).expect("a second line");
    assert!(!report.contains(&secret[..20]), "{report}");
}

/// russh's errors print their source, and hand it out as well.
#[tokio::test]
async fn a_private_key_that_is_garbage_in_armour() {
    let garbage = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    let (name, report, _world) = with_key(Some(garbage)).await;
    assert_eq!(name, "PrivateKeyUnusable");
    let causes = report.split(": ").collect::<Vec<_>>();
    let mut once = causes.clone();
    once.dedup();
    assert_eq!(causes, once, "no cause is printed twice: {report}");
}

#[tokio::test]
async fn a_private_key_that_is_encrypted() {
    for armour in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n",
        ENCRYPTED_OPENSSH,
    ] {
        let (name, report, _world) = with_key(Some(armour)).await;
        assert_eq!(name, "PrivateKeyUnusable");
        assert!(
            report.contains("encrypted") && report.contains("next:"),
            "{report}"
        );
    }
}

/// Made by `ssh-keygen -t ed25519 -N passphrase`; nothing accepts it.
const ENCRYPTED_OPENSSH: &str = include_str!("../../keys/encrypted_ed25519");
