//! An event of 5,000 messages is read in under 50 ms and 32 MiB.
//!
//! A process of its own, for its allocator counts: what is read here is all that is allocated. The time is the best of
//! some rounds, since other programs run on this machine too; the bytes are the same each time.
//!
//! The time holds for what ships (`cargo test --release -p s3-to-sftp --test large_event -- --nocapture` shows it). A build
//! without optimisation may take [`FACTOR`] times as long; no event of this size may take that much more.

#![expect(
    clippy::print_stdout,
    reason = "a measurement is worth telling, with --nocapture"
)]

use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use s3_to_sftp::event::{self, Event, Item};
use serde_json::{Value, json};
use testkit::event::{ObjectRef, eventbridge, notification, sns_envelope, sqs_message};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MESSAGES: usize = 5_000;
const MOST_TIME: Duration = Duration::from_millis(50);
const MOST_MEMORY: usize = 32 * 1024 * 1024;

/// How much slower a debug build may be.
const FACTOR: u32 = if cfg!(debug_assertions) { 20 } else { 1 };

/// Reads it some times: the least time, and the most memory, the event's own bytes included.
fn read(name: &str, bytes: &[u8]) {
    let (mut time, mut memory) = (Duration::MAX, 0);
    for _ in 0..5 {
        ALLOCATOR.reset_peak_usage();
        let before = ALLOCATOR.current_usage();
        let begin = Instant::now();
        let event = event::parse(bytes).expect("an event");
        time = time.min(begin.elapsed());
        memory = memory.max(ALLOCATOR.peak_usage() - before + bytes.len());
        assert_eq!(jobs(&event), MESSAGES, "{name}");
    }
    println!(
        "{name}: {} bytes, {time:?}, {memory} bytes of memory",
        bytes.len()
    );
    assert!(memory < MOST_MEMORY, "{name}: {memory} bytes");
    let least = bytes.len() + MESSAGES * 100;
    assert!(memory > least, "{name}: the measurement measures");
    assert!(time < MOST_TIME * FACTOR, "{name}: {time:?}");
}

fn jobs(event: &Event) -> usize {
    let count = |items: &[Item]| items.iter().filter(|it| matches!(it, Item::Job(_))).count();
    match event {
        Event::Queue(messages) => messages
            .iter()
            .map(|it| it.content.as_deref().map_or(0, count))
            .sum(),
        Event::Notification(items) => count(items),
        Event::Test | Event::BatchOperations(_) | Event::Sweep(_) | Event::Check(_) => 0,
    }
}

fn objects() -> impl Iterator<Item = ObjectRef> {
    (0..MESSAGES).map(|number| {
        let key = format!("in/2026/11/22/a report with a long name {number:05}.csv");
        ObjectRef::new(key, 10_240, "9b2cf535f27731c974343645a3985328")
    })
}

fn batch(body: impl Fn(&ObjectRef) -> Value) -> Vec<u8> {
    let message = |(number, object): (usize, ObjectRef)| {
        let id = format!("19dd0b57-b21e-4ac1-bd88-{number:012}");
        sqs_message(&id, &body(&object).to_string(), 1)
    };
    let messages: Vec<Value> = (0..).zip(objects()).map(message).collect();
    json!({ "Records": messages }).to_string().into_bytes()
}

/// One after the other, for the time as for the memory: so all of them are one test.
#[test]
fn an_event_of_5_000_messages_is_read_in_under_50_ms_and_32_mib() {
    let of_s3 = |object: &ObjectRef| notification("inbox", std::slice::from_ref(object));
    read("S3 in SQS", &batch(of_s3));
    read(
        "S3 in SNS in SQS",
        &batch(|object| sns_envelope(&of_s3(object).to_string())),
    );
    read(
        "EventBridge in SQS",
        &batch(|object| eventbridge("inbox", object)),
    );
    let objects: Vec<ObjectRef> = objects().collect();
    let direct = notification("inbox", &objects).to_string();
    read("S3", direct.as_bytes());
    let list = objects
        .iter()
        .map(|object| format!("s3://inbox/{}", object.key));
    let list = Value::from(list.collect::<Vec<String>>()).to_string();
    read("a list", list.as_bytes());
}
