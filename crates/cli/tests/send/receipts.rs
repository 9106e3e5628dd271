//! Receipts for others.

use serde_json::Value;
use testkit::aws_calls::{Answer, AwsCalls};
use testkit::program::Ended;
use testkit::receipt;
use testkit::s3::Action;

use crate::world::{BUCKET, World, records};

/// `send` of these arguments, with places for receipts.
async fn send(world: &World, aws: &AwsCalls, arguments: &[&str]) -> Ended {
    let mut command = world.command(&[&["send", "--json"], arguments].concat());
    command
        .envs(aws.env())
        .env("RECEIPT_BUS", "partners")
        .env("RECEIPT_PREFIX", "s3://inbox/receipts/");
    Ended::of(command).await
}

fn receipts(world: &World) -> Vec<String> {
    let keys = world.s3.keys(BUCKET).into_iter();
    keys.filter(|key| key.starts_with("receipts/")).collect()
}

#[tokio::test]
async fn what_is_printed_is_published_and_a_receipt_is_never_sent() {
    let (world, aws) = (World::new().await, AwsCalls::start().await);
    world.s3.put(BUCKET, "a", "1");
    let ended = send(&world, &aws, &["s3://inbox/a"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let [record] = &records(&ended)[..] else {
        panic!("one record: {ended:?}");
    };
    let [call] = &aws.of("PutEvents")[..] else {
        panic!("one event: {:?}", aws.actions());
    };
    let event = &call.body["Entries"][0];
    assert_eq!(event["DetailType"], "File Delivered", "{event}");
    let detail = event["Detail"].as_str().expect("text");
    let detail: Value = serde_json::from_str(detail).expect("JSON");
    receipt::check(&detail);
    assert_eq!(&detail, record);
    let keys = receipts(&world);
    let [key] = &keys[..] else {
        panic!("one object, and not {keys:?}");
    };
    let object = world.s3.store().get(BUCKET, key).expect("it is there");
    let object: Value = serde_json::from_slice(&object).expect("JSON");
    assert_eq!(&object, record);

    for more in [&[][..], &["--dry-run"]] {
        let below = [more, &["--recursive", "s3://inbox/receipts/"]].concat();
        let ended = send(&world, &aws, &below).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let records = records(&ended);
        let outcomes: Vec<&Value> = records.iter().map(|it| &it["outcome"]).collect();
        assert_eq!(outcomes, ["skipped"], "{ended:?}");
    }
    assert_eq!(world.files(), ["a"]);
    assert_eq!(receipts(&world), keys);
}

#[tokio::test]
async fn what_cannot_be_published_fails_no_delivery() {
    let (world, aws) = (World::new().await, AwsCalls::start().await);
    world.s3.put(BUCKET, "a", "1");
    aws.answer(|_| Answer::Refused(400, "AccessDeniedException"));
    world.s3.hook(|request| {
        if request.operation == "PutObject" {
            Action::access_denied()
        } else {
            Action::Pass
        }
    });
    let ended = send(&world, &aws, &["--move", "s3://inbox/a"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let records = records(&ended);
    let outcomes: Vec<&Value> = records.iter().map(|it| &it["outcome"]).collect();
    assert_eq!(outcomes, ["delivered"], "{ended:?}");
    assert_eq!(world.file("a"), b"1");
    assert!(!world.s3.exists(BUCKET, "a"));
    for next in ["grant events:PutEvents", "grant s3:PutObject"] {
        assert!(ended.stderr.contains(next), "{next}: {ended:?}");
    }
}
