//! What is inside of what.

use super::*;

/// The only item of an event that holds one.
fn only(bytes: &[u8]) -> Item {
    let mut items = items(bytes);
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

fn refused(bytes: &[u8]) -> EventError {
    match parse(bytes) {
        Err(error) => error,
        Ok(Event::Notification(items)) => match &items[..] {
            [Item::Refused(error)] => error.clone(),
            other => panic!("not refused: {other:?}"),
        },
        other => panic!("not refused: {other:?}"),
    }
}

mod eventbridge {
    use super::*;

    #[test]
    fn tells_all_it_knows() {
        let job = Job {
            name: name("in/red flower+é.jpg"),
            etag: Some("9b2cf535f27731c974343645a3985328".to_owned()),
            version_id: Some("096fKKXTRTtl3on89fVO.nfljtsv6qko".to_owned()),
            size: Some(1024),
            sequencer: Some("0066A1B2C3D4E5F601".to_owned()),
            time: Some(datetime!(2026-11-22 14:05:09 UTC)),
        };
        assert_eq!(only(fixture!("eventbridge-put")), Item::Job(job));
    }

    #[test]
    fn its_keys_are_not_decoded_and_those_of_notifications_are() {
        let key = "in/100%25 a+b%2Bc %.csv";
        assert_eq!(keys(&items(fixture!("eventbridge-key-as-it-is"))), [key]);
        assert_eq!(keys(&items(fixture!("sns-eventbridge"))), [key]);
        assert_eq!(
            keys(&items(fixture!("sns-put"))),
            ["in/red flower+é.jpg"],
            "a notification in the same wrapper"
        );
    }

    #[test]
    fn other_types_of_s3_are_skipped_by_name() {
        assert_eq!(
            only(fixture!("eventbridge-deleted")),
            Item::Skipped {
                name: Some(name("in/gone file.csv")),
                why: Skip::NotACreation("Object Deleted".to_owned()),
            }
        );
    }

    #[test]
    fn what_s3_has_not_said_of_an_object_is_refused() {
        for (bytes, source, detail_type) in [
            (
                fixture!("eventbridge-cloudtrail").as_slice(),
                "aws.s3",
                "AWS API Call via CloudTrail",
            ),
            (
                fixture!("eventbridge-scheduled"),
                "aws.events",
                "Scheduled Event",
            ),
            (
                fixture!("eventbridge-of-another-source"),
                "acme.uploads",
                "Object Created",
            ),
        ] {
            let error = refused(bytes);
            let expected = EventError::NotOfS3 {
                source_name: source.to_owned(),
                detail_type: detail_type.to_owned(),
            };
            assert_eq!(error, expected);
            assert!(error.to_string().contains("correct the rule's pattern"));
        }
    }

    #[test]
    fn the_major_version_has_to_be_one() {
        let of = |version: &str| {
            let event = format!(
                r#"{{"source":"aws.s3","detail-type":"Object Created","detail":{{"event-version":"{version}","bucket":{{"name":"b"}},"object":{{"key":"k"}}}}}}"#
            );
            parse(event.as_bytes())
        };
        for version in ["1.0", "1.1", "1.99", "1"] {
            assert!(of(version).is_ok(), "{version}");
        }
        for version in ["2.0", "10.1", "0.9", ""] {
            let error = of(version).unwrap_err();
            assert!(matches!(error, EventError::Version { .. }), "{error}");
            assert!(error.to_string().contains("reads 1.x"), "{error}");
        }
    }
}

#[test]
fn a_record_of_a_topic_fails_alone() {
    let items = items(fixture!("sns-some-malformed"));
    assert_eq!(keys(&items), ["in/first.csv", "-", "-", "-", "in/last.csv"]);
    let missing = EventError::Missing {
        record: 4,
        field: "Sns.Message",
    };
    assert_eq!(items[3], Item::Refused(missing));
}

#[test]
fn a_test_event_is_acknowledged_in_each_wrapper() {
    let test = Item::Skipped {
        name: None,
        why: Skip::TestEvent,
    };
    assert_eq!(parse(fixture!("s3-test-event")), Ok(Event::Test));
    assert_eq!(only(fixture!("sns-test-event")), test);
    for message in messages(fixture!("sqs-mixed")) {
        let id = message.id.unwrap();
        if id.starts_with("test") {
            assert_eq!(message.content, Ok(vec![test.clone()]), "{id}");
        }
    }
    let text = std::str::from_utf8(fixture!("s3-test-event")).unwrap();
    let failure = format!(r#"{{"requestPayload":{text}}}"#);
    assert_eq!(only(failure.as_bytes()), test);
}

/// A test event has no records; what has some and calls itself one would be lost if it were believed.
#[test]
fn records_are_never_taken_for_a_test_event() {
    let event = br#"{"Event":"s3:TestEvent","Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}"#;
    assert_eq!(keys(&items(event)), ["k"]);
}

#[test]
fn the_record_of_a_failed_invocation_is_what_the_invocation_was() {
    let expected = ["in/red flower+é.jpg"];
    for bytes in [
        fixture!("failure-of-s3").as_slice(),
        fixture!("failure-of-s3-too-old"),
        fixture!("failure-of-sns"),
        fixture!("failure-of-eventbridge"),
        fixture!("failure-of-s3-by-eventbridge"),
    ] {
        assert_eq!(keys(&items(bytes)), expected);
    }
    assert_eq!(
        keys(&items(fixture!("failure-of-queue"))),
        ["in/red flower.jpg"]
    );
    let error = refused(fixture!("failure-of-another-function"));
    assert!(matches!(error, EventError::NotAnEvent { .. }), "{error}");
    assert!(error.to_string().contains("orderId"), "{error}");
}

#[test]
fn what_is_written_by_hand_is_taken_as_it_is() {
    assert_eq!(
        keys(&items(fixture!("written-object"))),
        ["in/100%25 a+b.csv"]
    );
    let Item::Job(job) = only(fixture!("written-object-version")) else {
        panic!("no job");
    };
    assert_eq!(
        job.version_id.as_deref(),
        Some("096fKKXTRTtl3on89fVO.nfljtsv6qko")
    );
    assert_eq!(
        keys(&items(fixture!("written-list"))),
        ["in/100%25 a+b.csv", "/leading slash.csv", "in/b.csv"]
    );
    let list = items(fixture!("written-list-some-malformed"));
    assert_eq!(
        keys(&list),
        ["in/a.csv", "-", "-", "-", "-", "-", "in/last.csv"]
    );
    let missing = EventError::Missing {
        record: 1,
        field: "key",
    };
    assert_eq!(refused(fixture!("written-object-no-key")), missing);
}

#[test]
fn a_list_that_names_nothing_is_no_event() {
    for list in ["[]", "[1,2]", r#"["a","b"]"#, "[[]]"] {
        let error = refused(list.as_bytes());
        assert!(matches!(error, EventError::NotAnEvent { .. }), "{error}");
    }
}

/// Whoever may publish to a topic or put events on a bus is not whoever may invoke the function or write to its queue.
#[test]
fn a_continuation_is_taken_from_a_queue_or_an_invocation_only() {
    assert!(matches!(only(fixture!("continuation")), Item::Continued(_)));
    assert!(matches!(
        only(fixture!("failure-of-continuation")),
        Item::Continued(_)
    ));
    let place = EventError::HandOver(HandOverRefused::Place);
    assert_eq!(refused(fixture!("sns-continuation")), place);
    assert_eq!(
        refused(fixture!("failure-of-continuation-by-eventbridge")),
        place
    );
    for message in messages(fixture!("sqs-mixed")) {
        let content = message.content.ok();
        match message.id.as_deref().unwrap() {
            "continuation" => assert!(matches!(content.unwrap()[..], [Item::Continued(_)])),
            "continuation-by-sns" => assert_eq!(content, Some(vec![Item::Refused(place.clone())])),
            _ => {}
        }
    }
}

#[test]
fn what_is_wrapped_too_often_is_refused_and_takes_nobody_along() {
    assert_eq!(keys(&items(fixture!("wrapped-two"))), ["in/deep file.csv"]);
    let four = messages(fixture!("wrapped-four"));
    assert_eq!(
        keys(four[0].content.as_ref().unwrap()),
        ["in/deep file.csv"]
    );
    let five = messages(fixture!("wrapped-five"));
    assert_eq!(keys(five[0].content.as_ref().unwrap()), ["in/good.csv"]);
    let [Item::Refused(error)] = &five[1].content.as_ref().unwrap()[..] else {
        panic!("{:?}", five[1].content);
    };
    assert!(matches!(error, EventError::TooDeep { .. }), "{error}");
    assert!(matches!(
        refused(fixture!("wrapped-sixty")),
        EventError::TooDeep { .. }
    ));
}

/// Whatever is inside of what: nothing panics, nothing is read that is not there, and nothing is passed over in
/// silence.
mod any_nesting {
    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum Wrapper {
        Queue,
        Topic,
        QueuedTopic,
        Failure,
        Bus,
    }

    fn wrap(wrapper: Wrapper, inner: &str) -> String {
        let text = serde_json::Value::from(inner);
        match wrapper {
            Wrapper::Queue => {
                format!(
                    r#"{{"Records":[{{"messageId":"m","eventSource":"aws:sqs","body":{text}}}]}}"#
                )
            }
            Wrapper::Topic => {
                format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{{"Message":{text}}}}}]}}"#)
            }
            Wrapper::QueuedTopic => format!(r#"{{"Type":"Notification","Message":{text}}}"#),
            Wrapper::Failure => format!(r#"{{"version":"1.0","requestPayload":{inner}}}"#),
            Wrapper::Bus => format!(
                r#"{{"source":"lambda","detail-type":"Lambda Function Invocation Result - Failure","detail":{inner}}}"#
            ),
        }
    }

    fn all(event: Result<Event, EventError>) -> Vec<Item> {
        match event {
            Ok(Event::Notification(items)) => items,
            Ok(Event::Queue(messages)) => messages
                .into_iter()
                .flat_map(|it| {
                    it.content
                        .unwrap_or_else(|error| vec![Item::Refused(error)])
                })
                .collect(),
            Ok(Event::Test | Event::BatchOperations(_) | Event::Sweep(_) | Event::Check(_)) => {
                Vec::new()
            }
            Err(error) => vec![Item::Refused(error)],
        }
    }

    proptest! {
        #[test]
        fn is_read_or_refused(wrappers in proptest::collection::vec(
            proptest::sample::select(vec![
                Wrapper::Queue, Wrapper::Topic, Wrapper::QueuedTopic, Wrapper::Failure, Wrapper::Bus,
            ]),
            0..8,
        )) {
            let notification = r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k+1"}}}]}"#;
            let event = wrappers.iter().fold(notification.to_owned(), |inner, it| wrap(*it, &inner));
            let items = all(parse(event.as_bytes()));
            if wrappers.len() <= usize::from(WRAPPERS) {
                prop_assert_eq!(keys(&items), ["k 1"]);
            } else {
                let is_refused = matches!(items[..], [Item::Refused(EventError::TooDeep { .. })]);
                prop_assert!(is_refused, "{:?}", items);
            }
        }
    }
}
