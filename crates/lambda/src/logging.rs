//! What is logged, and in which form: JSON, or text where Lambda is set to that.
//!
//! `lambda_runtime` brings a subscriber that prints no timestamp; a line without one counts as INFO for Lambda's own filter,
//! whatever its level ("Configuring logging controls" in the Lambda developer guide).

use std::io;

use s3_to_sftp::settings::LogLevel;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::lines::Lines;

/// What is ours. The SDK, russh and the runtime print whole requests at DEBUG and TRACE, payloads
/// and passwords among them: from them, INFO is the most that is ever shown.
const OURS: [&str; 3] = ["bootstrap", "s3_to_sftp", "sftp"];

/// The SDK warns here of each object that was uploaded in parts: it cannot check a checksum of
/// checksums. There is nothing that whoever reads it could do.
const COMPOSITE: &str = "aws_sdk_s3::http_response_checksum";

/// Where the runtime prints the errors of invocations a second time, and panics.
const RUNTIMES_ERRORS: &str = "lambda_runtime::layers::panic";

/// The form of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
}

impl Format {
    /// What `AWS_LAMBDA_LOG_FORMAT` says.
    pub(crate) fn of(lookup: impl Fn(&str) -> Option<String>) -> Self {
        match lookup("AWS_LAMBDA_LOG_FORMAT") {
            Some(format) if format.eq_ignore_ascii_case("Text") => Self::Text,
            _ => Self::Json,
        }
    }
}

/// Starts logging to standard output. The level is `AWS_LAMBDA_LOG_LEVEL`, else `RUST_LOG`, else the
/// setting's.
pub(crate) fn start(lookup: impl Fn(&str) -> Option<String>, setting: Option<LogLevel>) {
    let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let directives = set("AWS_LAMBDA_LOG_LEVEL")
        .map(|level| {
            if level.eq_ignore_ascii_case("FATAL") {
                "ERROR".to_owned()
            } else {
                level
            }
        })
        .or_else(|| set("RUST_LOG"))
        .unwrap_or_else(|| setting.map_or("info", LogLevel::as_str).to_owned());
    let capped = filter_fn(|metadata| {
        // An invocation's error, which is told already where it happened. With that field it is a panic.
        if metadata.target() == RUNTIMES_ERRORS && metadata.fields().field("error").is_none() {
            return false;
        }
        let target = metadata.target().split("::").next().unwrap_or_default();
        OURS.contains(&target)
            || *metadata.level() <= LevelFilter::INFO && metadata.target() != COMPOSITE
    });
    // `Targets` reads levels by target, as `info,s3_to_sftp=debug`. `EnvFilter` could tell spans
    // apart too, which nobody needs here, and brings a regular-expression engine to do so.
    let parsed = directives.parse::<Targets>();
    let filter = parsed
        .as_ref()
        .map_or_else(
            |_| Targets::new().with_default(LevelFilter::INFO),
            Clone::clone,
        )
        .and(capped);
    let layer = match Format::of(&lookup) {
        Format::Text => fmt::layer()
            .with_ansi(false)
            .with_writer(io::stdout)
            .boxed(),
        Format::Json => Lines.boxed(),
    };
    // A second start would be the only failure, and there is one.
    _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
    if let Err(error) = parsed {
        tracing::warn!(directives, %error, "the log level cannot be read; INFO it is");
    }
}
