//! The source alone, against the embedded S3: every byte is compared with S3's checksum, wherever
//! reading breaks off, goes back, or goes on in another process.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that panics has failed, as it should; test data is small"
)]

mod archive;
mod checkpoints;
mod odd_store;
mod parts;
mod ranges;
mod rewinding;
mod whole;

use bytes::Bytes;
use s3_to_sftp::object::{ObjectName, ObjectVersion};
use s3_to_sftp::source::{self, Body, ChecksumCheck, Digest, Found, ReadAhead, S3, SourceError};
use s3_to_sftp::transfer::Source as _;
use testkit::s3::{Action, Algorithm, Coverage, Request, S3Server};

const BUCKET: &str = "inbox";

struct World {
    s3: S3Server,
    source: S3,
}

/// How an object came into S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    algorithm: Algorithm,
    /// None: by one PUT.
    parts: Option<Coverage>,
}

/// Every kind that S3 has.
const KINDS: [Kind; 12] = {
    use Algorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    const fn kind(algorithm: Algorithm, parts: Option<Coverage>) -> Kind {
        Kind { algorithm, parts }
    }
    const FULL: Option<Coverage> = Some(Coverage::FullObject);
    const COMPOSITE: Option<Coverage> = Some(Coverage::Composite);
    [
        kind(Crc64Nvme, None),
        kind(Crc32, None),
        kind(Crc32c, None),
        kind(Sha1, None),
        kind(Sha256, None),
        kind(Crc64Nvme, FULL),
        kind(Crc32, FULL),
        kind(Crc32c, FULL),
        kind(Crc32, COMPOSITE),
        kind(Crc32c, COMPOSITE),
        kind(Sha1, COMPOSITE),
        kind(Sha256, COMPOSITE),
    ]
};

impl Kind {
    fn is_composite(self) -> bool {
        self.parts == Some(Coverage::Composite)
    }

    /// What the comparison has to say of an object in so many parts.
    fn equal(self, parts: usize) -> ChecksumCheck {
        let algorithm = match self.algorithm {
            Algorithm::Crc64Nvme => source::Algorithm::Crc64Nvme,
            Algorithm::Crc32 => source::Algorithm::Crc32,
            Algorithm::Crc32c => source::Algorithm::Crc32c,
            Algorithm::Sha1 => source::Algorithm::Sha1,
            Algorithm::Sha256 => source::Algorithm::Sha256,
        };
        if self.is_composite() {
            ChecksumCheck::EqualByPart {
                algorithm,
                parts: parts as u32,
            }
        } else {
            ChecksumCheck::Equal { algorithm }
        }
    }
}

impl World {
    async fn new() -> Self {
        let s3 = S3Server::start().await;
        s3.create_bucket(BUCKET);
        let source = S3::with_client(s3.client());
        Self { s3, source }
    }

    fn reading_ahead(self, read_ahead: ReadAhead) -> Self {
        Self {
            source: self.source.with_read_ahead(read_ahead),
            ..self
        }
    }

    /// Stores the bytes, cut into parts at `cuts` where it is a kind that has parts. Gives the number of parts.
    async fn put(&self, key: &str, kind: Kind, bytes: &Bytes, cuts: &[usize]) -> usize {
        let Some(coverage) = kind.parts else {
            let put = self.s3.client().put_object().bucket(BUCKET).key(key);
            put.checksum_algorithm(kind.algorithm.as_str().into())
                .body(bytes.clone().into())
                .send()
                .await
                .unwrap();
            return 1;
        };
        let mut parts = Vec::new();
        let mut start = 0;
        for end in cuts.iter().copied().chain([bytes.len()]) {
            parts.push(bytes.slice(start..end));
            start = end;
        }
        let count = parts.len();
        self.s3
            .put_multipart_with(BUCKET, key, parts, kind.algorithm, coverage);
        count
    }

    async fn open(&self, key: &str) -> (ObjectVersion, Box<Body>) {
        found(self.source.open(&name(key)).await.unwrap())
    }

    /// From the `number`th GET of a key on, `action` counts.
    fn at_get(&self, number: u64, action: impl Fn() -> Action + Send + 'static) {
        self.s3.hook(move |request: &Request| {
            if request.operation == "GetObject" && request.number == number {
                action()
            } else {
                Action::Pass
            }
        });
    }
}

fn name(key: &str) -> ObjectName {
    ObjectName {
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
    }
}

#[track_caller]
fn found(found: Found) -> (ObjectVersion, Box<Body>) {
    match found {
        Found::Object(version, body) => (version, body),
        Found::Nothing => panic!("there is an object"),
    }
}

/// Reads to the end, or to the error.
async fn drain(body: &mut Body) -> (Vec<u8>, Result<ChecksumCheck, SourceError>) {
    let mut bytes = Vec::new();
    loop {
        match body.next().await {
            Ok(Some(more)) => bytes.extend_from_slice(&more),
            Ok(None) => return (bytes, Ok(body.checksum())),
            Err(error) => return (bytes, Err(error)),
        }
    }
}

/// Reads until at least `offset` bytes are given out.
async fn read_to(body: &mut Body, offset: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while body.offset() < offset {
        bytes.extend_from_slice(&body.next().await.unwrap().unwrap());
    }
    bytes
}

#[track_caller]
fn assert_mismatch(result: &Result<ChecksumCheck, SourceError>, what: impl std::fmt::Debug) {
    assert!(
        matches!(result, Err(SourceError::Checksum { .. })),
        "{what:?}: {result:?}"
    );
}

fn crc64nvme(bytes: &[u8]) -> String {
    let mut digest = Digest::crc64nvme();
    digest.update(bytes);
    digest.checksum().to_string()
}
