//! MiniStack's Transfer Family server: SFTP before a bucket, as AWS sells it. A file is kept in memory, a copy for each handle,
//! and put into the bucket at CLOSE.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ministack::MiniStack;
use super::{Missing, free_port};
use crate::account::Account;

const USERNAME: &str = "acme";

/// What the user's home is.
const BUCKET: &str = "outbox";

/// A running server. Its user logs in by key, and begins in the bucket.
pub struct Transfer {
    account: Account,
    s3: aws_sdk_s3::Client,
    ministack: MiniStack,
}

impl Transfer {
    /// Starts MiniStack, and makes the server, its user and the bucket.
    ///
    /// # Errors
    ///
    /// As [`MiniStack::start`].
    ///
    /// # Panics
    ///
    /// When MiniStack does not do what it is asked for, with what it wrote.
    pub async fn start() -> Result<Self, Missing> {
        let port = free_port();
        let (ministack, keys) = MiniStack::start_for_transfer(port).await?;
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(ministack.endpoint())
            .force_path_style(true)
            .build();
        let s3 = aws_sdk_s3::Client::from_conf(config);
        let made = s3.create_bucket().bucket(BUCKET).send().await;
        made.expect("MiniStack makes buckets");
        let server = call(
            &ministack,
            "CreateServer",
            &json!({ "Protocols": ["SFTP"] }),
        )
        .await;
        let user = json!({
            "ServerId": server["ServerId"],
            "UserName": USERNAME,
            "HomeDirectory": format!("/{BUCKET}"),
            "Role": "arn:aws:iam::000000000000:role/transfer",
            "SshPublicKeyBody": keys.user_public,
        });
        call(&ministack, "CreateUser", &user).await;
        let account = Account {
            host: "127.0.0.1".into(),
            port,
            username: USERNAME.into(),
            password: None,
            private_key: Some(keys.user),
            host_key: keys.host,
            home: "/".into(),
            dir: None,
        };
        Ok(Self {
            account,
            s3,
            ministack,
        })
    }

    /// What a client needs to log in. Its home is no directory of this machine: see [`bucket`](Self::bucket).
    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// Where files land.
    pub fn bucket(&self) -> (aws_sdk_s3::Client, &'static str) {
        (self.s3.clone(), BUCKET)
    }

    /// What it wrote.
    pub fn logs(&self) -> String {
        self.ministack.logs()
    }
}

/// A request of AWS's JSON protocol; the SDK for it would be a further one to build.
async fn call(ministack: &MiniStack, action: &str, request: &Value) -> Value {
    let endpoint = ministack.endpoint().trim_start_matches("http://");
    let request = request.to_string();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: TransferService.{action}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/transfer/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Length: {}\r\n\r\n",
        request.len()
    );
    let mut stream = TcpStream::connect(endpoint).await.expect("it listens");
    let sent = stream.write_all((head + &request).as_bytes()).await;
    sent.expect("it takes the request");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    read.expect("it answers");
    let answer = String::from_utf8_lossy(&answer);
    let body = answer.find('{').zip(answer.rfind('}'));
    let body = body.map(|(from, to)| &answer[from..=to]);
    assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
    serde_json::from_str(body.unwrap_or_default()).unwrap_or_else(|_| panic!("{action}: {answer}"))
}
