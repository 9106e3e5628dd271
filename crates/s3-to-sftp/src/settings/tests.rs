#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod credentials;
mod properties;
mod reading;
mod showing;
mod told;
mod values;
mod warnings;

use super::*;

const LEAST: [(&str, &str); 3] = [
    ("SSH_HOST", "sftp.example.com"),
    ("SSH_USERNAME", "acme"),
    ("SSH_PASSWORD", "hunter2"),
];

/// The least that is needed, and `more`, which goes before it.
fn load(more: &[(&str, &str)]) -> Result<Loaded, Problems> {
    Settings::from_lookup(lookup(more))
}

fn lookup(more: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let found = more.iter().chain(&LEAST).find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

fn settings(more: &[(&str, &str)]) -> Settings {
    load(more).unwrap().settings
}

/// A secret that the settings hold themselves.
fn here(value: Option<SecretValue>) -> String {
    match value {
        Some(SecretValue::Here(secret)) => secret.expose().clone(),
        other => panic!("{other:?}"),
    }
}

/// The message about the one setting that is wrong.
fn problem(name: &str, value: &str) -> String {
    let problems = load(&[(name, value)]).unwrap_err();
    assert_eq!(
        problems
            .iter()
            .map(|problem| problem.name)
            .collect::<Vec<_>>(),
        [name],
        "{problems}"
    );
    problems.to_string()
}
