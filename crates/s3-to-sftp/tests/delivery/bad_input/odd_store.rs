//! Stores that are S3 only by name: each answers GETs by a script, byte by byte.

use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::source::S3;
use testkit::sftp::Operation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::world;
use crate::checked::Checked;

/// The first answer: an object of ten bytes, of which five come.
const HALF: &str = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nLast-Modified: Sun, 22 Nov 2026 14:05:09 GMT\r\n\
                    Content-Length: 10\r\nConnection: close\r\n\r\n01234";

/// Delivers from a store that sends `HALF`, and `rest` to every further GET. Gives the failure's name
/// and the number of GETs.
async fn delivered_from(rest: &'static str) -> (&'static str, usize) {
    let (world, server) = world().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (count, mut gets) = tokio::sync::mpsc::unbounded_channel();
    let store = tokio::spawn(async move {
        for answer in std::iter::once(HALF).chain(std::iter::repeat(rest)) {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => return,
                }
            }
            _ = count.send(());
            _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let client = world.s3.config().endpoint_url(endpoint).build();
    let s3 = S3::with_client(aws_sdk_s3::Client::from_conf(client));
    let deliverer = Deliverer::new(world.settings(&[]), s3, Secrets::none()).with_journal(Checked);
    let outcome = world.deliver_by(&deliverer, "f").await;
    store.abort();
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(server.requests_of(Operation::PosixRename).is_empty());
    world.assert_only(&[]);
    let mut number = 0;
    while gets.try_recv().is_ok() {
        number += 1;
    }
    (error.name(), number)
}

/// It sends the beginning again, which would be put behind the beginning.
#[tokio::test]
async fn a_store_that_ignores_ranges() {
    let again =
        "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 5\r\nConnection: close\r\n\r\n01234";
    assert_eq!(delivered_from(again).await, ("SourceUnavailable", 2));
}

/// It ends its answer well, and before the object's end.
#[tokio::test]
async fn a_store_that_sends_less_than_it_said() {
    let nothing = "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Range: bytes 5-9/10\r\n\
                   Content-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(delivered_from(nothing).await, ("SourceBroken", 4));
}

#[tokio::test]
async fn a_store_that_sends_more_than_it_said() {
    let more = "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Range: bytes 5-9/10\r\n\
                Content-Length: 8\r\nConnection: close\r\n\r\n56789xyz";
    assert_eq!(delivered_from(more).await, ("SourceBroken", 2));
}
