//! The scan for secrets finds them, in whatever form they were written.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use testkit::secrets::{CANARY, forms};

const KEY_LINE: &str = "AAAAB3NzaC1yc2EAAAADAQABAAABgQDabcdefghijklmnop";

fn scan(directory: &Path, files: &[&Path]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../checks/secrets.sh");
    let mut command = Command::new(script);
    command.arg(directory).args(files);
    command.output().expect("bash is there")
}

/// A record in which these lines were written.
fn record(lines: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let logs = directory.path().join("logs");
    fs::create_dir(&logs).expect("a new directory");
    fs::write(logs.join("bootstrap-1.log"), lines).expect("a new file");
    let needles = [forms(CANARY), vec![KEY_LINE.to_owned(), String::new()]].concat();
    fs::write(directory.path().join("needles"), needles.join("\n")).expect("a new file");
    directory
}

#[test]
fn lines_without_a_secret_pass() {
    let record = record("{\"level\":\"INFO\",\"message\":\"delivered\"}\n");
    let output = scan(record.path(), &[]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_secret_is_found_in_every_form_and_not_printed() {
    let unregistered = format!("-----BEGIN PRIVATE KEY-----\\n{}", "M".repeat(40));
    let key = format!("\"{KEY_LINE}\"");
    let encoded = forms(&format!("ab{CANARY}cd")).remove(4);
    for form in forms(CANARY)
        .into_iter()
        .chain([key, unregistered, encoded])
    {
        let record = record(&format!("nothing\nbefore {form} after\n"));
        let output = scan(record.path(), &[]);
        assert_eq!(output.status.code(), Some(1), "{form}: {output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("bootstrap-1.log:2"), "{text}");
        assert!(!text.contains(&form), "{text}");
    }
}

#[test]
fn the_runner_s_own_output_is_looked_through_too() {
    let record = record("nothing\n");
    let junit = record.path().join("junit.xml");
    fs::write(&junit, format!("<system-err>{CANARY}</system-err>")).expect("a new file");
    assert_eq!(scan(record.path(), &[&junit]).status.code(), Some(1));
    fs::write(&junit, "<system-err></system-err>").expect("a file");
    assert!(scan(record.path(), &[&junit]).status.success());
}

#[test]
fn a_scan_of_nothing_fails() {
    let record = record("");
    assert_eq!(scan(record.path(), &[]).status.code(), Some(1));
    let empty = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(scan(empty.path(), &[]).status.code(), Some(1));
    let missing = record.path().join("junit.xml");
    assert_eq!(scan(record.path(), &[&missing]).status.code(), Some(1));
}
