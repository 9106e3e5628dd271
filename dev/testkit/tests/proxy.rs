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
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

/// A further connection.
struct Another {
    client: TcpStream,
    server: TcpStream,
}

impl Another {
    async fn expect(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        timeout(SOON, self.server.read_exact(&mut read))
            .await
            .expect("in time")
            .expect("read");
        assert_eq!(read, bytes);
    }
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
            listener,
            client,
            server,
        }
    }

    async fn another(&self) -> Another {
        let client = TcpStream::connect(("127.0.0.1", self.proxy.port()))
            .await
            .expect("connected");
        let (server, _) = self.listener.accept().await.expect("taken");
        Another { client, server }
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
async fn a_connection_is_stalled_at_the_byte_that_was_asked_for() {
    let mut first = Pair::new().await;
    // Not this one, nor before it has sent so much.
    first.proxy.stall_after(2, 10);
    first.send(&[1; 100]).await;
    let mut second = first.another().await;
    second.client.write_all(b"12345").await.expect("written");
    second.expect(b"12345").await;
    assert!(!first.proxy.is_stalled());

    let text = b"67890 and what waits";
    second
        .client
        .write_all(text)
        .await
        .expect("taken by the kernel");
    second.expect(b"67890").await;
    assert!(first.proxy.is_stalled());
    assert_eq!(first.proxy.bytes_sent(), 110);
    timeout(Duration::from_millis(50), second.server.read_u8())
        .await
        .expect_err("silence");
    first.client.write_all(b"x").await.expect("taken");
    timeout(Duration::from_millis(50), first.server.read_u8())
        .await
        .expect_err("the whole line is stalled");

    // What was sent meanwhile arrives, and nothing stalls once more.
    first.proxy.go_on();
    second.expect(&text[5..]).await;
    assert_eq!(first.server.read_u8().await.expect("read"), b'x');
    first.send(&[2; 1000]).await;
    assert!(!first.proxy.is_stalled());
    assert_eq!(first.proxy.bytes_sent(), 110 + 15 + 1001);
    assert_eq!(first.proxy.most_bytes_sent(), 1101);
}

#[tokio::test]
async fn a_connection_counts_until_both_ends_have_closed_it() {
    let mut pair = Pair::new().await;
    pair.send(b"x").await;
    assert_eq!(pair.proxy.most_open(), 1);
    let mut second = pair.another().await;
    assert_eq!(pair.proxy.most_open(), 2);
    // The client's end alone: the server still has it.
    second.client.shutdown().await.expect("an end");
    let end = timeout(SOON, second.server.read_u8()).await;
    end.expect("in time").expect_err("no more bytes");
    let third = pair.another().await;
    assert_eq!(pair.proxy.most_open(), 3);
    drop(second.server);
    let end = timeout(SOON, second.client.read_u8()).await;
    end.expect("in time").expect_err("no more bytes");
    drop(third);
    // Two have ended, or will have soon, and a cut ends the first.
    pair.proxy.cut();
    let error = timeout(SOON, pair.client.read_u8()).await;
    error.expect("in time").expect_err("cut");
    for _ in 0..10 {
        let another = pair.another().await;
        pair.proxy.cut();
        let mut client = another.client;
        let cut = timeout(SOON, client.read_u8()).await;
        cut.expect("in time").expect_err("cut");
    }
    assert_eq!(pair.proxy.most_open(), 3);
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
