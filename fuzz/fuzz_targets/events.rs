//! Any bytes as an event. JSON read by serde_json into a plain value is the second opinion.

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_to_sftp::event::batch_operations::BatchOperations;
use s3_to_sftp::event::{Event, EventError, Item, Message, parse};
use serde_json::{Value, json};

use fuzz::{assert_one_line, assert_one_line_each};

fuzz_target!(|bytes: &[u8]| {
    let event = parse(bytes);
    assert_eq!(event, parse(bytes), "the same bytes are the same event");
    if let Ok(text) = std::str::from_utf8(bytes) {
        takes_no_other_along(text);
        if let Ok(Event::Notification(items)) = &event {
            means_the_same_in_a_queue(text, items);
        }
    }
    match event {
        Err(error) => assert_one_line_each(&error),
        Ok(Event::Notification(items)) => items.iter().for_each(check_item),
        Ok(Event::Queue(messages)) => check_queue(bytes, &messages),
        Ok(Event::BatchOperations(batch)) => check_batch(bytes, &batch),
        Ok(Event::Sweep(Ok(sweep))) => {
            assert!(!sweep.bucket.is_empty() && !sweep.older_than.is_zero());
        }
        Ok(Event::Sweep(Err(refused))) => assert_one_line_each(&refused),
        Ok(Event::Check(_) | Event::Test) => {}
    }
});

/// Each message of a batch is there once, in its place, with its own id: by these ids failures are reported.
fn check_queue(bytes: &[u8], messages: &[Message]) {
    for message in messages {
        match &message.content {
            Ok(items) => items.iter().for_each(check_item),
            Err(error) => assert_one_line_each(error),
        }
        assert_eq!(
            message.body.is_none(),
            message.content == Err(EventError::NoBody)
        );
    }
    // It refuses what is read past here: numbers that no f64 holds, halves of surrogate pairs.
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let records = value["Records"].as_array().expect("a batch has records");
    assert_eq!(records.len(), messages.len());
    for (record, message) in records.iter().zip(messages) {
        assert_eq!(record["messageId"].as_str(), message.id.as_deref());
        assert_eq!(record["body"].as_str(), message.body.as_deref());
        assert_eq!(
            record["receiptHandle"].as_str(),
            message.receipt_handle.as_deref()
        );
    }
}

/// Each task gets an answer, which repeats what it came with.
fn check_batch(bytes: &[u8], batch: &BatchOperations) {
    for error in batch
        .tasks
        .iter()
        .filter_map(|task| task.target.as_ref().err())
    {
        assert_one_line_each(error);
    }
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    assert_eq!(value["invocationSchemaVersion"], batch.schema);
    assert_eq!(value["invocationId"], batch.invocation_id);
    let tasks = value["tasks"].as_array().expect("there are tasks");
    assert_eq!(tasks.len(), batch.tasks.len());
    for (value, task) in tasks.iter().zip(&batch.tasks) {
        let id = value["taskId"].as_str().filter(|id| !id.is_empty());
        assert_eq!(id, task.id.as_deref());
    }
}

fn check_item(item: &Item) {
    match item {
        Item::Job(job) => {
            assert!(!job.name.bucket.is_empty() && !job.name.key.is_empty());
            assert!(
                !(job.name.key.ends_with('/') && job.size == Some(0)),
                "a folder marker"
            );
            assert_ne!(job.version_id.as_deref(), Some(""));
            assert_ne!(job.sequencer.as_deref(), Some(""));
        }
        Item::Continued(hand_over) => {
            let again = parse(hand_over.message().as_bytes());
            assert_eq!(again, Ok(Event::Notification(vec![item.clone()])));
        }
        Item::Skipped { why, .. } => assert_one_line(why),
        Item::Refused(error) => assert_one_line_each(error),
    }
}

/// Whatever a message holds, the one beside it is delivered.
fn takes_no_other_along(body: &str) {
    let batch =
        json!({ "Records": [message("1", body), message("2", r#"{"bucket":"b","key":"k"}"#)] });
    let Ok(Event::Queue(messages)) = parse(batch.to_string().as_bytes()) else {
        panic!("a batch is one, whatever is in it");
    };
    assert_eq!(messages.len(), 2);
    let items = messages[1].content.as_ref().expect("it can be read");
    assert!(matches!(&items[..], [Item::Job(job)] if job.name.key == "k"));
}

/// A queue changes nothing of what is in its message, but for one wrapper more.
fn means_the_same_in_a_queue(body: &str, items: &[Item]) {
    let batch = json!({ "Records": [message("1", body)] });
    let Ok(Event::Queue(mut messages)) = parse(batch.to_string().as_bytes()) else {
        panic!("a batch is one, whatever is in it");
    };
    let content = messages.remove(0).content;
    let is_too_deep = |error: &EventError| matches!(error, EventError::TooDeep { .. });
    let some_are_too_deep = match &content {
        Err(error) => is_too_deep(error),
        Ok(items) => items
            .iter()
            .any(|item| matches!(item, Item::Refused(error) if is_too_deep(error))),
    };
    if !some_are_too_deep {
        assert_eq!(content.as_deref(), Ok(items));
    }
}

fn message(id: &str, body: &str) -> Value {
    json!({ "eventSource": "aws:sqs", "messageId": id, "body": body })
}
