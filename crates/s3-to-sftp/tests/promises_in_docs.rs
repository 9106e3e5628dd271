//! A promise, its paragraph and its test are one thing: every test that README.md, docs/guarantees.md,
//! docs/authentication.md and docs/findings.md name is there and is a test, every promise names one, and every finding is accounted for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use s3_to_sftp::quirks::QUIRKS;

const BEGIN: &str = "<!-- promises -->";
const END: &str = "<!-- /promises -->";

/// The findings are numbered from 1 to this.
const FINDINGS: u32 = 60;

#[test]
fn every_test_that_the_readme_names_is_there() {
    assert_eq!(Docs::read("README.md").in_readme(), Vec::<String>::new());
}

#[test]
fn every_promise_names_tests_and_they_are_there() {
    let docs = Docs::read("docs/guarantees.md");
    assert_eq!(docs.in_guarantees(), Vec::<String>::new());
}

#[test]
fn every_finding_is_accounted_for() {
    assert_eq!(
        Docs::read("docs/findings.md").in_findings(),
        Vec::<String>::new()
    );
}

/// Its tables name a test for each of what they promise.
#[test]
fn every_test_that_the_page_on_authentication_names_is_there() {
    let docs = Docs::read("docs/authentication.md");
    let is_test = |word: &&str| {
        let in_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.matches('_').count() >= 2 && word.chars().all(in_names)
    };
    let named: Vec<&str> = docs.text.split('`').filter(is_test).collect();
    assert!(!named.is_empty());
    let missing: Vec<_> = named
        .iter()
        .filter(|it| !docs.tests.contains(**it))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Or a server against which all promises are run: a module of those.
#[test]
fn every_test_that_the_table_of_quirks_names_is_there() {
    let docs = Docs::read("docs/servers.md");
    let worlds = ["embedded.rs", "openssh.rs", "servers.rs"].map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/delivery");
        fs::read_to_string(path.join(file)).expect("a file of the tests")
    });
    let is_there = |name: &str| {
        let module = format!("mod {name} {{");
        docs.tests.contains(name) || worlds.iter().any(|it| it.contains(&module))
    };
    let named = QUIRKS.iter().flat_map(|quirk| quirk.tests);
    let missing: Vec<_> = named.filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(
        QUIRKS
            .iter()
            .all(|it| !it.seen.is_empty() && !it.tests.is_empty())
    );
}

#[test]
fn every_cell_of_the_tables_of_logins_is_a_test() {
    let docs = Docs::read("docs/authentication.md");
    assert_eq!(docs.in_tables(), Vec::<String>::new());
}

/// A document, and the tests that there are.
struct Docs {
    text: String,
    tests: BTreeSet<String>,
}

impl Docs {
    fn read(path: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        for directory in ["crates", "dev"] {
            sources(&root.join(directory), &mut files);
        }
        let text =
            fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self {
            text,
            tests: tests(&files),
        }
    }

    /// What is wrong with the README's table.
    fn in_readme(&self) -> Vec<String> {
        // Behind the heading and the line below it.
        let rows = between_marks(&self.text).lines();
        let rows: Vec<&str> = rows.filter(|line| line.starts_with('|')).skip(2).collect();
        let mut wrong = Vec::new();
        if rows.is_empty() {
            wrong.push("there is no promise".to_owned());
        }
        for row in rows {
            let (promise, named) = split_last_cell(row);
            self.judge(promise, named, &mut wrong);
        }
        wrong
    }

    /// What is wrong with the paragraphs that promise, and with what is named behind them.
    fn in_guarantees(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let promises = paragraphs(between_marks(&self.text));
        if promises.is_empty() {
            wrong.push("there is no promise".to_owned());
        }
        for promise in promises {
            let named = promise.split_once("Tests: ").map_or("", |(_, named)| named);
            self.judge(promise, named, &mut wrong);
        }
        let (_, behind) = self.text.split_once(END).unwrap_or_default();
        for paragraph in paragraphs(behind) {
            if let Some((_, named)) = paragraph.split_once("Tests: ") {
                self.judge(paragraph, named, &mut wrong);
            }
        }
        wrong
    }

    /// What is wrong with the table of findings.
    fn in_findings(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut numbers: Vec<u32> = Vec::new();
        for row in self.text.lines().filter(|line| line.starts_with("| ")) {
            let (finding, answer) = split_last_cell(row);
            let number = finding.trim_start_matches('|').split('|').next();
            let Some(number) = number.and_then(|it| it.trim().parse().ok()) else {
                continue;
            };
            numbers.push(number);
            if !answer.starts_with("not ") {
                self.judge(finding, answer, &mut wrong);
            } else {
                self.judge_names(finding, answer, &mut wrong);
            }
        }
        numbers.sort_unstable();
        let expected: Vec<u32> = (1..=FINDINGS).collect();
        if numbers != expected {
            wrong.push(format!("the numbers are {numbers:?}"));
        }
        wrong
    }

    /// What is wrong with tables of tests: each cell behind the first names some, or says after a dash why there is none.
    fn in_tables(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let tables = self.text.split("<!-- tests -->").skip(1);
        let tables: Vec<&str> = tables
            .filter_map(|rest| Some(rest.split_once("<!-- /tests -->")?.0))
            .collect();
        if tables.is_empty() {
            wrong.push("there is no table".to_owned());
        }
        for table in tables {
            let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
            for row in rows {
                let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
                let Some((login, tests)) = cells.split_first() else {
                    continue;
                };
                for cell in tests.iter().filter(|cell| !cell.starts_with('–')) {
                    self.judge(login, cell, &mut wrong);
                }
            }
        }
        // What is listed behind the tables.
        for paragraph in paragraphs(&self.text) {
            if let Some(named) = paragraph.strip_prefix("Tests: ") {
                self.judge(paragraph, named, &mut wrong);
            }
        }
        wrong
    }

    fn judge(&self, promise: &str, named: &str, wrong: &mut Vec<String>) {
        if in_backticks(named).next().is_none() {
            wrong.push(format!("no test keeps {:?}", beginning(promise)));
        }
        self.judge_names(promise, named, wrong);
    }

    fn judge_names(&self, promise: &str, named: &str, wrong: &mut Vec<String>) {
        for test in in_backticks(named) {
            if !self.tests.contains(test) {
                wrong.push(format!("`{test}` is no test; of {:?}", beginning(promise)));
            }
        }
    }
}

fn between_marks(text: &str) -> &str {
    let (_, rest) = text.split_once(BEGIN).expect("the opening mark");
    let (promises, _) = rest.split_once(END).expect("the closing mark");
    promises
}

/// Blocks of text between empty lines, without headings.
fn paragraphs(text: &str) -> Vec<&str> {
    let blocks = text.split("\n\n").map(str::trim);
    blocks
        .filter(|block| !block.is_empty() && !block.starts_with('#'))
        .collect()
}

/// A row of a table: what stands before its last cell, and the last cell.
fn split_last_cell(row: &str) -> (&str, &str) {
    let row = row.trim_end().trim_end_matches('|');
    let (before, last) = row.rsplit_once(" | ").unwrap_or((row, ""));
    (before.trim(), last.trim())
}

fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn beginning(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The Rust files below `directory`, as text.
fn sources(directory: &Path, files: &mut Vec<String>) {
    let mut paths = vec![PathBuf::from(directory)];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            paths.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|it| it == "rs")
            // What the checker is checked with stands in it as text.
            && !path.ends_with("promises_in_docs.rs")
        {
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
            files.push(text);
        }
    }
}

/// The names of all tests: functions with a test's attribute, and those that a macro makes of a list of names. A
/// function that is only called by tests is none.
fn tests(files: &[String]) -> BTreeSet<String> {
    let makers: BTreeSet<&str> = files.iter().flat_map(|text| makers(text)).collect();
    let bodies: BTreeSet<&str> = files
        .iter()
        .flat_map(|text| text.lines().filter_map(body))
        .collect();
    let mut tests = BTreeSet::new();
    for text in files {
        tests.extend(with_attribute(text).map(str::to_owned));
        for list in lists(text, &makers) {
            for (before, name) in names(&list) {
                // `fn name() => …` and `Rule: name` stand for a whole test; a name alone for a body elsewhere.
                let is_of_a_rule = before.starts_with(char::is_uppercase) && name != "fn";
                if before == "fn" || is_of_a_rule || bodies.contains(name) {
                    tests.insert(name.to_owned());
                }
            }
        }
    }
    tests
}

fn is_attribute_of_a_test(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[test]") || line.starts_with("#[tokio::test")
}

/// The functions that have a test's attribute above them.
fn with_attribute(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        if is_attribute_of_a_test(line) {
            is_test = true;
            return None;
        }
        // Other attributes, of several lines too, and comments may stand between.
        let line = line.trim_start();
        if !is_test || line.starts_with("//") || !line.contains("fn ") {
            return None;
        }
        is_test = false;
        function(line)
    })
}

/// A body that a list can name.
fn body(line: &str) -> Option<&str> {
    function(line.strip_prefix("pub(crate) async ")?)
}

/// The name of the function that begins on this line; none for a variable of a macro.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = line.strip_prefix("fn ")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0 && rest[end..].starts_with(['(', '<'])).then(|| &rest[..end])
}

/// The macros that make tests.
fn makers(text: &str) -> Vec<&str> {
    let definitions = text.split("\nmacro_rules! ").skip(1);
    definitions
        .filter_map(|definition| {
            let (name, _) = definition.split_once(' ')?;
            let (rules, _) = definition.split_once("\n}\n")?;
            rules.lines().any(is_attribute_of_a_test).then_some(name)
        })
        .collect()
}

/// What stands between the braces of each call of one of these macros, without comments.
fn lists(text: &str, makers: &BTreeSet<&str>) -> Vec<String> {
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect();
    let code = code.join("\n");
    let mut lists = Vec::new();
    for maker in makers {
        for call in code.split(&format!("{maker}! {{")).skip(1) {
            lists.push(up_to_the_closing_brace(call).to_owned());
        }
    }
    lists
}

fn up_to_the_closing_brace(text: &str) -> &str {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The names in a list, each with the word before it.
fn names(list: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = list
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    words.scan("", |before, word| {
        let pair = (*before, word);
        *before = word;
        Some(pair)
    })
}

/// The checker is checked: one that always agrees is none.
mod checked {
    use super::*;

    fn docs(text: &str) -> Docs {
        let source = "
#[test]
fn one() {}

fn helper() {}

#[tokio::test(flavor = \"multi_thread\")]
#[expect(
    clippy::print_stdout,
    reason = \"of several lines\"
)]
// A comment about a fn of another name.
async fn two() {}

// #[test] fn commented_out() {}

macro_rules! promises {
    ($($body:ident)*) => {
        $(
            #[tokio::test]
            async fn $body() {}
        )*
    };
}

macro_rules! worlds {
    ($(fn $name:ident() => $guise:ident;)*) => {
        $(
            #[tokio::test]
            async fn $name() {}
        )*
    };
}

macro_rules! other {
    ($name:ident) => {};
}

promises! { world => group: three helper
    // not_this
}
worlds! {
    fn four() => Five;
}
worlds! {
    Rule: six,
}
other! { five }

pub(crate) async fn three(world: World) {}
pub(crate) async fn not_this(world: World) {}
pub(crate) async fn five() {}
";
        Docs {
            text: text.to_owned(),
            tests: tests(&[source.to_owned()]),
        }
    }

    #[test]
    fn a_test_is_what_has_the_attribute_or_is_made_of_a_list() {
        let tests = docs("").tests;
        let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
        assert_eq!(tests, ["four", "one", "six", "three", "two"]);
    }

    #[test]
    fn a_row_of_the_readme_without_its_test_is_found() {
        let table = |row| format!("{BEGIN}\n| promise | tests |\n|---|---|\n{row}\n{END}");
        assert!(
            docs(&table("| `x` holds. | `one`, `four` |"))
                .in_readme()
                .is_empty()
        );
        for row in ["| A. | `helper` |", "| A. | `gone` |", "| A. | one |", ""] {
            assert_eq!(docs(&table(row)).in_readme().len(), 1, "{row}");
        }
    }

    #[test]
    fn a_promise_without_its_test_is_found() {
        let text = |promise| format!("Before.\n\n{BEGIN}\n\n## A\n\n{promise}\n\n{END}\n\nBehind.");
        assert!(
            docs(&text("`x` holds.\nTests: `one`,\n`two`."))
                .in_guarantees()
                .is_empty()
        );
        for promise in [
            "It holds `one`.",
            "It holds. Tests: `gone`.",
            "It. Tests: one.",
            "",
        ] {
            assert_eq!(docs(&text(promise)).in_guarantees().len(), 1, "{promise}");
        }
        let both = text("It holds. Tests: `one`.") + "\n\nAnd this. Tests: `gone`.";
        assert_eq!(docs(&both).in_guarantees().len(), 1);
    }

    #[test]
    fn a_finding_that_is_left_out_is_found() {
        let row = |number: u32, answer: &str| format!("| {number} | wrong | rule | {answer} |\n");
        let all = |answer: &str| -> String { (1..=FINDINGS).map(|it| row(it, answer)).collect() };
        assert!(docs(&all("`one`")).in_findings().is_empty());
        assert!(
            docs(&all("not promised: guarantees.md"))
                .in_findings()
                .is_empty()
        );
        let twice = all("`one`") + &row(7, "`one`");
        let missing: String = (2..=FINDINGS).map(|it| row(it, "`one`")).collect();
        for text in [twice, missing, all("`one`") + &row(61, "`one`")] {
            assert_eq!(docs(&text).in_findings().len(), 1);
        }
        for answer in ["`gone`", "nothing", "not promised, see `gone`"] {
            let text = (2..=FINDINGS)
                .map(|it| row(it, "`one`"))
                .collect::<String>();
            assert_eq!(
                docs(&(row(1, answer) + &text)).in_findings().len(),
                1,
                "{answer}"
            );
        }
    }
}
