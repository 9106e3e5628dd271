//! People alarm on the types of errors: docs/errors.md lists exactly those that the code has, and docs/operate.md says of each who has
//! to do something.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn the_types_of_errors_are_all_in_the_docs_and_no_others() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| {
        fs::read_to_string(package.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let code = read("src/error/cause.rs");
    let (_, code) = code
        .split_once("fn name(&self) -> &'static str {\n        match self")
        .expect("Cause has a name");
    let (code, _) = code.split_once("\n    }\n").expect("and its end");
    let mut in_code: BTreeSet<&str> = code.split('"').skip(1).step_by(2).collect();
    // Of the function alone: several records that fail differently, and settings that are refused.
    in_code.extend(["DeliveriesFailed", "SettingsRefused"]);

    let docs = read("../../docs/errors.md");
    let in_docs: BTreeSet<&str> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(in_docs, in_code);

    let docs = read("../../docs/operate.md");
    let (_, section) = docs.split_once("\n## Error types\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another one");
    let last_cells = section
        .lines()
        .filter_map(|line| line.rsplit(" | ").next()?.strip_prefix('`'));
    let in_operate: Vec<&str> = last_cells
        .flat_map(|cell| cell.split('`').step_by(2))
        .filter(|name| !name.trim_matches([' ', '|']).is_empty())
        .collect();
    let names: BTreeSet<&str> = in_operate.iter().copied().collect();
    assert_eq!(names.len(), in_operate.len(), "one stands twice");
    assert_eq!(names, in_code);
}
