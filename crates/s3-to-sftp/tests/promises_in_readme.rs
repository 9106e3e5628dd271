//! A promise, its line in the README and its test are one thing: every test that the README's table of promises names
//! is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- promises -->";
const END: &str = "<!-- /promises -->";

#[test]
fn every_test_that_the_promises_name_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md");
    let functions = functions(&root.join("crates"));

    let rows = rows(&readme);
    assert!(!rows.is_empty(), "README.md lists no promise");
    for (promise, tests) in rows {
        assert!(!tests.is_empty(), "no test keeps {promise:?}");
        for test in tests {
            assert!(
                functions.contains(test),
                "README.md promises {promise:?} and names `{test}`: there is no such test in crates/"
            );
        }
    }
}

/// The check would find a test that is gone: a checker that always agrees is none.
#[test]
fn a_promise_without_its_test_is_found() {
    let readme = format!(
        "{BEGIN}\n| promise | tests |\n|---|---|\n| `x` holds. | `no_such_test`, `and_another` |\n{END}"
    );
    assert_eq!(
        rows(&readme),
        [("`x` holds.", vec!["no_such_test", "and_another"])]
    );
    let here = functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"));
    assert!(here.contains("a_promise_without_its_test_is_found"));
    assert!(!here.contains("no_such_test"));
}

/// The promises, and the names in backticks in the last column.
fn rows(readme: &str) -> Vec<(&str, Vec<&str>)> {
    let (_, rest) = readme
        .split_once(BEGIN)
        .expect("README.md has the opening mark");
    let (table, _) = rest
        .split_once(END)
        .expect("README.md has the closing mark");
    // Behind the heading and the line below it.
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| {
            let (promise, tests) = line
                .trim_matches('|')
                .split_once(" | ")
                .expect("a promise and its tests");
            (
                promise.trim(),
                tests.split('`').skip(1).step_by(2).collect(),
            )
        })
        .collect()
}

/// The names of all functions in the Rust files below `directory`.
fn functions(directory: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut paths = vec![PathBuf::from(directory)];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            paths.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            names.extend(text.lines().filter_map(function));
        }
    }
    names
}

/// The name of the function that begins on this line; none in a comment.
fn function(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    if before.contains("//") || before.contains('"') {
        return None;
    }
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (after[end..].starts_with(['(', '<'])).then(|| after[..end].to_owned())
}
