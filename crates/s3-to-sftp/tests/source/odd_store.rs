//! Stores that are S3 only by name: each answers by a script.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Ten bytes in two parts of five.
const BYTES: &str = "0123456789";
/// CRC-32 of `01234` and of `56789`.
const FIRST: &str = "3aRwJA==";
const SECOND: &str = "Ex2gcA==";

/// Answers each request by what `answer` makes of its head, and nothing more.
async fn source_of(answer: impl Fn(&str) -> String + Send + 'static) -> (S3, S3Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => break,
                }
            }
            let answer = answer(&String::from_utf8_lossy(&request));
            _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    // For its credentials alone.
    let s3 = S3Server::start().await;
    let client = s3.config().endpoint_url(endpoint).build();
    (S3::with_client(aws_sdk_s3::Client::from_conf(client)), s3)
}

fn answer(status: &str, etag: &str, size: usize, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nETag: \"{etag}\"\r\nLast-Modified: Sun, 22 Nov 2026 14:05:09 GMT\r\n\
         Content-Length: {size}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

/// What a HEAD of a part says: its size, its count of parts, its checksum.
type Told = (&'static str, usize, &'static str, &'static str);

/// Reads the object from a store whose two parts are told so.
async fn read_by_parts(parts: [Told; 2]) -> Result<ChecksumCheck, SourceError> {
    let (source, _s3) = source_of(move |request| {
        if request.starts_with("GET") {
            let headers = "x-amz-checksum-crc32: AAAAAA==-2\r\nx-amz-checksum-type: COMPOSITE\r\n";
            return answer("200 OK", "e", BYTES.len(), headers, BYTES);
        }
        let second = request.contains("partNumber=2");
        let (etag, size, count, checksum) = parts[usize::from(second)];
        let headers =
            format!("x-amz-mp-parts-count: {count}\r\nx-amz-checksum-crc32: {checksum}\r\n");
        answer("206 Partial Content", etag, size, &headers, "")
    })
    .await;
    let (_, mut body) = found(source.open(&name("k")).await.unwrap());
    let (bytes, result) = drain(&mut body).await;
    if result.is_ok() {
        assert_eq!(bytes, BYTES.as_bytes());
    }
    result
}

#[tokio::test]
async fn parts_that_are_told_badly_are_not_compared() {
    let good: Told = ("e", 5, "2", FIRST);
    let rest: Told = ("e", 5, "2", SECOND);
    assert_eq!(
        read_by_parts([good, rest]).await.unwrap(),
        KINDS[8].equal(2),
        "the script is right where it is not wrong on purpose"
    );
    for (what, parts) in [
        ("too little", [good, ("e", 4, "2", SECOND)]),
        ("too much", [good, ("e", 6, "2", SECOND)]),
        ("beyond the end", [("e", 11, "2", FIRST), rest]),
        ("huge", [("e", usize::MAX / 2, "2", FIRST), rest]),
        ("another count", [("e", 5, "3", FIRST), rest]),
        ("no checksum of four bytes", [("e", 5, "2", "AAAA"), rest]),
        (
            "the checksum of checksums with its count",
            [("e", 5, "2", "AAAAAA==-2"), rest],
        ),
        (
            "the checksum of checksums without its count",
            [("e", 5, "2", "AAAAAA=="), rest],
        ),
    ] {
        let check = read_by_parts(parts).await.unwrap();
        assert_eq!(check, ChecksumCheck::NotTold, "{what}");
    }
    let other = read_by_parts([good, ("e", 5, "2", FIRST)]).await;
    assert_mismatch(&other, "another checksum");
    let replaced = read_by_parts([("f", 5, "2", FIRST), rest])
        .await
        .unwrap_err();
    assert!(matches!(replaced, SourceError::Replaced), "{replaced:?}");
}

/// It ignores If-Match, and goes on with another object's bytes.
#[tokio::test]
async fn a_range_of_another_object_is_not_gone_on_with() {
    let (source, _s3) = source_of(|request| {
        if !request.to_ascii_lowercase().contains("\r\nrange:") {
            return answer("200 OK", "e", BYTES.len(), "", "01234");
        }
        answer(
            "206 Partial Content",
            "f",
            5,
            "Content-Range: bytes 5-9/10\r\n",
            "vwxyz",
        )
    })
    .await;
    let (_, mut body) = found(source.open(&name("k")).await.unwrap());
    let error = drain(&mut body).await.1.unwrap_err();
    assert!(matches!(error, SourceError::Replaced), "{error:?}");
}

/// The trap: a checksum in the answer to a range may be that of checksums. It is neither asked for nor looked at.
#[tokio::test]
async fn a_checksum_in_the_answer_to_a_range_is_not_compared() {
    let wrong = "x-amz-checksum-crc32: AAAAAA==\r\nx-amz-checksum-type: COMPOSITE\r\n";
    let (source, _s3) = source_of(move |request| {
        if !request.to_ascii_lowercase().contains("\r\nrange:") {
            return answer("200 OK", "e", BYTES.len(), "", "");
        }
        if request.to_ascii_lowercase().contains("checksum-mode") {
            return answer("400 Bad Request", "e", 0, "", "");
        }
        let headers = format!("Content-Range: bytes 0-9/10\r\n{wrong}");
        answer("206 Partial Content", "e", BYTES.len(), &headers, BYTES)
    })
    .await;
    let (_, mut body) = found(source.open(&name("k")).await.unwrap());
    let (bytes, check) = drain(&mut body).await;
    assert_eq!(check.unwrap(), ChecksumCheck::NotTold);
    assert_eq!(bytes, BYTES.as_bytes());
}
