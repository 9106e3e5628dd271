//! Notifications as S3 sends them, and the envelopes that they travel in.
//!
//! Field by field after the user guide's "Event message structure", version 2.6. Account, region and queue are made up.

use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::s3::{REGION, StoredVersion, hex, md5};

/// The account that all ARNs name.
pub const ACCOUNT: &str = "123456789012";
/// The queue that [`sqs`] claims to have read from.
pub const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:123456789012:inbox";
/// The topic that [`sns`] claims to have received from.
pub const TOPIC_ARN: &str = "arn:aws:sns:us-east-1:123456789012:inbox";

const INSTANT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What a notification says about an object.
#[derive(Debug, Clone)]
pub struct ObjectRef {
    /// As it is, not encoded.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Where the bucket keeps versions.
    pub version_id: Option<String>,
    /// `ObjectCreated:Put`, without the `s3:` of the configuration.
    pub event_name: String,
    /// Hexadecimal; orders the events of one key.
    pub sequencer: String,
    /// When it happened.
    pub time: SystemTime,
}

impl ObjectRef {
    /// An object that was put.
    #[must_use]
    pub fn new(key: impl Into<String>, size: u64, etag: &str) -> Self {
        Self {
            key: key.into(),
            size,
            etag: etag.trim_matches('"').to_owned(),
            version_id: None,
            event_name: "ObjectCreated:Put".to_owned(),
            sequencer: "0055AED6DCD90281E5".to_owned(),
            time: SystemTime::now(),
        }
    }

    /// What the embedded S3 stored under `key`.
    #[must_use]
    pub fn stored(key: impl Into<String>, stored: &StoredVersion) -> Self {
        let multipart = stored.etag.contains('-');
        let event = if multipart {
            "ObjectCreated:CompleteMultipartUpload"
        } else {
            "ObjectCreated:Put"
        };
        let object = Self::new(key, stored.size, &stored.etag).named(event);
        Self {
            version_id: stored.version_id.clone(),
            time: stored.last_modified,
            ..object
        }
    }

    /// Another event name: `ObjectCreated:Copy`, `ObjectRemoved:Delete`.
    #[must_use]
    pub fn named(self, event_name: &str) -> Self {
        Self {
            event_name: event_name.to_owned(),
            ..self
        }
    }

    /// Another place in the order of the key's events.
    #[must_use]
    pub fn sequenced(self, sequencer: &str) -> Self {
        Self {
            sequencer: sequencer.to_owned(),
            ..self
        }
    }
}

/// What S3 sends to a function, a queue or a topic: version 2.6, one record for each object.
#[must_use]
pub fn notification(bucket: &str, objects: &[ObjectRef]) -> Value {
    let records: Vec<Value> = objects
        .iter()
        .map(|object| record(bucket, object))
        .collect();
    json!({ "Records": records })
}

fn record(bucket: &str, object: &ObjectRef) -> Value {
    let mut record = json!({
        "eventVersion": "2.6",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": instant(object.time),
        "eventName": object.event_name,
        "userIdentity": { "principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE" },
        "requestParameters": { "sourceIPAddress": "192.0.2.7" },
        "responseElements": {
            "x-amz-request-id": "C3D13FE58DE4C810",
            "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD"
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "deliver",
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": "A3NL1KOZZKExample" },
                "arn": bucket_arn(bucket)
            },
            "object": { "key": form_encode(&object.key), "sequencer": object.sequencer }
        }
    });
    let described = &mut record["s3"]["object"];
    if object.event_name.starts_with("ObjectCreated") {
        described["size"] = json!(object.size);
        described["eTag"] = json!(object.etag);
    }
    if let Some(version_id) = &object.version_id {
        described["versionId"] = json!(version_id);
    }
    record
}

/// What S3 sends to a queue or topic once, when the notification is set up; it has no records.
#[must_use]
pub fn test_event(bucket: &str) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": instant(SystemTime::now()),
        "Bucket": bucket,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE"
    })
}

/// What EventBridge sends for the same: another shape, and the key is **not** encoded.
#[must_use]
pub fn eventbridge(bucket: &str, object: &ObjectRef) -> Value {
    let reason = match object.event_name.as_str() {
        "ObjectCreated:Copy" => "CopyObject",
        "ObjectCreated:CompleteMultipartUpload" => "CompleteMultipartUpload",
        "ObjectCreated:Post" => "POST Object",
        _ => "PutObject",
    };
    let mut event = json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": instant(object.time),
        "region": REGION,
        "resources": [bucket_arn(bucket)],
        "detail": {
            "version": "0",
            "event-version": "1.1",
            "bucket": { "name": bucket },
            "object": {
                "key": object.key,
                "size": object.size,
                "etag": object.etag,
                "sequencer": object.sequencer
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": ACCOUNT,
            "source-ip-address": "192.0.2.7",
            "reason": reason
        }
    });
    if let Some(version_id) = &object.version_id {
        event["detail"]["object"]["version-id"] = json!(version_id);
    }
    event
}

/// What a queue's trigger hands to a function: a message for each (id, body), received for the first time.
#[must_use]
pub fn sqs<Id: AsRef<str>, Body: AsRef<str>>(messages: &[(Id, Body)]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|(id, body)| sqs_message(id.as_ref(), body.as_ref(), 1))
        .collect();
    json!({ "Records": records })
}

/// One message of [`sqs`], received for the `receive_count`-th time.
#[must_use]
pub fn sqs_message(id: &str, body: &str, receive_count: u32) -> Value {
    let sent = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
        .to_string();
    json!({
        "messageId": id,
        // Another one for each receive, as a real handle is.
        "receiptHandle": format!("AQEB-{id}-{receive_count}"),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": receive_count.to_string(),
            "SentTimestamp": sent,
            "SenderId": "AIDAJXNJGGKNS7OSV23OI",
            "ApproximateFirstReceiveTimestamp": sent
        },
        "messageAttributes": {},
        "md5OfBody": hex(&md5(body.as_bytes())),
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": REGION
    })
}

/// One message of a FIFO queue's batch, in its place within `group`.
#[must_use]
pub fn fifo_message(id: &str, group: &str, body: &str, receive_count: u32) -> Value {
    let mut message = sqs_message(id, body, receive_count);
    message["eventSourceARN"] = json!(format!("{QUEUE_ARN}.fifo"));
    let attributes = &mut message["attributes"];
    attributes["MessageGroupId"] = json!(group);
    attributes["MessageDeduplicationId"] = json!(id);
    attributes["SequenceNumber"] = json!("18850069284600000256");
    message
}

/// What an on-failure destination gets of an asynchronous invocation that was started with `payload` and failed three
/// times.
#[must_use]
pub fn failed_invocation(payload: &Value) -> Value {
    json!({
        "version": "1.0",
        "timestamp": instant(SystemTime::now()),
        "requestContext": {
            "requestId": "e4b46cbf-b738-4880-9b0f-a18cdf61200e",
            "functionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:s3-to-sftp:$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3
        },
        "requestPayload": payload,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled"
        },
        "responsePayload": {
            "errorType": "ConnectFailed",
            "errorMessage": "connecting to the server failed"
        }
    })
}

/// The same where EventBridge is the destination.
#[must_use]
pub fn failed_invocation_by_eventbridge(payload: &Value) -> Value {
    json!({
        "version": "0",
        "id": "b5b0b6f0-0c5e-4d5c-8a0a-3b8f0f7d4a11",
        "detail-type": "Lambda Function Invocation Result - Failure",
        "source": "lambda",
        "account": ACCOUNT,
        "time": instant(SystemTime::now()),
        "region": REGION,
        "resources": [],
        "detail": failed_invocation(payload)
    })
}

/// What S3 Batch Operations invoke a function with, by schema 1.0 or 2.0: a task for each (id, key, version). Keys are
/// encoded here.
#[must_use]
pub fn batch_operations(schema: &str, bucket: &str, tasks: &[(&str, &str, Option<&str>)]) -> Value {
    let is_first = schema.starts_with("1.");
    let tasks: Vec<Value> = tasks
        .iter()
        .map(|(id, key, version)| {
            let mut task = json!({
                "taskId": id,
                "s3Key": form_encode(key),
                "s3VersionId": version,
            });
            if is_first {
                task["s3BucketArn"] = json!(bucket_arn(bucket));
            } else {
                task["s3Bucket"] = json!(bucket);
            }
            task
        })
        .collect();
    let mut job = json!({ "id": "f3cc4f60-61f6-4a2b-8a21-d07600c373ce" });
    if !is_first {
        job["userArguments"] = json!({ "MyDestinationBucket": "unused" });
    }
    json!({
        "invocationSchemaVersion": schema,
        "invocationId": "YXNkbGZqYWRmaiBhc2RmdW9hZHNmZGpmaGFzbGtkaGZza2RmaAo",
        "job": job,
        "tasks": tasks
    })
}

/// What a topic hands to a function. The notification is a string in it.
#[must_use]
pub fn sns(message: &str) -> Value {
    let envelope = sns_envelope(message);
    json!({
        "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": format!("{TOPIC_ARN}:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55"),
            "Sns": envelope
        }]
    })
}

/// What a topic puts into a queue without raw delivery: the body of an SQS message.
#[must_use]
pub fn sns_envelope(message: &str) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": TOPIC_ARN,
        "Subject": "Amazon S3 Notification",
        "Message": message,
        "Timestamp": instant(SystemTime::now()),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-EXAMPLE.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"
    })
}

/// A key as S3 writes it into notifications: a space is `+`, `/` and `-_.*` stand for themselves, all other bytes of its
/// UTF-8 but letters and digits are `%XX`. It is Java's `URLEncoder`, with the slashes put back.
#[must_use]
pub fn form_encode(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for &byte in key.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn instant(time: SystemTime) -> String {
    OffsetDateTime::from(time)
        .format(&INSTANT)
        .expect("every date has these components")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_s3_does() {
        assert_eq!(
            form_encode("in/red flower+é.jpg"),
            "in/red+flower%2B%C3%A9.jpg"
        );
        assert_eq!(
            form_encode("year=2026/100%/a~b*c-d_e.f"),
            "year%3D2026/100%25/a%7Eb*c-d_e.f"
        );
    }

    #[test]
    fn a_created_object_is_described() {
        let object = ObjectRef::new("a b", 7, "\"abc\"");
        let event = notification(
            "inbox",
            &[object.clone(), object.named("ObjectRemoved:Delete")],
        );
        let first = &event["Records"][0];
        assert_eq!(first["eventName"], "ObjectCreated:Put");
        assert_eq!(first["s3"]["object"]["key"], "a+b");
        assert_eq!(first["s3"]["object"]["eTag"], "abc");
        assert_eq!(first["s3"]["object"]["size"], 7);
        assert!(event["Records"][1]["s3"]["object"].get("size").is_none());
    }

    #[test]
    fn eventbridge_leaves_the_key_alone() {
        let event = eventbridge("inbox", &ObjectRef::new("a b+c", 7, "abc"));
        assert_eq!(event["detail"]["object"]["key"], "a b+c");
    }

    #[test]
    fn a_queue_wraps_bodies_as_text() {
        let body = test_event("inbox").to_string();
        let event = sqs(&[("one", &body)]);
        assert_eq!(event["Records"][0]["body"], body);
        assert_eq!(
            event["Records"][0]["attributes"]["ApproximateReceiveCount"],
            "1"
        );
    }
}
