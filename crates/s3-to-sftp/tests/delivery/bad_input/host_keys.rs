//! Servers that are not the pinned one, and what stands behind `SSH_HOST_KEY`.

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use testkit::s3::Action as S3Action;
use testkit::sftp::SftpServer;

use super::{failure, with, world};
use crate::promises::links::delivered;
use crate::world::World;

/// Somebody on the network answers in the server's place, with a key of their own, and would take any login. They get to
/// see the key exchange: neither a credential, nor the user's name.
#[tokio::test]
async fn no_login_is_begun_with_a_server_in_the_middle() {
    let (world, server) = world().await;
    let middle = SftpServer::start().await;
    let port = middle.port().to_string();
    let line = format!("* {}", server.host_key());
    let authority = format!("@cert-authority * {}", server.host_key());
    let revoked = format!("{}\n@revoked * {}", server.host_key(), middle.host_key());
    for (pinned, expected) in [
        (server.host_key(), "HostKeyMismatch"),
        (server.fingerprint(), "HostKeyMismatch"),
        (&line, "HostKeyMismatch"),
        (&authority, "HostKeyMismatch"),
        (&revoked, "HostKeyRevoked"),
    ] {
        let before = middle.connections();
        let extra = [
            ("SSH_PORT", port.as_str()),
            ("SSH_HOST_KEY", pinned),
            ("SSH_PRIVATE_KEY", "secrets:key"),
        ];
        let (name, report) = failure(&world, &extra).await;
        assert_eq!(name, expected, "{pinned}");
        assert!(
            report.contains(middle.fingerprint()),
            "the found one: {report}"
        );
        if expected == "HostKeyMismatch" {
            assert!(
                report.contains(server.fingerprint()),
                "the pinned one: {report}"
            );
        }
        assert!(report.contains("No credential was sent"), "{report}");
        assert!(middle.connections() > before, "{pinned}");
        assert_eq!(middle.logins(), [], "{pinned}");
    }
    assert_eq!(server.connections(), 0, "it was never asked");
}

/// It tells no type, and a server shows one of its keys only.
#[tokio::test]
async fn a_fingerprint_is_found_among_the_keys_of_a_server() {
    let [first, second] = two_keys();
    let print = second.public_key().fingerprint(HashAlg::Sha256).to_string();
    let typed = format!("ecdsa-sha2-nistp256 {print}");
    for (pinned, connections) in [(&print, 2), (&typed, 1)] {
        let keys = vec![first.clone(), second.clone()];
        let (world, server) = with(SftpServer::builder().host_keys(keys)).await;
        world.put("f", "content");
        let deliverer = world.deliverer(&[("SSH_HOST_KEY", pinned)]);
        let receipt = delivered(world.deliver_by(&deliverer, "f").await);
        assert_eq!(receipt.server.host_key, print);
        assert_eq!(server.connections(), connections, "{pinned}");
        assert_eq!(server.credentials_sent(), 1, "{pinned}");
    }
}

#[tokio::test]
async fn a_fingerprint_that_no_key_of_a_server_has() {
    let keys = two_keys();
    let (world, server) = with(SftpServer::builder().host_keys(keys.to_vec())).await;
    let pinned = format!("SHA256:{}", "A".repeat(43));
    let (name, report) = failure(&world, &[("SSH_HOST_KEY", &pinned)]).await;
    assert_eq!(name, "HostKeyMismatch");
    for key in &keys {
        let print = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        assert!(report.contains(&print), "{report}");
    }
    // Two for its keys, and one that finds no further.
    assert_eq!(server.connections(), 3);
    assert_eq!(server.logins(), []);
}

/// What is asked for once more is a host key, and nothing else.
#[tokio::test]
async fn a_refused_login_behind_a_fingerprint_is_a_refused_login() {
    let [first, second] = two_keys();
    let print = second.public_key().fingerprint(HashAlg::Sha256).to_string();
    let builder = SftpServer::builder().host_keys(vec![first, second]);
    let (world, server) = with(builder.reject_auth()).await;
    let (name, report) = failure(&world, &[("SSH_HOST_KEY", &print)]).await;
    assert_eq!(name, "LoginRefused", "{report}");
    assert_eq!(server.credentials_sent(), 1);
}

#[tokio::test]
async fn host_keys_are_read_from_s3_for_each_connection() {
    let (world, server) = world().await;
    let other = SftpServer::start().await;
    let text = |key: &str| {
        format!(
            "# partners\nother.example {}\n127.0.0.1 {key}\n",
            other.host_key()
        )
    };
    let deliverer = world.deliverer(&[
        ("SSH_HOST_KEY", "s3://trust/known_hosts"),
        ("SSH_KEEP_CONNECTION", "no"),
    ]);
    world.s3.store().create_bucket("trust");
    put_known_hosts(&world, text(server.host_key()));
    world.put("a", "content");
    delivered(world.deliver_by(&deliverer, "a").await);
    put_known_hosts(&world, text(other.host_key()));
    let extra = [("SSH_HOST_KEY", "s3://trust/known_hosts")];
    world.put("f", "content");
    let refused = world.deliver_by(&deliverer, "f").await;
    assert!(format!("{refused:?}").contains("HostKey"), "{refused:?}");
    put_known_hosts(&world, text(server.host_key()));
    let fresh = world.deliverer(&extra);
    delivered(world.deliver_by(&fresh, "f").await);
}

#[tokio::test]
async fn host_keys_that_cannot_be_used() {
    for (text, expected, shown) in [
        (None, "HostKeysUnavailable", "no such object"),
        (Some("top-secret text"), "HostKeysUnusable", "is neither"),
        (Some(""), "HostKeysUnusable", "holds no host key"),
        (
            Some("-----BEGIN OPENSSH PRIVATE KEY-----\ntop-secret\n"),
            "HostKeysUnusable",
            "is a private key",
        ),
        (
            Some("# comment\n127.0.0.1 ssh-ed25519 AAAAtop-secret"),
            "HostKeysUnusable",
            "line 2: the ssh-ed25519 key cannot be read",
        ),
        (
            Some(
                "sftp.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP9EQAkm/JCk4rCrdiCvt29HGSzTRcr6LTz+JLWzIQYP",
            ),
            "HostKeysUnusable",
            "the lines are for sftp.example.com.",
        ),
    ] {
        let (world, server) = world().await;
        world.s3.store().create_bucket("trust");
        if let Some(text) = text {
            put_known_hosts(&world, text.to_owned());
        }
        let (name, report) = failure(&world, &[("SSH_HOST_KEY", "s3://trust/known_hosts")]).await;
        assert_eq!(name, expected, "{report}");
        assert!(
            report.contains(shown) && report.contains("s3://trust/known_hosts"),
            "{shown}: {report}"
        );
        assert!(!report.contains("top-secret"), "{report}");
        assert_eq!(server.identifications(), [""; 0], "{report}");
    }
}

#[tokio::test]
async fn host_keys_that_may_not_be_read() {
    let (world, server) = world().await;
    world.s3.store().create_bucket("trust");
    world.s3.hook(|request| match request.bucket.as_str() {
        "trust" => S3Action::access_denied(),
        _ => S3Action::Pass,
    });
    let (name, report) = failure(&world, &[("SSH_HOST_KEY", "s3://trust/known_hosts")]).await;
    assert_eq!(name, "HostKeysUnavailable");
    assert!(report.contains("s3:GetObject"), "{report}");
    assert_eq!(server.identifications(), [""; 0], "{report}");
}

fn put_known_hosts(world: &World, text: String) {
    world.s3.store().put("trust", "known_hosts", text);
}

/// The first is the one that a server shows to whoever asks for none before others.
fn two_keys() -> [PrivateKey; 2] {
    let ecdsa = Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    };
    [Algorithm::Ed25519, ecdsa]
        .map(|algorithm| PrivateKey::random(&mut safe_rng(), algorithm).expect("it can be made"))
}
