//! Ranges from a store that is S3 only by name.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;

const BYTES: &str = "0123456789";
/// So much of the stream comes before the first range is answered.
const BEFORE: usize = 4;

/// Answers each range with `ETag`, status, headers and body that `answer` makes of its first byte and
/// end; the stream without a range is the object, and rests in its middle until a range is answered.
async fn source_of(
    answer: impl Fn(usize, usize) -> (&'static str, &'static str, String, String)
    + Send
    + Sync
    + 'static,
) -> (S3, S3Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    let answered = Arc::new(Notify::new());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, answered) = (Arc::clone(&answer), Arc::clone(&answered));
            tokio::spawn(async move { serve(stream, &*answer, &answered).await });
        }
    });
    // For its credentials alone.
    let s3 = S3Server::start().await;
    let client = s3.config().endpoint_url(endpoint).build();
    let source =
        S3::with_client(aws_sdk_s3::Client::from_conf(client)).with_read_ahead(ReadAhead {
            budget: 4,
            range: 2,
            ..EAGER
        });
    (source, s3)
}

async fn serve(
    mut stream: TcpStream,
    answer: &(impl Fn(usize, usize) -> (&'static str, &'static str, String, String) + Send + Sync),
    answered: &Notify,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let range = request
        .lines()
        .find_map(|line| line.strip_prefix("range: bytes="))
        .and_then(|range| range.split_once('-'))
        .and_then(|(first, last)| Some((first.parse().ok()?, last.parse::<usize>().ok()? + 1)));
    let head = |etag, status, length: usize, headers: &str| {
        format!(
            "HTTP/1.1 {status}\r\nETag: \"{etag}\"\r\n\
             Last-Modified: Sun, 22 Nov 2026 14:05:09 GMT\r\n\
             Content-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
        )
    };
    if let Some((first, end)) = range {
        let (etag, status, headers, body) = answer(first, end);
        let head = head(etag, status, body.len(), &headers);
        _ = stream.write_all((head + &body).as_bytes()).await;
        answered.notify_one();
    } else {
        let head = head("e", "200 OK", BYTES.len(), "") + &BYTES[..BEFORE];
        _ = stream.write_all(head.as_bytes()).await;
        answered.notified().await;
        _ = stream.write_all(&BYTES.as_bytes()[BEFORE..]).await;
    }
}

const OK: &str = "206 Partial Content";

fn content_range(first: usize, end: usize) -> String {
    format!("Content-Range: bytes {first}-{}/10\r\n", end - 1)
}

/// All that is read of it, and how that ended.
async fn read(source: S3) -> (String, Result<ChecksumCheck, SourceError>) {
    let (_, mut body) = found(source.open(&name("k")).await.unwrap());
    let (bytes, result) = drain(&mut body).await;
    (String::from_utf8(bytes).unwrap(), result)
}

#[tokio::test]
async fn a_range_that_is_none_is_not_taken_for_one() {
    // It is right where it is not wrong on purpose: upper case tells who brought it.
    let (source, _s3) = source_of(|first, end| {
        let body = "ABCDEFGHIJ"[first..end].to_owned();
        ("e", OK, content_range(first, end), body)
    })
    .await;
    assert_eq!(read(source).await.0, "0123EFGHIJ");

    type Answer = fn(usize, usize) -> (&'static str, &'static str, String, String);
    let answers: [(&str, Answer); 6] = [
        ("the whole", |_, _| {
            ("e", "200 OK", String::new(), "ABCDEFGHIJ".into())
        }),
        ("no range, of the right length", |_, _| {
            ("e", "200 OK", String::new(), "AB".into())
        }),
        ("another beginning", |first, end| {
            ("e", OK, content_range(first - 1, end), "AB".into())
        }),
        ("another end", |first, _| {
            ("e", OK, content_range(first, 10), "AB".into())
        }),
        ("another end, and all of it", |first, _| {
            (
                "e",
                OK,
                content_range(first, 10),
                "ABCDEFGHIJ"[first..].into(),
            )
        }),
        ("more than it says", |first, end| {
            let more = "ABCDEFGHIJK"[first..=end].to_owned();
            ("e", OK, content_range(first, end), more)
        }),
    ];
    for (what, answer) in answers {
        let (source, _s3) = source_of(answer).await;
        let (bytes, result) = read(source).await;
        assert_eq!(bytes, BYTES, "{what}: the stream is still there");
        result.unwrap();
    }
}

/// It ignores If-Match.
#[tokio::test]
async fn a_range_of_another_object_is_not_read() {
    let (source, _s3) = source_of(|first, end| {
        let etag = if first < 8 { "e" } else { "f" };
        (
            etag,
            OK,
            content_range(first, end),
            BYTES[first..end].to_owned(),
        )
    })
    .await;
    let (bytes, result) = read(source).await;
    let error = result.unwrap_err();
    assert!(matches!(error, SourceError::Replaced), "{error:?}");
    assert_eq!(bytes, "01234567");
}
