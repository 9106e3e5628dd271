//! How often a small file waits for a slow line.

use std::time::Duration;

use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::s3::Action;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

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

/// S3 does not answer for the private key before the server has been dialed. Who fetches first and dials then waits for ever.
#[tokio::test]
async fn the_server_is_dialed_beside_the_private_key() {
    let (world, server) = world().await;
    world.put("f", "content");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port().to_string();
    let (dialed, is_dialed) = oneshot::channel();
    let behind = server.port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        dialed.send(()).expect("the key is asked for");
        let mut server = TcpStream::connect(("127.0.0.1", behind)).await.expect("up");
        // It ends with the test.
        tokio::io::copy_bidirectional(&mut client, &mut server)
            .await
            .ok();
    });
    let mut is_dialed = Some(is_dialed);
    world.s3.hook(
        move |request| match is_dialed.take_if(|_| request.bucket == "secrets") {
            Some(is_dialed) => Action::hold(async { is_dialed.await.expect("it is") }),
            None => Action::Pass,
        },
    );
    let settings = [
        ("SSH_PRIVATE_KEY", "secrets:key"),
        ("SSH_PASSWORD", ""),
        ("SSH_PORT", &port),
    ];
    let outcome = world.deliver_by(&world.deliverer(&settings), "f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
}
