//! The proxy, between two plain sockets.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Longer than anything here takes on a slow machine.
const SOON: Duration = Duration::from_secs(20);

struct Pair {
    proxy: Proxy,
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let proxy = Proxy::start(listener.local_addr().expect("bound").port()).await;
        let client = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .expect("connected");
        let (server, _) = listener.accept().await.expect("taken");
        Self {
            proxy,
            client,
            server,
        }
    }

    /// Writes on one side and reads as much on the other.
    async fn send(&mut self, bytes: &[u8]) -> Duration {
        let begin = Instant::now();
        self.client.write_all(bytes).await.expect("written");
        let mut read = vec![0; bytes.len()];
        timeout(SOON, self.server.read_exact(&mut read))
            .await
            .expect("in time")
            .expect("read");
        assert_eq!(read, bytes);
        begin.elapsed()
    }
}

#[tokio::test]
async fn bytes_and_ends_pass() {
    let mut pair = Pair::new().await;
    pair.send(b"hello").await;
    assert_eq!(pair.proxy.bytes_sent(), 5);
    pair.server
        .write_all(b"and farewell")
        .await
        .expect("written");
    drop(pair.server);
    let mut rest = String::new();
    timeout(SOON, pair.client.read_to_string(&mut rest))
        .await
        .expect("in time")
        .expect("an orderly end");
    assert_eq!(rest, "and farewell");
}

#[tokio::test]
async fn a_round_trip_takes_its_time() {
    let mut pair = Pair::new().await;
    pair.proxy.delay(Duration::from_millis(100));
    let took = pair.send(&[7; 100_000]).await;
    assert!(took >= Duration::from_millis(50), "{took:?}");
}

#[tokio::test]
async fn a_cut_is_a_reset_for_both() {
    let mut pair = Pair::new().await;
    pair.send(b"x").await;
    pair.proxy.cut();
    for stream in [&mut pair.client, &mut pair.server] {
        let error = timeout(SOON, stream.read_u8())
            .await
            .expect("in time")
            .expect_err("cut");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn a_cut_comes_after_so_many_bytes() {
    let mut pair = Pair::new().await;
    pair.proxy.cut_after(10);
    pair.send(b"12345").await;
    pair.client
        .write_all(b"1234567890")
        .await
        .expect("taken by the kernel");
    let error = timeout(SOON, pair.client.read_u8())
        .await
        .expect("in time")
        .expect_err("cut");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(pair.proxy.bytes_sent(), 10);
}

#[tokio::test]
async fn a_stall_is_silence_and_no_end() {
    let mut pair = Pair::new().await;
    pair.send(b"x").await;
    pair.proxy.stall();
    pair.client
        .write_all(b"y")
        .await
        .expect("taken by the kernel");
    timeout(Duration::from_millis(50), pair.server.read_u8())
        .await
        .expect_err("silence");
    pair.proxy.go_on();
    assert_eq!(
        timeout(SOON, pair.server.read_u8())
            .await
            .expect("in time")
            .expect("read"),
        b'y'
    );
}

#[tokio::test]
async fn a_slow_line_takes_its_time_and_what_waits_is_the_sender() {
    let mut pair = Pair::new().await;
    pair.proxy.rate(1_000_000);
    let took = pair.send(&[7; 300_000]).await;
    assert!(took >= Duration::from_millis(290), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");

    // At 1 kB/s next to nothing is taken in: what is more than the kernel's buffers hold is not written.
    pair.proxy.rate(1000);
    let before = pair.proxy.bytes_sent();
    let mut client = pair.client;
    let writing = tokio::spawn(async move {
        client.write_all(&vec![1; 64 << 20]).await.expect("written");
        client
    });
    let mut some = vec![0; 100];
    timeout(SOON, pair.server.read_exact(&mut some))
        .await
        .expect("in time")
        .expect("read");
    assert!(!writing.is_finished());
    assert!(pair.proxy.bytes_sent() - before < 1_000_000);

    // Without a limit the rest comes at once.
    pair.proxy.rate(0);
    let mut rest = vec![0; (64 << 20) - 100];
    timeout(SOON, pair.server.read_exact(&mut rest))
        .await
        .expect("in time")
        .expect("read");
    assert!(rest.iter().all(|byte| *byte == 1));
    timeout(SOON, writing)
        .await
        .expect("in time")
        .expect("written");
}

#[tokio::test]
async fn a_slow_line_does_not_slow_the_answers() {
    let mut pair = Pair::new().await;
    pair.proxy.rate(1000);
    let begin = Instant::now();
    pair.server
        .write_all(&[7; 100_000])
        .await
        .expect("taken by the kernel");
    let mut read = vec![0; 100_000];
    timeout(SOON, pair.client.read_exact(&mut read))
        .await
        .expect("in time")
        .expect("read");
    assert!(begin.elapsed() < Duration::from_secs(10));
}
