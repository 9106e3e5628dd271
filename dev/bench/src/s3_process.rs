//! The embedded S3 in a process of its own, so that its time is not counted with anybody else's.
//!
//! It is this program with a hidden argument. Orders are lines of JSON on its standard input, one line of JSON answers
//! each; it ends with its input.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::event::{self, ObjectRef};
use testkit::s3::{Algorithm, Coverage, S3Server};

use crate::payload::Payload;
use crate::proc;

/// The argument that makes this program the server.
pub const ARGUMENT: &str = "serve-s3";

/// Where the objects are that are delivered.
pub(crate) const BUCKET: &str = "inbox";
/// Where the private key is.
pub(crate) const SECRETS: &str = "secrets";

/// What the AWS command line and the consoles upload large objects in.
const PART: u64 = 8 << 20;

/// A running one.
pub(crate) struct S3Process {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    endpoint: String,
}

impl S3Process {
    pub(crate) fn start(program: &Path) -> Result<Self, String> {
        let mut child = Command::new(program)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start the S3: {error}"))?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let mut it = Self {
            child,
            orders,
            answers: BufReader::new(answers.ok_or("the S3 has no standard output")?),
            endpoint: String::new(),
        };
        let greeting = it.answer()?;
        it.endpoint = greeting.as_str().unwrap_or_default().to_owned();
        Ok(it)
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stores a text beside the objects.
    pub(crate) fn put_secret(&mut self, key: &str, text: &str) -> Result<(), String> {
        self.order(&json!({ "secret": key, "text": text }))?;
        Ok(())
    }

    /// Stores a payload as the bucket's only content, and answers the notification that tells of it.
    pub(crate) fn put(&mut self, payload: Payload) -> Result<Value, String> {
        self.order(&json!({ "files": payload.files, "bytes": payload.bytes }))
    }

    /// How many objects the bucket has.
    pub(crate) fn count(&mut self) -> Result<u64, String> {
        let count = self.order(&json!("count"))?;
        count.as_u64().ok_or_else(|| "not a number".to_owned())
    }

    /// Its time on processors until now.
    pub(crate) fn cpu(&self) -> Duration {
        proc::cpu(self.child.id()).unwrap_or_default().own
    }

    fn order(&mut self, order: &Value) -> Result<Value, String> {
        let orders = self.orders.as_mut().ok_or("the S3 takes no orders")?;
        writeln!(orders, "{order}")
            .and_then(|()| orders.flush())
            .map_err(|error| format!("the S3 is gone: {error}"))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .map_err(|error| format!("the S3 is gone: {error}"))?;
        serde_json::from_str(&line).map_err(|error| format!("the S3 answered {line:?}: {error}"))
    }
}

impl Drop for S3Process {
    fn drop(&mut self) {
        // With its input it ends by itself.
        drop(self.orders.take());
        self.child.wait().ok();
    }
}

/// The server's side: until standard input ends.
///
/// # Errors
///
/// What standard input or output answer; an order that is none.
pub async fn serve() -> io::Result<()> {
    let s3 = S3Server::start().await;
    s3.create_bucket(BUCKET);
    s3.create_bucket(SECRETS);
    say(&json!(s3.endpoint()))?;
    // The server has threads of the runtime; this one may wait.
    for line in io::stdin().lock().lines() {
        say(&obey(&s3, &serde_json::from_str(&line?)?))?;
    }
    Ok(())
}

fn obey(s3: &S3Server, order: &Value) -> Value {
    if let (Some(key), Some(text)) = (order["secret"].as_str(), order["text"].as_str()) {
        s3.put(SECRETS, key, text.to_owned());
        return Value::Null;
    }
    let (Some(files), Some(bytes)) = (order["files"].as_u64(), order["bytes"].as_u64()) else {
        return json!(s3.keys(BUCKET).len());
    };
    s3.forget_requests();
    for key in s3.keys(BUCKET) {
        s3.delete(BUCKET, &key);
    }
    let payload = Payload { files, bytes };
    let objects: Vec<_> = (0..)
        .zip(payload.names())
        .map(|(number, key)| {
            let stored = if payload.is_ramp() {
                // Its ETag is that of a multipart upload: rclone takes any other one for the MD5 of the bytes.
                let whole = (Algorithm::Crc64Nvme, Coverage::FullObject);
                s3.put_generated_multipart(BUCKET, &key, bytes, PART, whole.0, whole.1)
            } else {
                s3.put(BUCKET, &key, payload.content(number))
            };
            ObjectRef::stored(key, &stored)
        })
        .collect();
    event::notification(BUCKET, &objects)
}

fn say(answer: &Value) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{answer}")?;
    out.flush()
}
