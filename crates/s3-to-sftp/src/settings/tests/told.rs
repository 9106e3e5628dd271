//! Where receipts and metrics go.

use super::*;

#[test]
fn receipts_have_a_bus_and_a_prefix() {
    let none = settings(&[]);
    assert!(none.receipt_bus.is_none() && none.receipt_prefix.is_none());
    for bus in [
        "default",
        "aws.partner/example.com/1",
        "arn:aws-cn:events:cn-north-1:123456789012:event-bus/partners",
    ] {
        let set = settings(&[("RECEIPT_BUS", bus)]);
        assert_eq!(set.receipt_bus.as_deref(), Some(bus));
    }
    for (bus, says) in [
        ("two words", "names no event bus"),
        (
            "arn:aws:events:eu-north-1:123456789012:rule/r",
            "the ARN of something else",
        ),
        (
            "arn:aws:sqs:eu-north-1:123456789012:q",
            "the ARN of something else",
        ),
        (
            "arn:aws:events:eu-north-1:123456789012:event-bus/",
            "names no event bus",
        ),
    ] {
        assert!(problem("RECEIPT_BUS", bus).contains(says), "{bus}");
    }
}

#[test]
fn what_lies_below_the_prefix_of_receipts_is_not_delivered() {
    let object = |bucket: &str, key: &str| ObjectName {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    };
    let set = settings(&[("RECEIPT_PREFIX", "s3://inbox/receipts")]);
    let receipt = object("inbox", "receipts/2026/11/28/1.json");
    assert_eq!(set.skip(&receipt), Some(Skip::Receipt));
    assert_eq!(set.skip(&object("inbox", "receipts")), None);
    assert_eq!(set.skip(&object("other", "receipts/1.json")), None);
    for (prefix, says) in [
        ("s3://inbox", "no prefix"),
        ("s3://inbox/", "no prefix"),
        ("inbox/receipts", "s3://BUCKET/PREFIX/"),
        ("s3:///receipts", "names no bucket"),
        ("s3://inbox//a", "two `/`"),
    ] {
        let problem = problem("RECEIPT_PREFIX", prefix);
        assert!(problem.contains(says), "{prefix}: {problem}");
    }
}

#[test]
fn metrics_have_names_that_cloudwatch_takes() {
    let set = settings(&[]);
    assert_eq!(
        (set.metrics_namespace.as_str(), set.service_name),
        ("s3-to-sftp", None)
    );
    let set = settings(&[
        ("POWERTOOLS_METRICS_NAMESPACE", "Partners/Files"),
        ("POWERTOOLS_SERVICE_NAME", "payroll"),
    ]);
    assert_eq!(set.metrics_namespace, "Partners/Files");
    assert_eq!(set.service_name.as_deref(), Some("payroll"));
    assert!(set.has_metrics);
    assert!(!settings(&[("POWERTOOLS_METRICS_DISABLED", "true")]).has_metrics);
    for (name, value) in [
        ("POWERTOOLS_METRICS_NAMESPACE", "AWS/Lambda"),
        ("POWERTOOLS_METRICS_NAMESPACE", ":a"),
        ("POWERTOOLS_SERVICE_NAME", "Löhne"),
        ("POWERTOOLS_SERVICE_NAME", &"x".repeat(256)),
    ] {
        assert!(problem(name, value).contains("CloudWatch"), "{value}");
    }
}
