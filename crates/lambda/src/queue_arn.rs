//! The ARN of a queue, as events name it.

/// `arn:aws:sqs:REGION:ACCOUNT:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct QueueArn {
    text: String,
    partition: String,
    region: String,
    pub(crate) account: String,
    pub(crate) name: String,
}

impl QueueArn {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let [arn, partition, service, region, account, name] =
            text.split(':').collect::<Vec<_>>().try_into().ok()?;
        let is_named = |part: &str| {
            let in_parts = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.chars().all(in_parts)
        };
        let named = [partition, region, account, name].into_iter().all(is_named);
        (arn == "arn" && service == "sqs" && named).then(|| Self {
            text: text.to_owned(),
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the queue keeps an order. A continuation would go behind what is in it already.
    pub(crate) fn is_fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    /// The URL that AWS gives a queue of this ARN.
    pub(crate) fn url(&self) -> String {
        let Self {
            partition,
            region,
            account,
            name,
            ..
        } = self;
        let domain = match partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        format!("https://sqs.{region}.{domain}/{account}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_s_arn_tells_its_url() {
        let url = |arn| QueueArn::parse(arn).map(|arn| arn.url());
        assert_eq!(
            url("arn:aws:sqs:eu-central-1:123456789012:in-box").as_deref(),
            Some("https://sqs.eu-central-1.amazonaws.com/123456789012/in-box")
        );
        assert_eq!(
            url("arn:aws-cn:sqs:cn-north-1:123456789012:inbox").as_deref(),
            Some("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/inbox")
        );
    }

    #[test]
    fn what_is_no_queue_s_arn_is_none() {
        for arn in [
            "",
            "inbox",
            "arn:aws:sns:us-east-1:123456789012:inbox",
            "arn:aws:sqs:us-east-1:123456789012:",
            "arn:aws:sqs:us-east-1::inbox",
            "arn:aws:sqs:us-east-1:123456789012:inbox:more",
            "arn:aws:sqs:evil.example/:123456789012:inbox",
        ] {
            assert_eq!(QueueArn::parse(arn), None, "{arn}");
        }
    }

    #[test]
    fn a_fifo_queue_is_known_by_its_name() {
        let is_fifo = |arn| QueueArn::parse(arn).is_some_and(|arn| arn.is_fifo());
        assert!(is_fifo("arn:aws:sqs:us-east-1:123456789012:inbox.fifo"));
        assert!(!is_fifo("arn:aws:sqs:us-east-1:123456789012:inbox-fifo"));
    }
}
