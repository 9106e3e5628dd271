//! A queue by its URL, and why it cannot be worked with.

use std::fmt;
use std::str::FromStr;

use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::aws_error::told;

/// The URL of a queue, as SQS hands it out.
#[derive(Debug, Clone)]
pub(crate) struct QueueUrl(String);

impl FromStr for QueueUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let path = rest.and_then(|rest| rest.split_once('/'));
        if path.is_some_and(|(host, path)| !host.is_empty() && !path.is_empty()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                "expected the URL of a queue, like https://sqs.eu-central-1.amazonaws.com/123456789012/name",
            )
        }
    }
}

impl QueueUrl {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What a client of its region is made of.
    pub(crate) fn config(&self, aws: &SdkConfig) -> aws_sdk_sqs::config::Builder {
        let config = aws_sdk_sqs::config::Builder::from(aws);
        match self.region() {
            Some(region) => config.region(region),
            None => config,
        }
    }

    pub(crate) fn failed<E>(&self, action: &'static str, error: &SdkError<E>) -> QueueError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        QueueError {
            queue: self.0.clone(),
            action,
            why: told(error),
        }
    }

    /// `sqs.REGION.amazonaws.com`, in any partition.
    fn region(&self) -> Option<Region> {
        let host = self.0.split('/').nth(2)?.strip_prefix("sqs.")?;
        let (region, rest) = host.split_once('.')?;
        rest.starts_with("amazonaws.")
            .then(|| Region::new(region.to_owned()))
    }
}

/// Why a queue cannot be worked with.
#[derive(Debug)]
pub(crate) struct QueueError {
    queue: String,
    action: &'static str,
    why: String,
}

impl QueueError {
    /// Whether there is no such queue.
    pub(crate) fn is_gone(&self) -> bool {
        ["NonExistentQueue", "QueueDoesNotExist"]
            .iter()
            .any(|code| self.why.contains(code))
    }
}

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, action, why } = self;
        write!(f, "{action} of {queue} failed: {why}")?;
        if why.contains("AccessDenied") {
            write!(f, "; next: grant sqs:{action} on it")?;
        } else if self.is_gone() {
            f.write_str("; next: check the URL, and its account and region")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_in_the_region_that_its_url_tells() {
        for (url, region) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/123456789012/q",
                Some("eu-central-1"),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q",
                Some("cn-north-1"),
            ),
            (
                "https://sqs.eusc-de-east-1.amazonaws.eu/123456789012/q",
                Some("eusc-de-east-1"),
            ),
            ("http://127.0.0.1:4566/000000000000/q", None),
            (
                "https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com/123456789012/q",
                None,
            ),
        ] {
            let url: QueueUrl = url.parse().expect(url);
            assert_eq!(url.region(), region.map(Region::new), "{}", url.0);
        }
        for text in [
            "arn:aws:sqs:eu-central-1:123456789012:q",
            "q",
            "https://",
            "https://host",
            "https://host/",
        ] {
            text.parse::<QueueUrl>().expect_err(text);
        }
    }
}
