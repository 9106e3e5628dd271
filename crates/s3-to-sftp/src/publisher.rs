//! Receipts for others: an event on `RECEIPT_BUS`, an object below `RECEIPT_PREFIX`.
//!
//! What is published is [`crate::record`]'s, once the outcome is known and the source is disposed of. It is no
//! part of the delivery: a failure is told, and nothing is delivered again for it.

use std::error::Error;
use std::time::Duration;

use aws_sdk_eventbridge::Client as EventBridge;
use aws_sdk_eventbridge::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::object::ObjectName;
use crate::receipt::Outcome;
use crate::record;
use crate::settings::{S3Prefix, Settings};
use crate::source::{S3, SourceError};

/// For one try, and for all of them. The next object of the event may be waiting for it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// By which rules match the events.
const SOURCE: &str = "s3-to-sftp";

/// Publishes what becomes of objects.
#[derive(Debug)]
pub struct Publisher {
    bus: Option<Bus>,
    prefix: Option<S3Prefix>,
}

#[derive(Debug)]
struct Bus {
    client: EventBridge,
    /// Its name, or its ARN.
    name: String,
}

/// Why a receipt is not published.
#[derive(Debug, thiserror::Error)]
pub enum NotPublished {
    /// EventBridge did not take the event.
    #[error(
        "the receipt is no event on {bus}: {why}; grant events:PutEvents on it to the role, or unset RECEIPT_BUS"
    )]
    Event {
        /// `RECEIPT_BUS`.
        bus: String,
        /// What it answered.
        why: String,
    },
    /// S3 did not take the object.
    #[error(
        "the receipt is no object {name}: {why}; grant s3:PutObject below RECEIPT_PREFIX to the role, or unset it"
    )]
    Object {
        /// Where it was to be.
        name: ObjectName,
        /// What S3 answered.
        why: String,
    },
    /// There was no time left.
    #[error("the receipt is not published: the invocation's time was over")]
    Late,
}

impl Publisher {
    /// By the settings. It does nothing where they name no place.
    pub fn new(settings: &Settings, config: &SdkConfig) -> Self {
        let bus = settings.receipt_bus.as_ref().map(|name| Bus {
            client: client(config, name),
            name: name.clone(),
        });
        Self {
            bus,
            prefix: settings.receipt_prefix.clone(),
        }
    }

    /// One that does nothing.
    pub(crate) fn none() -> Self {
        Self {
            bus: None,
            prefix: None,
        }
    }

    /// Publishes what became of an object, if that is a delivery or a failure: the one has an event and an object, the other an
    /// event. What cannot be published is returned.
    pub(crate) async fn publish(
        &self,
        s3: &S3,
        outcome: &Outcome,
        request_id: Option<&str>,
    ) -> Vec<NotPublished> {
        let (detail_type, delivered) = match outcome {
            Outcome::Delivered(receipt, _) => ("File Delivered", Some(receipt)),
            Outcome::Failed(_) => ("File Delivery Failed", None),
            Outcome::Gone(_) | Outcome::Continued(..) | Outcome::Skipped(..) => return Vec::new(),
        };
        if self.bus.is_none() && self.prefix.is_none() {
            return Vec::new();
        }
        let record = record::of_outcome(outcome, request_id);
        let record = serde_json::Value::Object(record).to_string();
        let put = async {
            let (prefix, receipt) = (self.prefix.as_ref()?, delivered?);
            let name = prefix.place_of(&ObjectName {
                bucket: String::new(),
                key: key(receipt.at, &receipt.name, &record),
            });
            let put = s3.put_receipt(&name, record.clone(), timeouts());
            let error = put.await.err()?;
            Some(NotPublished::Object {
                why: chain(&error),
                name,
            })
        };
        let told = async {
            let bus = self.bus.as_ref()?;
            let why = bus.put(detail_type, record.clone()).await.err()?;
            Some(NotPublished::Event {
                bus: bus.name.clone(),
                why,
            })
        };
        let (put, told) = tokio::join!(put, told);
        put.into_iter().chain(told).collect()
    }
}

impl Bus {
    async fn put(&self, detail_type: &str, detail: String) -> Result<(), String> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(detail_type)
            .detail(detail)
            .build();
        match self.client.put_events().entries(entry).send().await {
            // One entry, one result; an error in it comes with status 200.
            Ok(answer) => match answer.entries().iter().find_map(|it| it.error_code()) {
                Some(code) => Err(code.to_owned()),
                None if answer.failed_entry_count() > 0 => Err("it failed".to_owned()),
                None => Ok(()),
            },
            Err(error) => Err(said(&error)),
        }
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// The client of the bus's region, which its ARN names.
fn client(config: &SdkConfig, bus: &str) -> EventBridge {
    let mut config = aws_sdk_eventbridge::config::Builder::from(config).timeout_config(timeouts());
    if bus.starts_with("arn:")
        && let Some(region) = bus.split(':').nth(3).filter(|region| !region.is_empty())
    {
        config.set_region(Some(Region::new(region.to_owned())));
    }
    EventBridge::from_conf(config.build())
}

/// What AWS says, or the innermost of what went wrong on the way.
fn said<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        (None, _) => {
            let mut inner: &dyn Error = error;
            while let Some(source) = inner.source() {
                inner = source;
            }
            inner.to_string()
        }
    }
}

fn chain(error: &SourceError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The receipt's key: by day, in the order of time, and another for each delivery. The object's own key may be too long to be part
/// of it.
fn key(at: OffsetDateTime, name: &ObjectName, record: &str) -> String {
    let format =
        format_description!("[year]/[month]/[day]/[hour][minute][second].[subsecond digits:3]");
    let time = at.format(format).unwrap_or_default();
    let mut digest = Sha256::new();
    digest.update(name.to_string());
    digest.update([0]);
    digest.update(record);
    let digest = digest.finalize();
    let digest: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{time}-{digest}.json")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_receipts_key_is_in_the_order_of_time_and_its_own() {
        let name = |key: &str| ObjectName {
            bucket: "inbox".to_owned(),
            key: key.to_owned(),
        };
        let at = datetime!(2026-11-28 04:05:06.7891 UTC);
        let long = key(at, &name(&"k".repeat(1024)), "{}");
        assert!(long.starts_with("2026/11/28/040506.789-"), "{long}");
        assert_eq!(
            long.len(),
            "2026/11/28/040506.789-".len() + 16 + ".json".len()
        );
        assert_ne!(long, key(at, &name("k"), "{}"));
        assert_ne!(key(at, &name("k"), "{}"), key(at, &name("k"), "{ }"));
        assert_eq!(key(at, &name("k"), "{}"), key(at, &name("k"), "{}"));
    }
}
