//! A page, and the parts of it that are computed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Each part between its marks is this text, or gets it.
#[track_caller]
pub(crate) fn assert_computed(page: &str, parts: &[(&str, String)]) {
    let written = read(page);
    let mut computed = written.clone();
    for (mark, text) in parts {
        let begin = format!("<!-- {mark} -->");
        let before = between(&written, mark);
        // The empty lines make it Markdown between two comments.
        computed = computed.replacen(
            &format!("{begin}{before}"),
            &format!("{begin}\n\n{text}\n"),
            1,
        );
    }
    if env::var_os("WRITE_README").is_some() {
        fs::write(root(page), computed).unwrap_or_else(|error| panic!("{page}: {error}"));
    } else {
        assert!(
            written == computed,
            "{page} is not what bench/results/runs.csv and its own prices make; run `make readme`"
        );
    }
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

pub(crate) fn between<'a>(page: &'a str, mark: &str) -> &'a str {
    let (_, rest) = page
        .split_once(&format!("<!-- {mark} -->"))
        .unwrap_or_else(|| panic!("no {mark}"));
    let (text, _) = rest
        .split_once(&format!("<!-- /{mark} -->"))
        .unwrap_or_else(|| panic!("no end of {mark}"));
    text
}

/// `12,345`.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
