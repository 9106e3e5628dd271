//! ProFTPD's mod_sftp, and Go's x/crypto/ssh below `rclone serve sftp`.

use std::sync::Arc;

use testkit::servers::{ProFtpd, Rclone};

use super::{BY_BOTH, BY_KEY, BY_PASSWORD, delivers};
use crate::bad_input::failure;
use crate::world::World;

async fn proftpd(lines: &[&str]) -> (World, Arc<ProFtpd>) {
    let server = ProFtpd::start_with(lines).await;
    let server = Arc::new(server.unwrap_or_else(|missing| panic!("{missing}")));
    let world = World::new(server.account(), Arc::clone(&server)).await;
    (world, server)
}

async fn rclone() -> (World, Arc<Rclone>) {
    let server = Rclone::start().await;
    let server = Arc::new(server.unwrap_or_else(|missing| panic!("{missing}")));
    let world = World::new(server.account(), Arc::clone(&server)).await;
    (world, server)
}

#[tokio::test]
async fn proftpd_lets_in_by_key() {
    let (world, server) = proftpd(&[]).await;
    delivers(&world, BY_KEY).await;
    delivers(&world, BY_BOTH).await;
    assert!(!server.logs().contains("Login failed"), "{}", server.logs());
}

#[tokio::test]
async fn proftpd_lets_in_by_password() {
    let (world, _server) = proftpd(&["SFTPAuthMethods password"]).await;
    delivers(&world, BY_PASSWORD).await;
    delivers(&world, BY_BOTH).await;
}

#[tokio::test]
async fn proftpd_lets_in_by_key_and_password() {
    for methods in ["publickey+password", "password+publickey"] {
        let line = format!("SFTPAuthMethods {methods}");
        let (world, _server) = proftpd(&[&line]).await;
        delivers(&world, BY_BOTH).await;
        std::fs::remove_file(world.home().join("f")).expect("it arrived");
        let half = if methods.starts_with("publickey") {
            BY_KEY
        } else {
            BY_PASSWORD
        };
        let (name, report) = failure(&world, half).await;
        assert_eq!(name, "LoginRefused", "{report}");
        assert!(
            report.contains("for which the server asks as well"),
            "{report}"
        );
    }
}

#[tokio::test]
async fn proftpd_is_sent_a_wrong_password_once() {
    let (world, server) = proftpd(&["SFTPAuthMethods password"]).await;
    let (name, report) = failure(&world, &[("SSH_PASSWORD", "wr0ng")]).await;
    assert_eq!(name, "LoginRefused", "{report}");
    let logs = server.logs();
    assert_eq!(logs.matches("(Login failed)").count(), 1, "{logs}");
}

#[tokio::test]
async fn rclone_lets_in_by_key() {
    let (world, _server) = rclone().await;
    delivers(&world, BY_KEY).await;
    delivers(&world, BY_BOTH).await;
}

#[tokio::test]
async fn rclone_lets_in_by_password() {
    let (world, _server) = rclone().await;
    delivers(&world, BY_PASSWORD).await;
    let (name, report) = failure_beside(&world).await;
    assert_eq!(name, "LoginRefused", "{report}");
    assert!(report.contains("by password; it offers"), "{report}");
}

async fn failure_beside(world: &World) -> (&'static str, String) {
    std::fs::remove_file(world.home().join("f")).expect("it arrived");
    failure(world, &[("SSH_PASSWORD", "wr0ng")]).await
}
