//! How often a small file waits for a slow line.

use std::time::Duration;

use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::proxy::Proxy;

use super::world;

/// So slow that what is sent together arrives together, on a busy machine too.
const ROUND_TRIP: Duration = Duration::from_millis(400);

/// Warm: a probe beside S3's first answer; OPEN; the bytes and all that verifies them; RENAME. Cold, behind the TCP
/// handshake: identification; KEXINIT; key exchange; NEWKEYS with the request for the login service; login; channel; SFTP and
/// its version; and the same three.
#[tokio::test]
async fn a_small_file_takes_three_round_trips_on_a_connection_that_is_there() {
    let (world, server) = world().await;
    let proxy = Proxy::start(server.port()).await;
    let port = proxy.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", &port)]);
    proxy.delay(ROUND_TRIP);
    let mut before = 0;
    for (key, expected) in [("cold", 10), ("warm", 1 + 3), ("again", 1 + 3)] {
        world.put(key, payload::ramp(10_000));
        let outcome = world.deliver_by(&deliverer, key).await;
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
        let flights = proxy.flights() - before;
        assert_eq!(flights, expected, "{key}");
        before = proxy.flights();
    }
    assert_eq!(server.connections(), 1);
}
