//! Metrics in CloudWatch's embedded format: fields of a line of the log, which cost no request.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>. A
//! line that tells of a delivery has its metrics in it. `metrique` and the other crates of this kind write lines of
//! their own, which would double what CloudWatch Logs charges for.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use s3_to_sftp::journal::{Entry, News};
use s3_to_sftp::receipt::{Outcome, Receipt};
use s3_to_sftp::settings::Settings;
use serde_json::{Map, Value, json};

use crate::lines;

/// Of a metric, as CloudWatch calls it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Count,
    Bytes,
    BytesPerSecond,
    Seconds,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::BytesPerSecond => "Bytes/Second",
            Self::Seconds => "Seconds",
        }
    }
}

/// A value of a metric.
#[derive(Debug)]
pub(crate) struct Metric {
    name: String,
    unit: Unit,
    value: Value,
}

impl Metric {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, value: impl Into<Value>) -> Self {
        Self {
            name: name.into(),
            unit,
            value: value.into(),
        }
    }

    fn one(name: impl Into<String>) -> Self {
        Self::new(name, Unit::Count, 1)
    }
}

/// What all metrics of a function have in common. The names are Powertools': each pair of dimensions is a metric that AWS charges
/// for, so there are no more of them.
#[derive(Debug)]
pub(crate) struct Metrics {
    namespace: String,
    service: String,
    destination: String,
    are_wanted: bool,
}

impl Metrics {
    pub(crate) fn of(settings: &Settings) -> Self {
        let function = || env::var("AWS_LAMBDA_FUNCTION_NAME").ok();
        let service = settings.service_name.clone().or_else(function);
        Self {
            namespace: settings.metrics_namespace.clone(),
            service: service.unwrap_or_else(|| "s3-to-sftp".to_owned()),
            destination: settings.host.clone(),
            are_wanted: settings.has_metrics,
        }
    }

    /// Writes a line that is nothing but metrics. `level` is for Lambda's own filter, which drops what it takes for less than
    /// the level that is set.
    pub(crate) fn write(&self, metrics: &[Metric]) {
        if self.are_wanted && !metrics.is_empty() {
            lines::write("INFO", "metrics", self.fields(metrics, SystemTime::now()));
        }
    }

    /// The fields that make metrics of a line; none where there are no metrics.
    pub(crate) fn fields(&self, metrics: &[Metric], now: SystemTime) -> Map<String, Value> {
        if !self.are_wanted || metrics.is_empty() {
            return Map::new();
        }
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let named = metrics
            .iter()
            .map(|metric| json!({ "Name": metric.name, "Unit": metric.unit.as_str() }));
        let named: Vec<_> = named.collect();
        let mut fields = Map::new();
        let directive = json!({
            "Timestamp": u64::try_from(since.as_millis()).unwrap_or_default(),
            "CloudWatchMetrics": [{
                "Namespace": self.namespace,
                "Dimensions": [["service", "destination"]],
                "Metrics": named,
            }],
        });
        fields.insert("_aws".to_owned(), directive);
        fields.insert("service".to_owned(), self.service.as_str().into());
        fields.insert("destination".to_owned(), self.destination.as_str().into());
        for metric in metrics {
            fields.insert(metric.name.clone(), metric.value.clone());
        }
        fields
    }
}

/// What an entry of the journal counts for.
pub(crate) fn of_entry(entry: &Entry<'_>) -> Vec<Metric> {
    match entry.news {
        News::Delivered(receipt) => of_delivery(receipt),
        News::NotPublished(..) => vec![Metric::one("ReceiptNotPublished")],
        News::NotDeleted(..) => vec![Metric::one("SourceNotDeleted")],
        News::Ended(Outcome::Gone(_)) => vec![Metric::one("Gone")],
        News::Ended(Outcome::Failed(error)) => vec![
            Metric::one("Failures"),
            Metric::one(format!("Failures.{}", error.name())),
        ],
        News::Ended(_) => Vec::new(),
    }
}

fn of_delivery(receipt: &Receipt) -> Vec<Metric> {
    let mut metrics = vec![
        Metric::one("Deliveries"),
        Metric::new("Bytes", Unit::Bytes, receipt.bytes),
        Metric::new("Retries", Unit::Count, receipt.retries),
    ];
    // Nothing passes in no time, and an empty file has no speed.
    if receipt.bytes_sent > 0 && receipt.time.seconds > 0.0 {
        #[expect(clippy::cast_precision_loss, reason = "above 8 PiB")]
        let speed = receipt.bytes_sent as f64 / receipt.time.seconds;
        metrics.push(Metric::new(
            "Throughput",
            Unit::BytesPerSecond,
            speed.round(),
        ));
    }
    if let Some(seconds) = receipt.seconds_since_event() {
        metrics.push(Metric::new("TimeToDeliver", Unit::Seconds, seconds));
    }
    if !receipt.server.host_key_pinned {
        metrics.push(Metric::one("HostKeyUnpinned"));
    }
    metrics
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_is_in_the_embedded_format() {
        let metrics = Metrics {
            namespace: "n".to_owned(),
            service: "f".to_owned(),
            destination: "sftp.example.com".to_owned(),
            are_wanted: true,
        };
        let now = UNIX_EPOCH + Duration::from_millis(1_764_288_000_123);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_764_288_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "n",
                    "Dimensions": [["service", "destination"]],
                    "Metrics": [
                        { "Name": "OldestUndelivered", "Unit": "Seconds" },
                        { "Name": "ColdStart", "Unit": "Count" },
                    ],
                }],
            },
            "service": "f",
            "destination": "sftp.example.com",
            "OldestUndelivered": 7,
            "ColdStart": 1,
        });
        let oldest = Metric::new("OldestUndelivered", Unit::Seconds, 7);
        let fields = metrics.fields(&[oldest, Metric::one("ColdStart")], now);
        assert_eq!(Value::Object(fields), expected);
    }
}
