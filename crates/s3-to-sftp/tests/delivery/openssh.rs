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

/// What it refuses is not missed.
#[tokio::test]
async fn openssh_with_one_session_gets_one_channel() {
    const SIZE: usize = 24 * 1024 * 1024;
    let server = Sshd::start_with(&["MaxSessions 1"])
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let world = World::new(server.account(), server).await;
    let proxy = Proxy::start(world.account.port).await;
    proxy.delay(Duration::from_millis(20));
    let port = proxy.port().to_string();
    for (key, channels) in [("auto", "auto"), ("many", "16")] {
        world.put(key, payload::ramp(SIZE));
        let settings = [("SSH_PORT", port.as_str()), ("SSH_CHANNELS", channels)];
        let outcome = world.deliver_by(&world.deliverer(&settings), key).await;
        let receipt = crate::promises::links::delivered(outcome);
        assert_eq!(receipt.channels, 1, "{receipt:?}");
        assert!(world.file(key) == payload::ramp(SIZE), "byte by byte");
    }
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
