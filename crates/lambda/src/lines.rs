//! Lines of the log as Lambda's advanced logging has them: one flat object of JSON each, with `timestamp` (RFC 3339),
//! `level`, `message` and `requestId`.
//!
//! `tracing-subscriber` can write JSON too, but nests a span's fields, and knows of no receipts: a field of an event
//! has to be named where the event is, and no event has more than 32.

use std::fmt;
use std::io::{self, Write};

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Writes a line to standard output.
pub(crate) fn write(level: &str, message: &str, mut fields: Map<String, Value>) {
    let timestamp = OffsetDateTime::now_utc().format(&Rfc3339);
    fields.insert("timestamp".to_owned(), timestamp.unwrap_or_default().into());
    fields.insert("level".to_owned(), level.into());
    fields.insert("message".to_owned(), message.into());
    // Whoever has closed the log reads nothing more. One write, or another line may come between.
    let line = format!("{}\n", Value::Object(fields));
    _ = io::stdout().lock().write_all(line.as_bytes());
}

/// What is logged, as such lines.
pub(crate) struct Lines;

impl<S> Layer<S> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(request), Some(span)) = (fields.0.remove("requestId"), context.span(id)) {
            span.extensions_mut().insert(RequestId(request));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields(mut fields) = fields;
        let message = match fields.remove("message") {
            Some(Value::String(message)) => message,
            _ => String::new(),
        };
        let spans = context.event_scope(event).into_iter().flatten();
        for span in spans {
            if let Some(RequestId(id)) = span.extensions().get() {
                fields.insert("requestId".to_owned(), id.clone());
            }
        }
        let metadata = event.metadata();
        fields.insert("target".to_owned(), metadata.target().into());
        write(metadata.level().as_str(), &message, fields);
    }
}

/// Of the invocation that a span stands for.
struct RequestId(Value);

/// Fields of a span or an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}
