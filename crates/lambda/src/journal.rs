//! What became of each object, in the log: one line, which is the record and its metrics too.

use std::time::SystemTime;

use s3_to_sftp::journal::{Entry, Journal};

use crate::lines;
use crate::logging::Format;
use crate::metrics::{Metrics, of_entry};

/// The function's log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) metrics: Metrics,
    pub(crate) format: Format,
}

impl Journal for Log {
    fn write(&self, entry: &Entry<'_>) {
        let now = SystemTime::now();
        let metrics = of_entry(entry);
        let (level, is_written) = if entry.is_error() {
            ("ERROR", tracing::enabled!(tracing::Level::ERROR))
        } else {
            ("INFO", tracing::enabled!(tracing::Level::INFO))
        };
        match self.format {
            Format::Json if is_written => {
                let mut fields = entry.record();
                if let Some(object) = entry.object() {
                    fields.insert("object".to_owned(), object.to_string().into());
                }
                if let Some(id) = entry.request_id {
                    fields.insert("requestId".to_owned(), id.into());
                }
                fields.extend(self.metrics.fields(&metrics, now));
                lines::write(level, &entry.message(), fields);
            }
            Format::Json => {}
            Format::Text => {
                let object = entry.object().map(tracing::field::display);
                let message = entry.message();
                if entry.is_error() {
                    let error_type = entry.record().remove("error_type").unwrap_or_default();
                    tracing::error!(object, %error_type, "{message}");
                } else {
                    let record = serde_json::Value::Object(entry.record());
                    tracing::info!(object, receipt = %record, "{message}");
                }
                if is_written {
                    self.metrics.write(&metrics);
                }
            }
        }
    }
}
