//! Receipts for others: `RECEIPT_BUS` and `RECEIPT_PREFIX`.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::aws_calls::Answer;
use testkit::event::ObjectRef;
use testkit::receipt;
use testkit::runtime_api::Invocation;
use testkit::s3;

use crate::time::SHORT;
use crate::world::{BUCKET, World, counts, notification};

const PUBLISHED: [(&str, &str); 2] = [
    ("RECEIPT_BUS", "partners"),
    ("RECEIPT_PREFIX", "s3://inbox/receipts"),
];

/// A try that is given up after three seconds, and another one; less than any other limit of AWS's SDK or of ours.
const TWO_TRIES: Duration = Duration::from_secs(9);

/// The keys of the receipts.
fn receipts(world: &World) -> Vec<String> {
    let keys = world.s3.keys(BUCKET).into_iter();
    keys.filter(|key| key.starts_with("receipts/")).collect()
}

#[tokio::test]
async fn a_delivery_is_an_event_and_an_object_and_a_failure_is_an_event() {
    let world = World::new().await;
    let _bootstrap = world.start(&PUBLISHED);
    let objects = [world.upload("a", "123"), world.upload("../b", "1")];
    let outcome = world.api.invoke(notification(&objects)).await;
    assert_eq!(outcome.error().0, "RemotePathRefused");
    let gone = ObjectRef::new("gone", 1, "e");
    world.api.invoke(notification(&[gone])).await.response();

    let events: Vec<Value> = world
        .aws
        .of("PutEvents")
        .iter()
        .flat_map(|call| call.body["Entries"].as_array().cloned().unwrap_or_default())
        .collect();
    let mut details = Vec::new();
    for event in &events {
        assert_eq!(event["EventBusName"], "partners", "{event}");
        assert_eq!(event["Source"], "s3-to-sftp", "{event}");
        let detail: Value =
            serde_json::from_str(event["Detail"].as_str().expect("text")).expect("JSON");
        receipt::check(&detail);
        details.push((event["DetailType"].clone(), detail));
    }
    details.sort_by_key(|(kind, _)| kind.to_string());
    let [(delivered, delivery), (failed, failure)] = &details[..] else {
        panic!("nothing is told of what was gone already, and not {details:#?}");
    };
    assert_eq!(
        (failed, delivered),
        (&json!("File Delivery Failed"), &json!("File Delivered"))
    );
    assert_eq!(failure["error_type"], "RemotePathRefused");
    assert_eq!(
        (&delivery["key"], &delivery["source"]),
        (&json!("a"), &json!("deleted"))
    );

    let keys = receipts(&world);
    let [key] = &keys[..] else {
        panic!("one object for the one delivery, and not {keys:?}");
    };
    let object = world.s3.store().get(BUCKET, key).expect("it is there");
    let object: Value = serde_json::from_slice(&object).expect("JSON");
    assert_eq!(&object, delivery);
    let time = object["time"].as_str().expect("a time");
    let day = time[..10].replace('-', "/");
    assert!(key.starts_with(&format!("receipts/{day}/")), "{key}");

    // Its own event comes, where the trigger covers the prefix.
    let event = notification(&[ObjectRef::new(key, 1, "e")]);
    let outcome = world.api.invoke(event).await;
    assert_eq!(counts(outcome.response()), [0, 0, 1, 0, 0]);
    assert_eq!(receipts(&world), keys, "no receipt of a receipt");
    world.assert_tree(&["a"]);
}

/// A line at ERROR each, which is a metric too; nothing is sent again for it.
#[tokio::test]
async fn what_cannot_be_published_fails_no_delivery() {
    let refused = |call: &testkit::aws_calls::Call| match call.action.as_str() {
        "PutEvents" => Answer::Refused(400, "AccessDeniedException"),
        _ => Answer::Well,
    };
    let failed = |call: &testkit::aws_calls::Call| match call.action.as_str() {
        "PutEvents" => Answer::Body(json!({
            "FailedEntryCount": 1,
            "Entries": [{ "ErrorCode": "InternalFailure", "ErrorMessage": "as the test says" }],
        })),
        _ => Answer::Well,
    };
    for (bus, says) in [
        (
            Box::new(refused) as Box<dyn FnMut(&testkit::aws_calls::Call) -> Answer + Send>,
            "AccessDenied",
        ),
        (Box::new(failed), "InternalFailure"),
    ] {
        let world = World::new().await;
        let bootstrap = world.start(&PUBLISHED);
        world.aws.answer(bus);
        world.s3.hook(|request| {
            if request.operation == "PutObject" {
                s3::Action::access_denied()
            } else {
                s3::Action::Pass
            }
        });
        let outcome = world.api.invoke(world.uploaded("a", "1")).await;
        assert_eq!(outcome.response()["delivered"], 1, "{outcome:?}");
        assert_eq!(world.file("a"), b"1");
        assert!(!world.has_source("a"));
        for text in [says, "s3:PutObject"] {
            let line = bootstrap
                .wait_for_line(move |line| {
                    line.contains("ReceiptNotPublished") && line.contains(text)
                })
                .await;
            let line: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(line["level"], "ERROR", "{line}");
            assert_eq!(line["ReceiptNotPublished"], 1, "{line}");
            assert_eq!(line["object"], "s3://inbox/a", "{line}");
        }
    }
}

/// What is behind the first object of an event has its own time: a place that is silent for a moment does not take it away.
#[tokio::test]
async fn places_that_are_silent_once_are_asked_again_and_the_next_object_has_its_time() {
    let world = World::new().await;
    let _bootstrap = world.start(&[PUBLISHED[0], PUBLISHED[1], ("SSH_MAX_FILES", "1")]);
    let mut is_first = true;
    world.aws.answer(move |call| match call.action.as_str() {
        "PutEvents" if std::mem::take(&mut is_first) => Answer::Silence,
        _ => Answer::Well,
    });
    let mut is_first = true;
    world.s3.hook(move |request| {
        if request.operation == "PutObject" && std::mem::take(&mut is_first) {
            s3::Action::hold(std::future::pending::<()>())
        } else {
            s3::Action::Pass
        }
    });
    let objects = [world.upload("a", "1"), world.upload("b", "2")];
    let invocation = Invocation::new(notification(&objects)).time(TWO_TRIES);
    let outcome = world.api.run(&invocation).await;
    assert_eq!(outcome.response()["delivered"], 2, "{outcome:?}");
    world.assert_tree(&["a", "b"]);
    assert_eq!(receipts(&world).len(), 2);
    assert_eq!(world.aws.of("PutEvents").len(), 3, "one is asked again");
}

#[tokio::test]
async fn a_bus_that_is_silent_ends_before_lambdas_deadline_and_the_delivery_stands() {
    let world = World::new().await;
    let bootstrap = world.start(&[(
        "RECEIPT_BUS",
        "arn:aws:events:eu-north-1:123456789012:event-bus/partners",
    )]);
    world.aws.answer(|call| match call.action.as_str() {
        "PutEvents" => Answer::Silence,
        _ => Answer::Well,
    });
    let event = world.uploaded("a", "1");
    let outcome = world.api.run(&Invocation::new(event).time(SHORT)).await;
    assert_eq!(outcome.response()["delivered"], 1, "{outcome:?}");
    assert!(!world.has_source("a"));
    bootstrap
        .wait_for_line(|line| {
            line.contains("ReceiptNotPublished") && line.contains("time was over")
        })
        .await;
    let calls = world.aws.of("PutEvents");
    assert!(
        calls
            .iter()
            .all(|call| call.region.as_deref() == Some("eu-north-1")),
        "the bus's own region: {calls:?}"
    );
}
