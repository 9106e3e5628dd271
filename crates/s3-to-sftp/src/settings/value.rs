//! How each kind of value is read.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::object::ObjectName;
use crate::remote_path::{FilenameTemplate, TemporaryTemplate, target_directory};

/// What is wrong with a value and what to do. Does not repeat the value: it may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Errors alone; Python's `CRITICAL` too.
    Error,
    /// And what is probably not meant so.
    Warn,
    /// And a line for each delivery.
    Info,
    /// And its steps.
    Debug,
    /// And every packet.
    Trace,
}

impl LogLevel {
    /// The name that `tracing` and its filters know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A name or an address, and nothing else. Users paste URLs, so each part that is too much is told where it
/// belongs.
pub(super) fn host(value: &str) -> Result<String, Unfit> {
    let value = value.trim();
    if value.is_empty() {
        return unfit("is blank; give a host name or an address");
    }
    let mut belongs = Vec::new();
    let rest = match value.split_once("://") {
        Some((_, rest)) => {
            belongs.push("leave out what stands before `://`, and the `://`");
            rest
        }
        None => value,
    };
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => {
            belongs.push("the user belongs into SSH_USERNAME");
            rest
        }
        None => rest,
    };
    let rest = match rest.split_once('/') {
        Some((rest, path)) => {
            belongs.push(if path.is_empty() {
                "leave out the `/`"
            } else {
                "the directory belongs into SSH_DIR"
            });
            rest
        }
        None => rest,
    };
    let (host, has_port) = split_port(rest)?;
    if has_port {
        belongs.push("the port belongs into SSH_PORT");
    }
    if !belongs.is_empty() {
        return unfit(format!(
            "give the host name or address alone: {}",
            belongs.join(", ")
        ));
    }
    if host.is_empty() {
        return unfit("is no host name; give a host name or an address");
    }
    if !is_ipv6(host) && !host.chars().all(in_names) {
        return unfit(
            "holds what no host name holds (blanks, quotes?); give a host name or an address",
        );
    }
    Ok(host.to_owned())
}

/// Splits `host:port`; an IPv6 address is all colons and no port. Brackets around one are taken off.
fn split_port(text: &str) -> Result<(&str, bool), Unfit> {
    if let Some(inner) = text.strip_prefix('[') {
        return match inner.split_once(']') {
            Some((address, after))
                if is_ipv6(address) && (after.is_empty() || after.starts_with(':')) =>
            {
                Ok((address, !after.is_empty()))
            }
            _ => unfit(
                "is no IPv6 address in brackets; write it like `[2001:db8::1]` or `2001:db8::1`",
            ),
        };
    }
    if is_ipv6(text) {
        return Ok((text, false));
    }
    match text.split_once(':') {
        Some((_, after)) if after.contains(':') => {
            unfit("is no IPv6 address; write it like `2001:db8::1`")
        }
        Some((host, _)) => Ok((host, true)),
        None => Ok((text, false)),
    }
}

fn is_ipv6(text: &str) -> bool {
    // Link-local addresses carry their interface: `fe80::1%eth0`.
    let (address, interface) = text.split_once('%').unwrap_or((text, ""));
    address.parse::<Ipv6Addr>().is_ok() && interface.chars().all(in_names)
}

/// Letters of any alphabet: the resolver knows more of international names than we do.
fn in_names(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

pub(super) fn username(value: &str) -> Result<String, Unfit> {
    // What a file or a secret ends with is easily taken along, and a login with it is refused without a reason.
    if value.chars().any(char::is_control) {
        return unfit("holds a control character, perhaps a line break at its end; leave it out");
    }
    Ok(value.to_owned())
}

pub(super) fn text(value: &str) -> Result<String, Unfit> {
    Ok(value.to_owned())
}

/// `bucket:key`, split at the first `:`.
pub(super) fn object(value: &str) -> Result<ObjectName, Unfit> {
    const FORM: &str = "give `bucket:key` of an object in S3 that holds it";
    let Some((bucket, key)) = value.split_once(':') else {
        return unfit(format!("is not `bucket:key`: it has no `:`; {FORM}"));
    };
    if bucket.is_empty() || key.is_empty() {
        return unfit(format!(
            "is not `bucket:key`: one of the two is empty; {FORM}"
        ));
    }
    let in_bucket_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !bucket.chars().all(in_bucket_names) {
        return unfit(format!(
            "is not `bucket:key`: what stands before the first `:` cannot be a bucket; {FORM}"
        ));
    }
    Ok(ObjectName {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    })
}

pub(super) fn port(value: &str) -> Result<u16, Unfit> {
    match value.trim().parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => unfit("is no port; give a number from 1 to 65535"),
    }
}

/// A directory; none for the login directory. `..` is the operator's own business.
pub(super) fn directory(value: &str) -> Result<Option<String>, Unfit> {
    if value.chars().any(char::is_control) {
        return unfit("holds a control character, perhaps a line break at its end; leave it out");
    }
    Ok(target_directory(value).map(str::to_owned))
}

pub(super) fn filename(value: &str) -> Result<FilenameTemplate, Unfit> {
    FilenameTemplate::parse(value).map_err(|error| Unfit(error.to_string()))
}

pub(super) fn temporary_name(value: &str) -> Result<TemporaryTemplate, Unfit> {
    TemporaryTemplate::parse(value).map_err(|error| Unfit(error.to_string()))
}

/// `10`, `10s`, `2m`; never zero, which some programs take for "for ever", and a day at most: nobody waits longer, and what
/// is added to now has to be a time.
pub(super) fn duration(value: &str) -> Result<Duration, Unfit> {
    const MOST: u64 = 24 * 3600;
    let value = value.trim();
    let (digits, unit) = match value.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (value.strip_suffix('s').unwrap_or(value), 1),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number: Option<u64> = if is_number { digits.parse().ok() } else { None };
    match number.and_then(|number| number.checked_mul(unit)) {
        Some(0) => unfit("is no time at all; give at least `1s`"),
        Some(seconds) if seconds > MOST => {
            unfit("is longer than a day; give a day, `1440m`, at most")
        }
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => unfit("is no duration; give seconds like `10` or `10s`, or minutes like `2m`"),
    }
}

/// Files at once. A server gives a connection a hundred handles or more; what is beyond that only waits here.
pub(super) fn max_files(value: &str) -> Result<usize, Unfit> {
    const MOST: usize = 256;
    match value.trim().parse() {
        Ok(files) if (1..=MOST).contains(&files) => Ok(files),
        _ => unfit("is no number of files; give 1, for one after the other, to 256"),
    }
}

/// Octal permissions, in any of the three ways they are written: `640`, `0640`, `0o640`.
pub(super) fn file_mode(value: &str) -> Result<u32, Unfit> {
    const HIGHEST: u32 = 0o7777;
    let value = value.trim();
    let digits = value.strip_prefix("0o").unwrap_or(value);
    let is_octal = !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = is_octal.then(|| u32::from_str_radix(digits, 8).ok());
    match mode.flatten() {
        Some(0) => {
            unfit("lets nobody read the file; give permissions like `640`, or leave it empty")
        }
        Some(mode) if mode <= HIGHEST => Ok(mode),
        _ => unfit("is no permissions; give octal digits like `640` or `0640`, at most `7777`"),
    }
}

/// A name, or an ARN, as EventBridge takes it: letters, digits and `._-/`, and an ARN's `:` besides.
pub(super) fn event_bus(value: &str) -> Result<String, Unfit> {
    const FORM: &str = "give the name of an EventBridge event bus, or its ARN";
    let value = value.trim();
    let in_bus_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let name = match value.strip_prefix("arn:") {
        None => value,
        Some(arn) => match arn
            .splitn(5, ':')
            .nth(4)
            .and_then(|it| it.strip_prefix("event-bus/"))
        {
            Some(name) => name,
            None => return unfit(format!("is the ARN of something else; {FORM}")),
        },
    };
    if name.is_empty() || name.len() > 256 || !name.chars().all(in_bus_names) {
        return unfit(format!("names no event bus; {FORM}"));
    }
    Ok(value.to_owned())
}

/// A namespace or a dimension's value, as CloudWatch takes them.
pub(super) fn metrics_name(value: &str) -> Result<String, Unfit> {
    let value = value.trim();
    if value.is_empty() || value.len() > 255 || value.starts_with(':') || value.starts_with("AWS/")
    {
        return unfit("is nothing that CloudWatch takes: give 1 to 255 characters, of which the first is no `:`, and not `AWS/…`".to_owned());
    }
    if !value.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) {
        return unfit("holds a character that CloudWatch does not take: give ASCII".to_owned());
    }
    Ok(value.to_owned())
}

/// The URL of a queue, as SQS hands it out: `https://sqs.eu-central-1.amazonaws.com/123456789012/name`.
pub(super) fn queue_url(value: &str) -> Result<String, Unfit> {
    const FORM: &str = "give the URL of an SQS queue, like \
                        `https://sqs.eu-central-1.amazonaws.com/123456789012/name`";
    let value = value.trim();
    if value.starts_with("arn:") {
        return unfit(format!("is an ARN; {FORM}"));
    }
    let Some(rest) = ["https://", "http://"]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme))
    else {
        return unfit(format!(
            "begins with neither `https://` nor `http://`; {FORM}"
        ));
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let in_hosts = |c: char| in_names(c) || matches!(c, ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(in_hosts) {
        return unfit(format!("names no host; {FORM}"));
    }
    let in_paths = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_segment = |segment: &str| !segment.is_empty() && segment.chars().all(in_paths);
    if !path.split('/').all(is_segment) {
        return unfit(format!("names no queue; {FORM}"));
    }
    Ok(value.to_owned())
}

/// What Lambda sets for the function's memory, in MiB. Nobody chose it, so nonsense is no error.
pub(super) fn memory(value: &str) -> Option<u64> {
    let bytes = value.parse::<u64>().ok()?.checked_mul(1024 * 1024)?;
    (bytes > 0).then_some(bytes)
}

pub(super) fn log_level(value: &str) -> Result<LogLevel, Unfit> {
    match value.trim().to_ascii_uppercase().as_str() {
        "CRITICAL" | "FATAL" | "ERROR" => Ok(LogLevel::Error),
        "WARNING" | "WARN" => Ok(LogLevel::Warn),
        "INFO" => Ok(LogLevel::Info),
        "DEBUG" => Ok(LogLevel::Debug),
        "TRACE" => Ok(LogLevel::Trace),
        _ => unfit("is no level; give DEBUG, INFO, WARNING, ERROR, CRITICAL or TRACE"),
    }
}

pub(super) fn unfit<T>(advice: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit(advice.into()))
}
