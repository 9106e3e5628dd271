//! Servers that cannot be reached, or do not let us in.

use std::time::Duration;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};
use s3_to_sftp::error::{Scope, VerdictKind};
use s3_to_sftp::receipt::Outcome;
use testkit::secrets::WRONG;
use testkit::sftp::{SftpServer, closed_port, silent};

use super::{failure, with, world};
use crate::world::{World, job};

#[tokio::test]
async fn an_unknown_host() {
    let (world, _server) = world().await;
    let (name, report) = failure(&world, &[("SSH_HOST", "no-such-host.invalid")]).await;
    assert_eq!(name, "NameNotFound");
    assert!(report.contains("acme"), "the account: {report}");
    assert!(report.contains("no-such-host.invalid"), "{report}");
}

#[tokio::test]
async fn a_closed_port() {
    let (world, _server) = world().await;
    let closed = closed_port();
    let port = closed.port().to_string();
    let (name, report) = failure(&world, &[("SSH_PORT", &port)]).await;
    assert_eq!(name, "ConnectFailed");
    assert!(report.contains("acme"), "the account: {report}");
    assert!(report.contains(&format!("127.0.0.1:{port}")), "{report}");
}

#[tokio::test]
async fn a_banner_that_never_comes() {
    let (world, _server) = world().await;
    let silent = silent();
    let port = silent.port().to_string();
    let extra = [("SSH_PORT", port.as_str()), ("SSH_CONNECT_TIMEOUT", "1s")];
    let started = std::time::Instant::now();
    let (name, report) = failure(&world, &extra).await;
    assert_eq!(name, "ServerSilent");
    assert!(report.contains("acme"), "the account: {report}");
    assert!(
        report.contains("banner") && report.contains(&port),
        "{report}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_refused_login() {
    let (world, server) = world().await;
    let (name, report) = failure(&world, &[("SSH_PASSWORD", WRONG)]).await;
    assert_eq!(name, "LoginRefused");
    assert!(
        report.contains("acme") && report.contains("127.0.0.1"),
        "{report}"
    );
    assert!(
        report.contains("password"),
        "what was tried and what is offered: {report}"
    );
    assert!(!report.contains(WRONG), "{report}");
    assert_eq!(server.credentials_sent(), 1);
}

/// Partners lock accounts: the records behind the first one do not try again.
#[tokio::test]
async fn a_refused_login_is_not_tried_again_for_the_next_record() {
    let (world, server) = world().await;
    let deliverer = world.deliverer(&[("SSH_PASSWORD", WRONG)]);
    let invocation = deliverer.invocation(world.soon());
    for key in ["one", "two", "three"] {
        world.put(key, key);
        let outcome = invocation.deliver(job(World::BUCKET, key), "owner").await;
        let Outcome::Failed(error) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.name(), "LoginRefused");
        assert_eq!(error.verdict().kind, VerdictKind::Reject);
        assert_eq!(error.verdict().scope, Scope::Destination);
    }
    invocation.finish().await;
    assert_eq!(server.credentials_sent(), 1);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_wrong_host_key() {
    let (world, server) = world().await;
    let other = SftpServer::builder().host_key_seed(4711).start().await;
    let (name, report) = failure(&world, &[("SSH_HOST_KEY", other.host_key())]).await;
    assert_eq!(name, "HostKeyMismatch");
    assert!(report.contains("acme"), "the account: {report}");
    assert!(
        report.contains(server.fingerprint()),
        "the found one: {report}"
    );
    assert!(
        report.contains(other.fingerprint()),
        "the expected one: {report}"
    );
    assert_eq!(server.credentials_sent(), 0, "no credential leaves");
    let by_fingerprint = failure(&world, &[("SSH_HOST_KEY", other.fingerprint())]).await;
    assert_eq!(by_fingerprint.0, "HostKeyMismatch");
    assert!(server.logins().is_empty(), "{:?}", server.logins());
}

#[tokio::test]
async fn an_account_without_sftp() {
    let (world, _server) = with(SftpServer::builder().no_subsystem()).await;
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "SftpRefused");
    assert!(report.contains("acme"), "{report}");
}

/// A server has several keys and proves the one that the client asks for first: that has to be the
/// pinned one.
#[tokio::test]
async fn a_pinned_key_is_the_one_that_is_asked_for() {
    let ecdsa = Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    };
    for pinned in [ecdsa.clone(), Algorithm::Ed25519] {
        let keys = [Algorithm::Ed25519, ecdsa.clone()].map(|algorithm| {
            PrivateKey::random(&mut safe_rng(), algorithm).expect("it can be made")
        });
        let key = keys.iter().find(|key| key.algorithm() == pinned);
        let line = key.expect("it is one of the two").public_key().to_openssh();
        let line = line.expect("it can be written");
        let (world, _server) = with(SftpServer::builder().host_keys(keys.to_vec())).await;
        world.put("f", "content");
        let deliverer = world.deliverer(&[("SSH_HOST_KEY", &line)]);
        let outcome = world.deliver_by(&deliverer, "f").await;
        assert!(
            matches!(outcome, Outcome::Delivered(..)),
            "{pinned}: {outcome:?}"
        );
    }
}
