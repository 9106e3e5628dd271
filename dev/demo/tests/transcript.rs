//! The README shows what the demo prints: all but ports, times and paths.

use std::path::Path;
use std::process::Command;

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let bootstrap = std::env::var("BOOTSTRAP")
        .expect("BOOTSTRAP names the function's executable; `make test` sets it");
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--bootstrap", &bootstrap])
        .output()
        .expect("the demo can be run");
    let printed = String::from_utf8(output.stdout).expect("it prints UTF-8");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complaints}");

    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README is there");
    let (_, shown) = readme
        .split_once("<!-- demo -->")
        .expect("it has the marker");
    let (shown, _) = shown.split_once("<!-- /demo -->").expect("it has the end");
    let shown = shown
        .trim()
        .trim_start_matches("```text")
        .trim_end_matches("```");
    assert_eq!(
        lasting(shown),
        lasting(&printed),
        "run `make demo` and paste what it prints"
    );
}

/// What is the same in every run.
fn lasting(transcript: &str) -> Vec<String> {
    transcript
        .trim()
        .lines()
        .map(|line| {
            let words = line
                .split_whitespace()
                .filter(|word| *word != "<")
                .map(|word| {
                    let is_time = word.contains('.') && word.parse::<f64>().is_ok();
                    match word {
                        _ if word.contains("127.0.0.1:") => "ADDRESS",
                        _ if word.contains("bootstrap") => "PATH",
                        _ if is_time => "TIME",
                        word => word,
                    }
                });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}
