//! Metrics in CloudWatch's embedded format: a line of JSON in the log, which costs no request.

use std::env;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where CloudWatch shows them.
const NAMESPACE: &str = "s3-to-sftp";

/// Of a metric, as CloudWatch calls it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Seconds,
}

/// Writes one value of a metric, with the function's name as its dimension.
pub(crate) fn emit(name: &str, unit: Unit, value: u64) {
    let function = env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let line = line(name, unit, value, &function, SystemTime::now());
    // Whoever has closed the log reads no metric either. One write, or another line may come between.
    _ = io::stdout()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// `level` and `timestamp` are for Lambda's own filter, which drops what it takes for less than the level that is set.
fn line(name: &str, unit: Unit, value: u64, function: &str, now: SystemTime) -> Value {
    let unit = match unit {
        Unit::Seconds => "Seconds",
    };
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or_default();
    let timestamp = OffsetDateTime::from(now)
        .format(&Rfc3339)
        .unwrap_or_default();
    json!({
        "timestamp": timestamp,
        "level": "INFO",
        "_aws": {
            "Timestamp": milliseconds,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["FunctionName"]],
                "Metrics": [{ "Name": name, "Unit": unit }],
            }],
        },
        "FunctionName": function,
        name: value,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_is_in_the_embedded_format() {
        let now = UNIX_EPOCH + Duration::from_millis(1_764_288_000_123);
        let expected = json!({
            "timestamp": "2025-11-28T00:00:00.123Z",
            "level": "INFO",
            "_aws": {
                "Timestamp": 1_764_288_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "s3-to-sftp",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [{ "Name": "OldestUndelivered", "Unit": "Seconds" }],
                }],
            },
            "FunctionName": "f",
            "OldestUndelivered": 7,
        });
        assert_eq!(
            line("OldestUndelivered", Unit::Seconds, 7, "f", now),
            expected
        );
    }
}
