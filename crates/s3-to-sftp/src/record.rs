//! What became of an object, on paper: one flat record of JSON, the same for the log, the command line, the
//! function's answer and `RECEIPT_BUS` and `RECEIPT_PREFIX`.
//!
//! `docs/receipt.schema.json` describes it; tests hold it to that.

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Error, VerdictKind};
use crate::object::ObjectName;
use crate::receipt::{Outcome, Receipt};
use crate::source::{ChecksumCheck, Disposal};

/// Of the record. Fields may be added to a schema; one that changes its meaning or goes is another schema.
pub const SCHEMA: u32 = 1;

/// A flat object of JSON.
pub type Record = Map<String, Value>;

/// What became of a record of an event. `request_id` is the invocation's, where there is one.
pub fn of_outcome(outcome: &Outcome, request_id: Option<&str>) -> Record {
    let mut record = match outcome {
        Outcome::Delivered(receipt, disposal) => {
            let mut record = of_receipt(receipt, request_id);
            put(&mut record, "source", disposal);
            return record;
        }
        Outcome::Gone(name) => begin("gone", Some(name)),
        Outcome::Continued(name, offset) => {
            let mut record = begin("continued", Some(name));
            put(&mut record, "bytes_handed_over", &offset.unwrap_or(0));
            record
        }
        Outcome::Skipped(name, why) => {
            let mut record = begin("skipped", name.as_ref());
            put(&mut record, "reason", &why.to_string());
            record
        }
        Outcome::Failed(error) => of_error(error),
    };
    end(&mut record, OffsetDateTime::now_utc(), request_id);
    record
}

/// A delivery, before its source is touched.
pub fn of_receipt(receipt: &Receipt, request_id: Option<&str>) -> Record {
    let mut record = begin("delivered", Some(&receipt.name));
    put(&mut record, "etag", &receipt.etag);
    put_some(&mut record, "version_id", receipt.version_id.as_ref());
    put(&mut record, "bytes", &receipt.bytes);
    put_all(&mut record, &receipt.server);
    put(&mut record, "remote_path", &receipt.remote_path);
    put(&mut record, "published", &receipt.published);
    put(&mut record, "size", &receipt.size);
    let (checksum, algorithm, parts) = match receipt.checksum {
        ChecksumCheck::Equal { algorithm } => ("equal", Some(algorithm), None),
        ChecksumCheck::EqualByPart { algorithm, parts } => {
            ("equal-by-part", Some(algorithm), Some(parts))
        }
        ChecksumCheck::NotTold => ("not-told", None, None),
    };
    put(&mut record, "checksum", &checksum);
    put_some(&mut record, "checksum_algorithm", algorithm);
    put_some(&mut record, "checksum_parts", parts);
    put_some(&mut record, "checksum_s3", receipt.checksum_s3.as_ref());
    put(&mut record, "crc64nvme", &receipt.crc64nvme);
    put(&mut record, "read_back", &receipt.read_back);
    put(&mut record, "durable", &receipt.durable);
    put(&mut record, "channels", &receipt.channels);
    put(&mut record, "hops", &receipt.hops);
    put(&mut record, "bytes_sent", &receipt.bytes_sent);
    put(&mut record, "bytes_resumed", &receipt.bytes_resumed);
    put(&mut record, "retries", &receipt.retries);
    put_all(&mut record, &receipt.time);
    put_some(&mut record, "event_time", receipt.put.map(rfc3339));
    put_some(
        &mut record,
        "seconds_since_event",
        receipt.seconds_since_event(),
    );
    end(&mut record, receipt.at, request_id);
    record
}

/// Behind a delivery: its source could not be deleted.
pub fn of_undeleted(name: &ObjectName, error: &Error, request_id: Option<&str>) -> Record {
    let mut record = begin("SourceNotDeleted", Some(name));
    put(&mut record, "source", &Disposal::NotDeleted);
    put(&mut record, "error_type", &error.name());
    put(&mut record, "error", &error.report());
    end(&mut record, OffsetDateTime::now_utc(), request_id);
    record
}

/// Behind an outcome: its receipt could not be published.
pub fn of_unpublished(name: Option<&ObjectName>, error: &str, request_id: Option<&str>) -> Record {
    let mut record = begin("ReceiptNotPublished", name);
    put(&mut record, "error_type", &"ReceiptNotPublished");
    put(&mut record, "error", &error);
    end(&mut record, OffsetDateTime::now_utc(), request_id);
    record
}

fn of_error(error: &Error) -> Record {
    let mut record = begin("failed", error.object.as_ref());
    put(&mut record, "error_type", &error.name());
    put(&mut record, "error", &error.report());
    let is_retried = error.verdict().kind == VerdictKind::Retry;
    put(&mut record, "may_succeed_later", &is_retried);
    record
}

fn begin(outcome: &str, name: Option<&ObjectName>) -> Record {
    let mut record = Record::new();
    put(&mut record, "schema", &SCHEMA);
    put(&mut record, "outcome", &outcome);
    if let Some(ObjectName { bucket, key }) = name {
        put(&mut record, "bucket", bucket);
        put(&mut record, "key", key);
    }
    record
}

fn end(record: &mut Record, time: OffsetDateTime, request_id: Option<&str>) {
    put(record, "time", &rfc3339(time));
    put(record, "version", &env!("CARGO_PKG_VERSION"));
    put_some(record, "request_id", request_id);
}

/// To the millisecond.
fn rfc3339(time: OffsetDateTime) -> String {
    let nanoseconds = u32::from(time.millisecond()) * 1_000_000;
    let time = time.replace_nanosecond(nanoseconds).unwrap_or(time);
    time.format(&Rfc3339).unwrap_or_default()
}

fn put(record: &mut Record, name: &str, value: &impl Serialize) {
    // Nothing in a receipt is a map whose keys are no text, which is all that this could fail for.
    record.insert(
        name.to_owned(),
        serde_json::to_value(value).unwrap_or_default(),
    );
}

fn put_some(record: &mut Record, name: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        put(record, name, &value);
    }
}

fn put_all(record: &mut Record, fields: &impl Serialize) {
    if let Ok(Value::Object(fields)) = serde_json::to_value(fields) {
        record.extend(fields);
    }
}
