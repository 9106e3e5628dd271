//! Every file in `fixtures/events/`, and what is read in it: `fixtures/events/expected.txt`, which
//! `WRITE_EXPECTED=1 cargo test -p s3-to-sftp --test events_in_fixtures` writes anew, to be looked through.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use s3_to_sftp::event::batch_operations::Task;
use s3_to_sftp::event::{Event, Item, Message, parse};

#[test]
fn every_fixture_is_read_as_expected() {
    let directory = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/events"
    ));
    let mut paths: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    paths.sort();
    let mut found = String::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        writeln!(found, "{name}\n{}", indented(&event(&bytes))).unwrap();
    }
    let expected = directory.join("expected.txt");
    if env::var_os("WRITE_EXPECTED").is_some() {
        fs::write(&expected, &found).unwrap();
    }
    let expected = fs::read_to_string(expected).unwrap();
    for (found, expected) in found.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

#[test]
fn the_examples_of_the_docs_are_fixtures() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let page = fs::read_to_string(root.join("docs/events.md")).unwrap();
    let kinds = [
        "s3-",
        "sns-",
        "sqs-",
        "eventbridge-",
        "failure-of-",
        "written-",
        "wrapped-",
        "check-",
        "other-",
    ];
    let names: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| kinds.iter().any(|kind| name.starts_with(kind)))
        .filter(|name| !name.contains([' ', ':', '=', '/']))
        .collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        let path = root.join(format!("fixtures/events/{name}.json"));
        assert!(path.is_file(), "docs/events.md names {name}");
    }
}

fn event(bytes: &[u8]) -> String {
    match parse(bytes) {
        Ok(Event::Test) => "acknowledged".to_owned(),
        Ok(Event::Notification(items)) => lines(items.iter().map(item)),
        Ok(Event::Queue(messages)) => lines(messages.iter().map(message)),
        Ok(Event::BatchOperations(batch)) => lines(batch.tasks.iter().map(task)),
        Ok(Event::Sweep(Ok(sweep))) => {
            format!("sweep {sweep} of what is older than {:?}", sweep.older_than)
        }
        Ok(Event::Check(check)) => {
            let prefix = check.prefix.map(|prefix| format!(" and {prefix}"));
            let probe = if check.write { " by a probe" } else { "" };
            format!("check the way{}{probe}", prefix.unwrap_or_default())
        }
        Ok(Event::Sweep(Err(refused))) => format!("refused: {refused}"),
        Err(error) => format!("refused: {error}"),
    }
}

fn message(message: &Message) -> String {
    let id = message.id.as_deref().unwrap_or("(nameless)");
    let group = message
        .group
        .as_ref()
        .map_or_else(String::new, |group| format!(" of group {group}"));
    let content = match &message.content {
        Ok(items) => lines(items.iter().map(item)),
        Err(error) => format!("refused: {error}"),
    };
    format!("message {id}{group}\n{}", indented(&content))
}

fn task(task: &Task) -> String {
    let id = task.id.as_deref().unwrap_or("(nameless)");
    let target = match &task.target {
        Ok(target) => {
            let version = target.version_id.iter();
            let version = version.map(|it| format!("only version {it}"));
            let plus = target.with_plus.iter();
            let plus = plus.map(|it| format!("or is it {}", it.key));
            let delivery = format!("deliver {}", target.name);
            lines(std::iter::once(delivery).chain(version).chain(plus))
        }
        Err(error) => format!("refused: {error}"),
    };
    format!("task {id}\n{}", indented(&target))
}

fn item(item: &Item) -> String {
    match item {
        Item::Job(job) => format!("deliver {}", job.name),
        Item::Continued(hand_over) => format!("go on with {}", hand_over.name()),
        Item::Skipped {
            name: Some(name),
            why,
        } => format!("{name} {why}"),
        Item::Skipped { name: None, why } => why.to_string(),
        Item::Refused(error) => format!("refused: {error}"),
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn indented(text: &str) -> String {
    let line = |line: &str| format!("    {line}\n");
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(line).collect()
}
