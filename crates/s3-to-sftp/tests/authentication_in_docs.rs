//! docs/authentication.md against the tests that it names: the table of keys has a cell for each test of the matrix and the
//! other way round, and every other test that a table or a list names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_table_of_keys_is_the_matrix_of_tests() {
    let docs = read("../../docs/authentication.md");
    let table = between(&docs, "<!-- keys -->", "<!-- /keys -->");
    let in_docs: Vec<&str> = in_backticks(table).collect();
    let matrix = read("tests/delivery/keys/matrix.rs");
    let in_code = cells(between(&matrix, "\ncells! {", "\n}"));
    let of_docs: BTreeSet<&str> = in_docs.iter().copied().collect();
    assert_eq!(
        of_docs.len(),
        in_docs.len(),
        "a cell stands twice in the table"
    );
    assert!(!in_code.is_empty());
    assert_eq!(of_docs, in_code.iter().map(String::as_str).collect());
    // And each stands in its row and its column.
    let rows: Vec<Vec<&str>> = table.lines().filter_map(row).collect();
    let [_, _, rows @ ..] = rows.as_slice() else {
        panic!("no table")
    };
    for row in rows {
        let names = row[1..].iter().filter_map(|cell| in_backticks(cell).next());
        let formats: BTreeSet<&str> = names.filter_map(|name| name.split("::").last()).collect();
        assert_eq!(formats.len(), 1, "{row:?}");
    }
    for column in 1..rows[0].len() {
        let names = rows
            .iter()
            .filter_map(|row| in_backticks(row[column]).next());
        let types: BTreeSet<&str> = names.filter_map(|name| name.split("::").next()).collect();
        assert_eq!(types.len(), 1, "{types:?}");
    }
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let docs = read("../../docs/authentication.md");
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        &mut files,
    );
    let code = files.concat();
    // A test's name is a sentence; settings and programs that stand in backticks too are none.
    let is_sentence = |name: &&str| {
        name.matches('_').count() >= 3
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let named: Vec<&str> = in_backticks(&docs).filter(is_sentence).collect();
    assert!(!named.is_empty());
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "{name} is no test");
    }
}

/// `module of kind => format format;`, each format of each module.
fn cells(list: &str) -> BTreeSet<String> {
    let mut cells = BTreeSet::new();
    for line in list.split(';') {
        let Some((module, formats)) = line.split_once("=>") else {
            continue;
        };
        let module = module.split_whitespace().next().expect("a module's name");
        for format in formats.split_whitespace() {
            cells.insert(format!("{module}::{format}"));
        }
    }
    cells
}

fn row(line: &str) -> Option<Vec<&str>> {
    let line = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(line.split('|').map(str::trim).collect())
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(begin)
        .unwrap_or_else(|| panic!("no {begin}"));
    let (inside, _) = rest.split_once(end).unwrap_or_else(|| panic!("no {end}"));
    inside
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn sources(directory: &Path, files: &mut Vec<String>) {
    let mut paths = vec![PathBuf::from(directory)];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            paths.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}")),
            );
        }
    }
}
