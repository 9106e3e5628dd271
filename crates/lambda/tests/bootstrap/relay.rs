//! What does not fit into one invocation goes on in the next.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::aws_calls::{Answer, AwsCalls};
use testkit::event::{self, QUEUE_ARN};
use testkit::payload;
use testkit::runtime_api::Invocation;
use testkit::s3;
use testkit::sftp::Operation;

use crate::world::{BUCKET, World};

/// Little, for a test, and above the second that is the least to be set aside for the end.
const SHORT: Duration = Duration::from_secs(3);

pub(crate) const SIZE: usize = 1_000_000;

/// Has S3 send so slowly that no invocation of [`SHORT`] gets to the end.
pub(crate) fn slow(world: &World) {
    world.s3.hook(|request| {
        if request.operation == "GetObject" && request.key.contains("slow") {
            s3::Action::Slow {
                bytes_per_second: 300_000,
            }
        } else {
            s3::Action::Pass
        }
    });
}

/// A batch of one message, received for the first time.
pub(crate) fn batch(id: &str, body: &str) -> Value {
    event::sqs(&[(id, body)])
}

/// Runs an invocation that is too short, and takes what it handed over from the queue.
pub(crate) async fn handed_over(world: &World) -> Value {
    slow(world);
    let event = world.uploaded("slow", payload::ramp(SIZE));
    let batch = batch("first", &event.to_string());
    let outcome = world.api.run(&Invocation::new(batch).time(SHORT)).await;
    assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));
    world.s3.clear_hooks();
    assert!(world.has_source("slow"));
    let [body] = &sent(&world.aws)[..] else {
        panic!("one message, not {:?}", world.aws.actions());
    };
    serde_json::from_str(body).expect("JSON")
}

/// The bodies that were put into queues.
pub(crate) fn sent(aws: &AwsCalls) -> Vec<String> {
    let calls = aws.of("SendMessage");
    let bodies = calls
        .iter()
        .map(|call| call.body["MessageBody"].as_str().expect("text").to_owned());
    bodies.collect()
}

pub(crate) fn assert_delivered(world: &World) {
    assert!(world.file("slow") == payload::ramp(SIZE), "byte by byte");
    world.assert_tree(&["slow"]);
    assert!(!world.has_source("slow"));
}

#[tokio::test]
async fn a_queue_s_message_is_gone_on_with_by_a_new_message_in_the_same_queue() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let message = handed_over(&world).await;
    let call = world.aws.of("SendMessage").remove(0);
    assert_eq!(
        call.body["QueueUrl"],
        "https://sqs.us-east-1.amazonaws.com/123456789012/inbox"
    );
    assert_eq!(
        world.aws.actions(),
        ["SendMessage"],
        "nothing was asked for"
    );
    let begun = message["s3-to-sftp"]["begun"]["from"]["offset"].as_u64();
    let begun = begun.expect("an offset");
    assert!(begun > 0);

    let before = world.sftp.requests_of(Operation::Write).len();
    let outcome = world
        .api
        .invoke(batch("second", &message.to_string()))
        .await;
    assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));
    assert_delivered(&world);
    let writes = world.sftp.requests_of(Operation::Write);
    assert_eq!(writes[before].offset, begun, "nothing is sent twice");
    bootstrap
        .wait_for_line(|line| line.contains(r#""hops":1"#))
        .await;
}

#[tokio::test]
async fn a_direct_event_is_gone_on_with_by_the_function_itself() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    slow(&world);
    let event = world.uploaded("slow", payload::ramp(SIZE));
    let outcome = world.api.run(&Invocation::new(event).time(SHORT)).await;
    assert_eq!(outcome.response()["continued"], 1);
    assert_eq!(outcome.response()["delivered"], 0);
    world.s3.clear_hooks();
    let [call] = &world.aws.of("Invoke")[..] else {
        panic!("one invocation, not {:?}", world.aws.actions());
    };
    assert_eq!(
        call.path,
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Atestkit/invocations"
    );
    // To wait for its answer would be to pay for both.
    assert_eq!(call.invocation_type.as_deref(), Some("Event"));

    let outcome = world.api.invoke(call.body.clone()).await;
    assert_eq!(outcome.response()["delivered"], 1);
    assert_eq!(outcome.response()["receipts"][0]["hops"], 1);
    assert_delivered(&world);
}

#[tokio::test]
async fn without_permission_to_send_the_message_fails_and_names_it() {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    slow(&world);
    world.aws.answer(|call| match call.action.as_str() {
        "SendMessage" => Answer::Refused(403, "AccessDenied"),
        _ => Answer::Well,
    });
    let event = world.uploaded("slow", payload::ramp(SIZE));
    let batch = batch("first", &event.to_string());
    let outcome = world.api.run(&Invocation::new(batch).time(SHORT)).await;
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "first" }] });
    assert_eq!(outcome.response(), &failed);
    bootstrap
        .wait_for_line(|line| {
            line.contains("HandOverFailed")
                && line.contains(&format!(
                    "grant the function's role sqs:SendMessage on {QUEUE_ARN}"
                ))
        })
        .await;
    world.assert_tree(&[]);
    assert!(world.has_source("slow"));
}

#[tokio::test]
async fn without_permission_to_invoke_itself_the_invocation_fails_and_names_it() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    slow(&world);
    world
        .aws
        .answer(|_| Answer::Refused(403, "AccessDeniedException"));
    let event = world.uploaded("slow", payload::ramp(SIZE));
    let outcome = world.api.run(&Invocation::new(event).time(SHORT)).await;
    let (error_type, message) = outcome.error();
    assert_eq!(error_type, "HandOverFailed");
    let permission =
        "lambda:InvokeFunction on arn:aws:lambda:us-east-1:000000000000:function:testkit";
    assert!(message.contains(permission), "{message}");
    world.assert_tree(&[]);
    assert!(world.has_source("slow"));
}

/// An emulator's queues, and those of a partition that this program has not heard of.
#[tokio::test]
async fn a_queue_s_url_is_asked_for_once_where_the_arn_does_not_tell_it() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    world.aws.answer(|call| {
        let url = call.body["QueueUrl"].as_str().unwrap_or_default();
        if url.contains("amazonaws.com") {
            Answer::Refused(400, "QueueDoesNotExist")
        } else {
            Answer::Well
        }
    });
    slow(&world);
    for key in ["slow", "slow too"] {
        let event = world.uploaded(key, payload::ramp(SIZE));
        let batch = batch(key, &event.to_string());
        let outcome = world.api.run(&Invocation::new(batch).time(SHORT)).await;
        assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));
    }
    let actions = ["SendMessage", "GetQueueUrl", "SendMessage", "SendMessage"];
    assert_eq!(world.aws.actions(), actions);
    let asked = &world.aws.of("GetQueueUrl")[0].body;
    assert_eq!(asked["QueueName"], "inbox");
    assert_eq!(asked["QueueOwnerAWSAccountId"], "123456789012");
    let last = &world.aws.of("SendMessage")[2].body;
    assert_eq!(last["QueueUrl"], "http://queues.test/looked-up");
}

/// A new message has a receive count of its own: to be the last of ten large objects costs no attempt.
#[tokio::test]
async fn what_was_not_begun_is_handed_back_with_its_hop_unchanged() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("SSH_MAX_FILES", "1")]);
    let mut begun = handed_over(&world).await;
    begun["s3-to-sftp"]["hop"] = json!(7);
    slow(&world);
    let first = world.uploaded("slow first", payload::ramp(SIZE));
    let never = world.uploaded("never begun", "1");
    let messages = [
        ("first", first.to_string()),
        ("begun before", begun.to_string()),
        ("never", never.to_string()),
    ];
    let batch = event::sqs(&messages);
    let outcome = world.api.run(&Invocation::new(batch).time(SHORT)).await;
    assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));

    let sent: Vec<Value> = sent(&world.aws)
        .iter()
        .map(|body| serde_json::from_str(body).expect("JSON"))
        .collect();
    let [_, first, begun_before, never] = &sent[..] else {
        panic!("four messages, not {sent:#?}");
    };
    assert_eq!(first["s3-to-sftp"]["key"], "slow first");
    assert_eq!(first["s3-to-sftp"]["hop"], 1);
    assert_eq!(begun_before, &begun);
    let expected = json!({ "layout": 1, "bucket": BUCKET, "key": "never begun", "hop": 0, "put": never["s3-to-sftp"]["put"] });
    assert!(expected["put"].is_i64(), "its event told when: {never}");
    assert_eq!(never["s3-to-sftp"], expected);

    // Its turn comes.
    let outcome = world.api.invoke(batch_of(never)).await;
    assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));
    assert_eq!(world.file("never begun"), b"1");
    assert!(!world.has_source("never begun"));
}

fn batch_of(message: &Value) -> Value {
    batch("again", &message.to_string())
}

#[tokio::test]
async fn an_sqs_that_does_not_answer_ends_before_lambdas_deadline() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    slow(&world);
    world.aws.answer(|_| Answer::Silence);
    let event = world.uploaded("slow", payload::ramp(SIZE));
    let batch = batch("first", &event.to_string());
    let outcome = world.api.run(&Invocation::new(batch).time(SHORT)).await;
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "first" }] });
    assert_eq!(outcome.response(), &failed);
    assert!(world.has_source("slow"));
}
