//! A queue, and a bucket, that we did not write.

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName};
use testkit::program::Ended;
use testkit::servers::MiniStack;

use crate::world::{BUCKET, World};

/// Messages that can be seen, and that are hidden.
async fn held(sqs: &aws_sdk_sqs::Client, url: &str) -> (String, String) {
    let (seen, hidden) = (
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    );
    let request = sqs.get_queue_attributes().queue_url(url);
    let request = request
        .attribute_names(seen.clone())
        .attribute_names(hidden.clone());
    let answer = request.send().await.expect("MiniStack tells");
    let number = |name| answer.attributes().and_then(|it| it.get(&name)).cloned();
    (
        number(seen).unwrap_or_default(),
        number(hidden).unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_queue_of_ministack_is_listed_and_replayed() {
    let ministack = MiniStack::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(ministack.endpoint())
        .build();
    let sqs = aws_sdk_sqs::Client::from_conf(config);
    let created = sqs.create_queue().queue_name("dead").send().await;
    let url = created.expect("it is made").queue_url.expect("its URL");
    let world = World::new().await;
    for number in 0..23 {
        let why = MessageAttributeValue::builder()
            .data_type("String")
            .string_value("LoginRefused")
            .build()
            .expect("a type");
        let body = world.uploaded(&format!("in/{number}")).to_string();
        let request = sqs.send_message().queue_url(&url).message_body(body);
        let sent = request.message_attributes("ErrorType", why).send().await;
        sent.expect("MiniStack takes it");
    }
    let run = async |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env("AWS_ENDPOINT_URL_SQS", ministack.endpoint());
        Ended::of(command).await
    };
    let ended = run(&[&url]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.stdout.matches("LoginRefused").count(),
        23,
        "{ended:?}"
    );
    assert_eq!(held(&sqs, &url).await, ("23".into(), "0".into()));
    let ended = run(&["--yes", &url]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.matches("delivered s3://inbox/in/").count(), 23);
    assert_eq!(held(&sqs, &url).await, ("0".into(), "0".into()));
    assert_eq!(world.s3.keys(BUCKET), [""; 0]);
}

/// A bucket as the destination of failed invocations.
#[tokio::test]
async fn records_in_a_bucket_of_ministack_are_listed_and_replayed() {
    let ministack = MiniStack::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(ministack.endpoint())
        .force_path_style(true)
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    let world = World::new().await;
    for bucket in [BUCKET, "failed"] {
        s3.create_bucket()
            .bucket(bucket)
            .send()
            .await
            .expect("it is made");
    }
    let put = async |bucket: &str, key: String, body: String| {
        let put = s3.put_object().bucket(bucket).key(key);
        put.body(body.into_bytes().into())
            .send()
            .await
            .expect("it is put");
    };
    for number in 0..12 {
        let key = format!("in/{number}");
        put(BUCKET, key.clone(), key.clone()).await;
        let event = testkit::event::notification(
            BUCKET,
            &[testkit::event::ObjectRef::new(&key, 1, "etag")],
        );
        let record = serde_json::json!({
            "requestContext": { "condition": "RetriesExhausted" },
            "requestPayload": event,
        });
        put(
            "failed",
            format!("aws/lambda/async/acme/{number:02}"),
            record.to_string(),
        )
        .await;
    }
    let run = async |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.envs(ministack.env());
        Ended::of(command).await
    };
    let keys = async |bucket: &str| {
        let listed = s3.list_objects_v2().bucket(bucket).send().await;
        listed.expect("it is listed").contents().len()
    };
    let ended = run(&["s3://failed/aws/"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.stdout.matches("RetriesExhausted").count(),
        12,
        "{ended:?}"
    );
    let ended = run(&["--yes", "s3://failed/aws/"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout.matches("delivered s3://inbox/in/").count(), 12);
    assert_eq!((keys("failed").await, keys(BUCKET).await), (0, 0));
}
