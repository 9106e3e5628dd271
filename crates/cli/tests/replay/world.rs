//! What was given up, an S3, a server, and the command.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use testkit::aws_calls::{Answer, AwsCalls, Call};
use testkit::event::{self, ObjectRef};
use testkit::program::Ended;
use testkit::receipt;
use testkit::s3::S3Server;
use testkit::sftp::SftpServer;
use tokio::process::Command;

pub(crate) const BUCKET: &str = "inbox";
pub(crate) const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead";
pub(crate) const WHY: Option<(&str, &str)> =
    Some(("PermissionDenied", "s3://inbox/a: it was refused"));

/// A message as SQS has it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) why: Option<(&'static str, &'static str)>,
    pub(crate) is_hidden: bool,
    pub(crate) receives: u32,
}

/// A queue that does what SQS does: what is received is hidden until somebody says otherwise.
#[derive(Clone, Default)]
pub(crate) struct Queue(Arc<Mutex<Vec<Message>>>);

impl Queue {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, id: &str, body: &Value, why: Option<(&'static str, &'static str)>) {
        self.lock().push(Message {
            id: id.to_owned(),
            body: body.to_string(),
            why,
            is_hidden: false,
            receives: 0,
        });
    }

    /// Ids of what is in it, and whether all of it can be seen.
    pub(crate) fn left(&self) -> (Vec<String>, bool) {
        let messages = self.lock();
        let ids = messages.iter().map(|it| it.id.clone()).collect();
        (ids, messages.iter().all(|it| !it.is_hidden))
    }

    pub(crate) fn answer(&self, call: &Call) -> Answer {
        let mut messages = self.lock();
        let of_handle = |handle: &Value| {
            let handle = handle.as_str().expect("a handle").to_owned();
            move |it: &Message| handle == format!("{}/{}", it.id, it.receives)
        };
        match call.action.as_str() {
            "ReceiveMessage" => {
                let visible = messages.iter_mut().filter(|it| !it.is_hidden).take(10);
                let received = visible.map(|message| {
                    message.is_hidden = true;
                    message.receives += 1;
                    let attributes = message.why.map(|(kind, why)| {
                        let text = |text| json!({ "DataType": "String", "StringValue": text });
                        json!({ "ErrorType": text(kind), "ErrorMessage": text(why) })
                    });
                    json!({
                        "MessageId": message.id,
                        "ReceiptHandle": format!("{}/{}", message.id, message.receives),
                        "Body": message.body,
                        "MessageAttributes": attributes.unwrap_or_else(|| json!({})),
                    })
                });
                Answer::Body(json!({ "Messages": received.collect::<Vec<_>>() }))
            }
            "DeleteMessage" => {
                let is_it = of_handle(&call.body["ReceiptHandle"]);
                messages.retain(|message| !is_it(message));
                Answer::Body(json!({}))
            }
            "ChangeMessageVisibilityBatch" => {
                for entry in call.body["Entries"].as_array().expect("entries") {
                    assert_eq!(entry["VisibilityTimeout"], 0);
                    let is_it = of_handle(&entry["ReceiptHandle"]);
                    let found = messages.iter_mut().find(|message| is_it(message));
                    found.expect("the handle of its last receive").is_hidden = false;
                }
                Answer::Body(json!({ "Successful": [], "Failed": [] }))
            }
            other => panic!("{other} is not expected"),
        }
    }
}

pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) sftp: SftpServer,
    pub(crate) aws: AwsCalls,
    pub(crate) queue: Queue,
}

impl World {
    pub(crate) async fn new() -> Self {
        let s3 = S3Server::start().await;
        s3.create_bucket(BUCKET);
        let (aws, queue) = (AwsCalls::start().await, Queue::default());
        let answering = queue.clone();
        aws.answer(move |call| answering.answer(call));
        Self {
            s3,
            sftp: SftpServer::start().await,
            aws,
            queue,
        }
    }

    /// Stores an object; the event of it.
    pub(crate) fn uploaded(&self, key: &str) -> Value {
        let stored = self.s3.put(BUCKET, key, key.to_owned());
        event::notification(BUCKET, &[ObjectRef::stored(key, &stored)])
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
        command
            .arg("replay")
            .args(arguments)
            .env_clear()
            .envs(self.s3.env())
            .envs(self.aws.env())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.sftp.account().env());
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments)).await
    }

    /// Delivers what a place holds. What it prints is held to the schema.
    pub(crate) async fn replay(&self, place: &str) -> Ended {
        let ended = self.run(&["--yes", "--json", place]).await;
        records(&ended);
        ended
    }
}

/// The records that were printed, beside what is told of each letter.
pub(crate) fn records(ended: &Ended) -> Vec<Value> {
    receipt::of_lines(&ended.stdout, |line| line["message"].is_string())
}
