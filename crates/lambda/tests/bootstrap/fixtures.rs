//! Every file in `fixtures/events/` through the function: what it has to deliver, and whether it has to fail, stands in
//! `expected.txt` beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::world::{World, failures};

const OF_FIXTURES: &str = "acme-inbox";

/// What is expected of an event, or of a message.
#[derive(Debug, Default)]
struct Expected {
    keys: Vec<String>,
    /// There, and not to be delivered.
    kept: Vec<String>,
    fails: bool,
    /// Of each message by its id, in order. A nameless one has none.
    messages: Vec<(String, bool)>,
    /// Of each task likewise.
    tasks: Vec<(String, bool)>,
}

#[tokio::test]
async fn every_fixture_is_answered_as_expected() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events");
    let expected = fs::read_to_string(directory.join("expected.txt")).expect("it is there");
    let expected = read(&expected);
    assert!(expected.len() > 40, "{}", expected.len());

    let world = World::new().await;
    world.s3.create_bucket(OF_FIXTURES);
    let _bootstrap = world.start(&[crate::sweep::SENDS]);
    for (name, expected) in &expected {
        for key in expected.keys.iter().chain(&expected.kept) {
            world.s3.put(OF_FIXTURES, key, name.clone());
        }
        let path = directory.join(format!("{name}.json"));
        let event: Value =
            serde_json::from_slice(&fs::read(path).expect("it is there")).expect("JSON");
        let outcome = world.api.invoke(event).await;
        if !expected.tasks.is_empty() {
            assert_tasks(name, &expected.tasks, outcome.response());
        } else if expected.messages.is_empty() {
            let is_error = matches!(outcome, testkit::runtime_api::Outcome::Error { .. });
            assert_eq!(is_error, expected.fails, "{name}: {outcome:?}");
        } else if expected
            .messages
            .iter()
            .any(|(id, fails)| *fails && id == "(nameless)")
        {
            assert_eq!(outcome.error().0, "EventNotUnderstood", "{name}");
        } else {
            let failed = expected.messages.iter().filter(|(_, fails)| *fails);
            let failed: Vec<&str> = failed.map(|(id, _)| id.as_str()).collect();
            assert_eq!(outcome.response(), &failures(&failed), "{name}");
        }
        for key in &expected.kept {
            assert!(world.s3.exists(OF_FIXTURES, key), "{name}: {key}");
            world.s3.delete(OF_FIXTURES, key);
        }
        for key in &expected.keys {
            let is_delivered = !world.s3.exists(OF_FIXTURES, key);
            assert_eq!(is_delivered, is_path(key), "{name}: {key}");
            if is_delivered {
                assert_eq!(world.file(key), name.as_bytes(), "{name}: {key}");
            }
            world.s3.delete(OF_FIXTURES, key);
        }
    }
}

#[track_caller]
fn assert_tasks(name: &str, tasks: &[(String, bool)], answer: &Value) {
    let results = answer["results"].as_array().expect("results");
    let tasks: Vec<_> = tasks.iter().filter(|(id, _)| id != "(nameless)").collect();
    assert_eq!(results.len(), tasks.len(), "{name}: {answer}");
    for (result, (id, fails)) in results.iter().zip(tasks) {
        let code = if *fails {
            "PermanentFailure"
        } else {
            "Succeeded"
        };
        assert_eq!(result["taskId"], id.as_str(), "{name}: {answer}");
        assert_eq!(result["resultCode"], code, "{name}: {answer}");
    }
}

fn read(text: &str) -> BTreeMap<String, Expected> {
    let mut all = BTreeMap::new();
    for paragraph in text.split("\n\n") {
        let mut lines = paragraph.lines();
        let Some(name) = lines.next().filter(|name| !name.is_empty()) else {
            continue;
        };
        let mut expected = Expected::default();
        for line in lines.map(str::trim) {
            if let Some(message) = line.strip_prefix("message ") {
                let id = message.split(" of group ").next().unwrap_or_default();
                expected.messages.push((id.to_owned(), false));
            }
            if let Some(id) = line.strip_prefix("task ") {
                expected.tasks.push((id.to_owned(), false));
            }
            // The bucket keeps none.
            if line.starts_with("only version ") {
                expected.kept.extend(expected.keys.pop());
                expected.fails = true;
                if let Some((_, fails)) = expected.tasks.last_mut() {
                    *fails = true;
                }
            }
            let named = ["deliver ", "go on with "]
                .iter()
                .find_map(|verb| line.strip_prefix(verb));
            let key = named.and_then(|it| it.strip_prefix("s3://acme-inbox/"));
            if let Some(key) = key {
                expected.keys.push(key.to_owned());
            }
            if line.starts_with("refused: ") || key.is_some_and(|key| !is_path(key)) {
                expected.fails = true;
                if let Some((_, fails)) = expected.tasks.last_mut() {
                    *fails = true;
                }
                if let Some((_, fails)) = expected.messages.last_mut() {
                    *fails = true;
                }
            }
        }
        all.insert(name.to_owned(), expected);
    }
    all
}

/// Whether a key makes a path on the server.
fn is_path(key: &str) -> bool {
    !key.starts_with('/') && !key.ends_with('/')
}
