//! `s3-to-sftp replay`: what was given up, listed and delivered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use testkit::aws_calls::{Answer, AwsCalls, Call};
use testkit::event::{self, ObjectRef};
use testkit::program::Ended;
use testkit::s3::S3Server;
use testkit::sftp::{Action, Operation, SftpServer, once, status};
use tokio::process::Command;

const BUCKET: &str = "inbox";
const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead";

/// A message as SQS has it.
#[derive(Debug, Clone)]
struct Message {
    id: String,
    body: String,
    why: Option<(&'static str, &'static str)>,
    is_hidden: bool,
    receives: u32,
}

/// A queue that does what SQS does: what is received is hidden until somebody says otherwise.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Vec<Message>>>);

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, id: &str, body: &Value, why: Option<(&'static str, &'static str)>) {
        self.lock().push(Message {
            id: id.to_owned(),
            body: body.to_string(),
            why,
            is_hidden: false,
            receives: 0,
        });
    }

    /// Ids of what is in it, and whether all of it can be seen.
    fn left(&self) -> (Vec<String>, bool) {
        let messages = self.lock();
        let ids = messages.iter().map(|it| it.id.clone()).collect();
        (ids, messages.iter().all(|it| !it.is_hidden))
    }

    fn answer(&self, call: &Call) -> Answer {
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

struct World {
    s3: S3Server,
    sftp: SftpServer,
    aws: AwsCalls,
    queue: Queue,
}

impl World {
    async fn new() -> Self {
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
    fn uploaded(&self, key: &str) -> Value {
        let stored = self.s3.put(BUCKET, key, key.to_owned());
        event::notification(BUCKET, &[ObjectRef::stored(key, &stored)])
    }

    fn command(&self, arguments: &[&str]) -> Command {
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

    async fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments)).await
    }
}

const WHY: Option<(&str, &str)> = Some(("PermissionDenied", "s3://inbox/a: it was refused"));

#[tokio::test]
async fn what_was_given_up_is_listed_with_its_reasons_and_stays() {
    let world = World::new().await;
    world.queue.put("own", &world.uploaded("a"), WHY);
    let of_lambda = json!({
        "version": "1.0",
        "requestContext": { "condition": "RetriesExhausted" },
        "requestPayload": world.uploaded("b c"),
        "responsePayload": { "errorType": "LoginRefused", "errorMessage": "no" },
    });
    world.queue.put("lambda's", &of_lambda, None);
    world.queue.put("garbage", &json!("no event"), None);
    for number in 0..20 {
        world
            .queue
            .put(&number.to_string(), &world.uploaded("d"), WHY);
    }
    let ended = world.run(&[QUEUE]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        lines[..6],
        [
            "own s3://inbox/a",
            "    PermissionDenied: s3://inbox/a: it was refused",
            "lambda's s3://inbox/b c",
            "    LoginRefused: no",
            "garbage nothing that is understood",
            "    no reason is told",
        ]
    );
    assert_eq!(lines.len(), 2 * 23);
    assert!(
        ended.stderr.contains("23 messages; --yes delivers"),
        "{ended:?}"
    );
    let (ids, are_seen) = world.queue.left();
    assert_eq!((ids.len(), are_seen), (23, true));
    assert_eq!(world.sftp.connections(), 0);
    let regions = world.aws.of("ReceiveMessage");
    assert_eq!(regions[0].region.as_deref(), Some("eu-central-1"));

    let ended = world.run(&["--json", QUEUE]).await;
    let first: Value =
        serde_json::from_str(ended.stdout.lines().next().expect("a line")).expect("JSON");
    let expected = json!({
        "message": "own", "error_type": "PermissionDenied", "error": "s3://inbox/a: it was refused",
        "objects": ["s3://inbox/a"],
    });
    assert_eq!(first, expected);
}

#[tokio::test]
async fn a_message_is_deleted_only_when_all_that_it_names_is_delivered() {
    let world = World::new().await;
    world.queue.put("well", &world.uploaded("a"), WHY);
    let both = ["b", "bad"].map(|key| ObjectRef::stored(key, &world.s3.put(BUCKET, key, key)));
    world
        .queue
        .put("half", &event::notification(BUCKET, &both), WHY);
    world.queue.put(
        "gone",
        &event::notification(BUCKET, &[ObjectRef::new("gone", 1, "etag")]),
        WHY,
    );
    world.queue.put("garbage", &json!("no event"), None);
    world.queue.put(
        "sweep",
        &json!({ "sweep": "s3://inbox/", "older_than": "1d" }),
        None,
    );
    let refuse = |request: &testkit::sftp::Request| {
        let is_bad = request
            .path
            .as_deref()
            .is_some_and(|path| path.contains(".bad."));
        if request.operation == Operation::Open && is_bad {
            Action::refuse(status::PERMISSION_DENIED)
        } else {
            Action::Pass
        }
    };
    world.sftp.hook(refuse);
    let ended = world.run(&["--yes", QUEUE]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let (mut ids, are_seen) = world.queue.left();
    ids.sort();
    assert_eq!(ids, ["garbage", "half", "sweep"]);
    assert!(are_seen, "what is left is there for others at once");
    assert_eq!(
        world.s3.keys(BUCKET),
        ["bad"],
        "as the function: sources are deleted"
    );
    assert!(
        ended.stderr.contains("invoke the function with it"),
        "{ended:?}"
    );

    world.sftp.clear_hooks();
    world.queue.lock().retain(|message| message.id == "half");
    let ended = world.run(&["--yes", QUEUE]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(world.queue.left().0.is_empty());
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
    let ended = world.run(&["--yes", QUEUE]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("is empty"), "{ended:?}");
}

/// The delivery stands, and the message comes again: then its object is gone.
#[tokio::test]
async fn a_message_that_cannot_be_deleted_is_told() {
    let world = World::new().await;
    world.queue.put("m", &world.uploaded("a"), WHY);
    let queue = world.queue.clone();
    world.aws.answer(move |call| match call.action.as_str() {
        "DeleteMessage" => Answer::Said(400, "AccessDenied", "no"),
        _ => queue.answer(call),
    });
    let ended = world.run(&["--yes", QUEUE]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("message m is done, and comes again"),
        "{ended:?}"
    );
    assert!(
        ended.stderr.contains("grant sqs:DeleteMessage"),
        "{ended:?}"
    );
    assert_eq!(world.queue.left(), (vec!["m".to_owned()], true));
}

#[tokio::test]
async fn a_queue_that_cannot_be_read_is_named_with_the_next_step() {
    let world = World::new().await;
    for (code, next) in [
        ("AccessDenied", "grant sqs:ReceiveMessage"),
        ("QueueDoesNotExist", "check the URL"),
    ] {
        world.aws.answer(move |_| Answer::Said(400, code, "no"));
        for arguments in [&[QUEUE][..], &["--yes", QUEUE]] {
            let ended = world.run(arguments).await;
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(
                ended.stderr.contains(QUEUE) && ended.stderr.contains(next),
                "{ended:?}"
            );
            assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        }
    }
    for queue in ["arn:aws:sqs:eu-central-1:123456789012:dead", "dead", ""] {
        let ended = world.run(&[queue]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(
            ended.stderr.contains("expected the URL of a queue"),
            "{ended:?}"
        );
    }
}

/// The server fails once, and the message stays; it is not tried again in the same run.
#[tokio::test]
async fn what_fails_is_tried_once() {
    let world = World::new().await;
    world.queue.put("m", &world.uploaded("a"), WHY);
    world
        .sftp
        .hook(once(Operation::Open, || Action::refuse(status::FAILURE)));
    let ended = world.run(&["--yes", QUEUE]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(world.queue.left(), (vec!["m".to_owned()], true));
    assert!(world.s3.exists(BUCKET, "a"));
}

#[cfg(feature = "real-servers")]
mod real {
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
    use testkit::servers::MiniStack;

    use super::*;

    /// Messages that can be seen, and that are hidden.
    async fn held(sqs: &aws_sdk_sqs::Client, url: &str) -> (String, String) {
        let (seen, hidden) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let request = sqs.get_queue_attributes().queue_url(url);
        let request = request
            .attribute_names(seen.clone())
            .attribute_names(hidden.clone());
        let answer = request.send().await.expect("MiniStack tells");
        let number = |name| answer.attributes().and_then(|it| it.get(&name)).cloned();
        (
            number(seen).unwrap_or_default(),
            number(hidden).unwrap_or_default(),
        )
    }

    #[tokio::test]
    async fn a_queue_of_ministack_is_listed_and_replayed() {
        let ministack = MiniStack::start()
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(ministack.endpoint())
            .build();
        let sqs = aws_sdk_sqs::Client::from_conf(config);
        let created = sqs.create_queue().queue_name("dead").send().await;
        let url = created.expect("it is made").queue_url.expect("its URL");
        let world = World::new().await;
        for number in 0..23 {
            let why = MessageAttributeValue::builder()
                .data_type("String")
                .string_value("LoginRefused")
                .build()
                .expect("a type");
            let body = world.uploaded(&format!("in/{number}")).to_string();
            let request = sqs.send_message().queue_url(&url).message_body(body);
            let sent = request.message_attributes("ErrorType", why).send().await;
            sent.expect("MiniStack takes it");
        }
        let run = async |arguments: &[&str]| {
            let mut command = world.command(arguments);
            command.env("AWS_ENDPOINT_URL_SQS", ministack.endpoint());
            Ended::of(command).await
        };
        let ended = run(&[&url]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(
            ended.stdout.matches("LoginRefused").count(),
            23,
            "{ended:?}"
        );
        assert_eq!(held(&sqs, &url).await, ("23".into(), "0".into()));
        let ended = run(&["--yes", &url]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.stdout.matches("delivered s3://inbox/in/").count(), 23);
        assert_eq!(held(&sqs, &url).await, ("0".into(), "0".into()));
        assert_eq!(world.s3.keys(BUCKET), [""; 0]);
    }
}
