#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use ::time::macros::datetime;
use proptest::prelude::*;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/events/",
            $name,
            ".json"
        ))
    };
}

mod wrappers;

fn items(bytes: &[u8]) -> Vec<Item> {
    match parse(bytes).unwrap() {
        Event::Notification(items) => items,
        other => panic!("no notification: {other:?}"),
    }
}

fn messages(bytes: &[u8]) -> Vec<Message> {
    match parse(bytes).unwrap() {
        Event::Queue(messages) => messages,
        other => panic!("no queue: {other:?}"),
    }
}

fn name(key: &str) -> ObjectName {
    ObjectName {
        bucket: "acme-inbox".to_owned(),
        key: key.to_owned(),
    }
}

/// The jobs' keys; everything else as `-`.
fn keys(items: &[Item]) -> Vec<&str> {
    let key = |item| match item {
        &Item::Job(Job { ref name, .. }) => name.key.as_str(),
        _ => "-",
    };
    items.iter().map(key).collect()
}

mod notifications {
    use super::*;

    #[test]
    fn tell_all_they_know() {
        let job = Job {
            name: name("in/red flower+é.jpg"),
            etag: Some("9b2cf535f27731c974343645a3985328".to_owned()),
            version_id: Some("096fKKXTRTtl3on89fVO.nfljtsv6qko".to_owned()),
            size: Some(1024),
            sequencer: Some("0066A1B2C3D4E5F601".to_owned()),
            time: Some(datetime!(2026-11-22 14:05:09.123 UTC)),
        };
        assert_eq!(items(fixture!("s3-put")), [Item::Job(job)]);
    }

    #[test]
    fn every_kind_of_creation_is_a_job_also_of_zero_bytes() {
        let items = items(fixture!("s3-every-creation"));
        assert_eq!(
            keys(&items),
            ["in/0.csv", "in/1.csv", "in/2.csv", "in/3.csv", "in/4.csv"]
        );
    }

    #[test]
    fn etags_lose_quotes_and_weakness() {
        let items = items(fixture!("s3-every-creation"));
        let etags: Vec<_> = items
            .into_iter()
            .map(|item| match item {
                Item::Job(job) => job.etag.unwrap(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(etags[1], "9b2cf535f27731c974343645a3985328");
        assert_eq!(etags[2], etags[1]);
        assert_eq!(etags[3], "3858f62230ac3c915f300c664312c11f-7");
        assert_eq!(etags[4], etags[1]);
    }

    #[test]
    fn other_events_are_skipped_by_name() {
        let items = items(fixture!("s3-not-creations"));
        let expected = [
            ("in/gone file.csv", "ObjectRemoved:Delete"),
            ("in/gone.csv", "ObjectRemoved:DeleteMarkerCreated"),
            ("in/old.csv", "ObjectRestore:Completed"),
            ("in/a.csv", "s3:ObjectTagging:Put"),
        ]
        .map(|(key, event)| Item::Skipped {
            name: Some(name(key)),
            why: Skip::NotACreation(event.to_owned()),
        });
        assert_eq!(items, expected);
        assert_eq!(
            Skip::NotACreation("ObjectRemoved:Delete".to_owned()).to_string(),
            "skipped: the event is \"ObjectRemoved:Delete\", and only creations are delivered (ObjectCreated:*; Object Created)"
        );
    }

    #[test]
    fn folder_markers_are_skipped_but_only_empty_ones() {
        let items = items(fixture!("s3-folder-marker"));
        assert_eq!(
            items[0],
            Item::Skipped {
                name: Some(name("in/2026/")),
                why: Skip::FolderMarker
            }
        );
        assert_eq!(keys(&items), ["-", "in/odd/", "in/2026/a.csv"]);
    }

    #[test]
    fn other_senders_leave_fields_out() {
        assert_eq!(keys(&items(fixture!("s3-moto"))), ["my key.txt"]);
        assert_eq!(keys(&items(fixture!("s3-minio"))), ["in/a b.csv"]);
        let smallest = Job {
            name: name("a.csv"),
            etag: None,
            version_id: None,
            size: None,
            sequencer: None,
            time: None,
        };
        assert_eq!(items(fixture!("s3-smallest")), [Item::Job(smallest)]);
    }

    #[test]
    fn a_malformed_record_fails_alone() {
        let items = items(fixture!("s3-some-malformed"));
        assert_eq!(
            keys(&items),
            [
                "in/first.csv",
                "-",
                "-",
                "-",
                "-",
                "-",
                "-",
                "in/odd.csv",
                "in/last.csv"
            ]
        );
        let refused = |index: usize| match &items[index] {
            Item::Refused(error) => error.clone(),
            other => panic!("not refused: {other:?}"),
        };
        let missing = |record, field| EventError::Missing { record, field };
        assert_eq!(refused(1), missing(2, "s3.object.key"));
        assert_eq!(refused(2), missing(3, "s3.bucket.name"));
        let key = EventError::Key {
            record: 4,
            bucket: "acme-inbox".to_owned(),
            key: "in/%FF.csv".to_owned(),
        };
        assert_eq!(refused(3), key);
        assert_eq!(
            refused(4),
            EventError::Version {
                record: 5,
                field: "eventVersion",
                version: "3.0".to_owned(),
                reads: "2",
            }
        );
        assert_eq!(refused(5), missing(6, "s3.bucket.name"));
        assert_eq!(refused(6), missing(7, "s3.object.key"));
    }

    #[test]
    fn fields_of_other_types_are_taken_for_what_they_can_be() {
        let items = items(fixture!("s3-some-malformed"));
        let odd = Job {
            name: name("in/odd.csv"),
            etag: None,
            version_id: None,
            size: Some(12),
            sequencer: None,
            time: Some(datetime!(2026-11-22 14:05:09.123 UTC)),
        };
        assert_eq!(items[7], Item::Job(odd));
    }

    #[test]
    fn the_major_version_has_to_be_two() {
        let of = |version: &str| {
            let event = format!(
                r#"{{"Records":[{{"eventVersion":"{version}","s3":{{"bucket":{{"name":"b"}},"object":{{"key":"k"}}}}}}]}}"#
            );
            items(event.as_bytes()).remove(0)
        };
        for version in ["2.0", "2.6", "2.99", "2"] {
            assert!(matches!(of(version), Item::Job(_)), "{version}");
        }
        for version in ["3.0", "1.0", "20.1", "", "x"] {
            assert!(
                matches!(of(version), Item::Refused(EventError::Version { .. })),
                "{version}"
            );
        }
        let Item::Refused(error) = of("3.0") else {
            panic!("3.0 is read");
        };
        let error = error.to_string();
        assert!(
            error.contains("\"3.0\"") && error.contains("2.x"),
            "{error}"
        );
    }

    #[test]
    fn of_no_records_are_nothing_to_do() {
        assert_eq!(parse(br#"{"Records":[]}"#), Ok(Event::Notification(vec![])));
    }

    #[test]
    fn test_events_are_known() {
        assert_eq!(parse(fixture!("s3-test-event")), Ok(Event::Test));
    }
}

mod queues {
    use super::*;

    #[test]
    fn carry_id_and_count() {
        let messages = messages(fixture!("sqs-one"));
        assert_eq!(messages.len(), 1);
        assert_eq!(
            messages[0].id.as_deref(),
            Some("19dd0b57-b21e-4ac1-bd88-01bbb068cb78")
        );
        assert_eq!(messages[0].receive_count, Some(3));
        assert_eq!(
            keys(messages[0].content.as_ref().unwrap()),
            ["in/red flower.jpg"]
        );
    }

    #[test]
    fn an_odd_body_fails_alone() {
        let messages = messages(fixture!("sqs-some-malformed"));
        let seen: Vec<_> = messages
            .iter()
            .map(|message| {
                (
                    message.id.as_deref(),
                    message.content.as_ref().map(|items| keys(items)).ok(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (Some("good"), Some(vec!["in/a.csv", "in/b.csv"])),
                (Some("garbage"), None),
                (Some("foreign"), None),
                (Some("test"), Some(vec!["-"])),
                (None, Some(vec!["in/no-id.csv"])),
                (Some("no-body"), None),
                (Some("half"), Some(vec!["in/c.csv", "-"])),
                (None, None),
                (Some("queue-in-queue"), Some(vec!["-"])),
                (Some("last"), Some(vec!["in/last.csv"])),
            ]
        );
        assert!(matches!(
            messages[1].content,
            Err(EventError::NotJson { .. })
        ));
        assert!(matches!(
            messages[2].content,
            Err(EventError::NotAnEvent { .. })
        ));
        assert_eq!(messages[5].content, Err(EventError::NoBody));
        assert!(matches!(
            messages[8].content.as_deref(),
            Ok([Item::Refused(EventError::NotAnEvent { .. })])
        ));
    }

    #[test]
    fn a_test_event_in_a_body_is_acknowledged() {
        let messages = messages(fixture!("sqs-some-malformed"));
        assert_eq!(
            messages[3].content,
            Ok(vec![Item::Skipped {
                name: None,
                why: Skip::TestEvent
            }])
        );
    }

    #[test]
    fn counts_may_be_absent_or_odd() {
        let messages = messages(fixture!("sqs-some-malformed"));
        assert_eq!(messages[4].receive_count, None);
        assert_eq!(messages[9].receive_count, Some(2));
    }

    /// A batch of 5,000 (the most that a mapping allows is 10,000) has to be read in no time that counts:
    /// nothing may be quadratic. Bounded generously here, for a debug build on a busy machine.
    #[test]
    fn large_batches_are_read_in_linear_time() {
        let one = String::from_utf8(fixture!("sqs-one").to_vec()).unwrap();
        let event: serde_json::Value = serde_json::from_str(&one).unwrap();
        let record = event["Records"][0].to_string();
        let batch = format!(r#"{{"Records":[{}]}}"#, vec![record; 5_000].join(","));

        let started = std::time::Instant::now();
        let messages = messages(batch.as_bytes());
        let took = started.elapsed();
        assert_eq!(messages.len(), 5_000);
        assert!(
            took < std::time::Duration::from_secs(5),
            "{took:?} for {} bytes",
            batch.len()
        );
    }
}

mod others {
    use super::*;

    #[test]
    fn say_what_was_expected_and_what_was_found() {
        for bytes in [
            fixture!("other-service").as_slice(),
            b"{}",
            b"[]",
            b"null",
            b"1",
            br#"{"Records":"x"}"#,
        ] {
            let error = parse(bytes).unwrap_err();
            assert!(matches!(error, EventError::NotAnEvent { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("expected an S3 event notification"), "{text}");
        }
        let text = parse(br#"{"hello":"world"}"#).unwrap_err().to_string();
        assert!(text.ends_with(r#"found: {"hello":"world"}"#), "{text}");
    }

    #[test]
    fn that_are_no_json_are_shown_too() {
        let error = parse(b"garbage \x1b[2J\n\xff").unwrap_err();
        assert!(matches!(error, EventError::NotJson { .. }));
        let text = error.to_string();
        assert!(
            text.ends_with("found: garbage \\u{1b}[2J\\n\u{fffd}"),
            "{text}"
        );
        assert!(matches!(parse(b""), Err(EventError::NotJson { .. })));
    }

    #[test]
    fn are_shown_by_their_first_200_bytes_cut_between_characters() {
        let found = |text: &str| match parse(text.as_bytes()) {
            Err(EventError::NotJson { found, .. }) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(found(&"x".repeat(200)), "x".repeat(200));
        assert_eq!(found(&"x".repeat(201)), format!("{}…", "x".repeat(200)));
        // The 200th byte is the first of an `ä`.
        let text = format!("{}{}", "x".repeat(199), "ä".repeat(9));
        assert_eq!(found(&text), format!("{}…", "x".repeat(199)));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_record_is_lost(kinds in proptest::collection::vec(0..5_usize, 1..20)) {
            let good = r#"{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}"#;
            let choices = [good, "7", "null", r#"{"s3":{"bucket":{"name":"b"},"object":{}}}"#, r#"{"s3":[]}"#];
            let records: Vec<_> = kinds.iter().map(|kind| choices[*kind]).chain([good]).collect();
            let event = format!(r#"{{"Records":[{}]}}"#, records.join(","));
            let items = items(event.as_bytes());
            prop_assert_eq!(items.len(), records.len());
            for (item, record) in items.iter().zip(records) {
                prop_assert_eq!(matches!(item, Item::Job(_)), record == good);
            }
        }
    }
}
