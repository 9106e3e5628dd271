//! The promises, against OpenSSH's sshd: an implementation that we did not write.

use std::time::Duration;

use testkit::payload;
use testkit::proxy::Proxy;
use testkit::servers::Sshd;

use crate::promises::promises;
use crate::world::World;

async fn world() -> World {
    let server = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    World::new(server.account(), server).await
}

promises!(world);

/// As many as the round trip needs, and never beyond its `MaxSessions`.
#[tokio::test]
async fn openssh_gets_several_channels_by_itself() {
    const SIZE: usize = 48 * 1024 * 1024;
    let world = world().await;
    world.put("f", payload::ramp(SIZE));
    let proxy = Proxy::start(world.account.port).await;
    proxy.delay(Duration::from_millis(40));
    let port = proxy.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", &port)]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    let receipt = crate::promises::links::delivered(outcome);
    assert!((4..=10).contains(&receipt.channels), "{receipt:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
}

/// The file and its name: OpenSSH opens a directory for FSYNC.
#[tokio::test]
async fn a_delivery_to_openssh_survives_a_power_cut() {
    let world = world().await;
    world.put("a/f", "content");
    let outcome = world.deliver("a/f").await;
    let receipt = crate::promises::links::delivered(outcome);
    assert_eq!(receipt.durable, s3_to_sftp::receipt::Durable::FileAndName);
}
