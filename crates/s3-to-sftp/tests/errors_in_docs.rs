//! People alarm on the types of errors: docs/errors.md lists exactly those that the code has.

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
}
