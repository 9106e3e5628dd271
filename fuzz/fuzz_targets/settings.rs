//! Any text as settings: `NAME=value`, with a line `--` between one and the next.

#![no_main]

use std::collections::BTreeMap;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use s3_to_sftp::settings::{Settings, TABLE, describe};

use fuzz::assert_one_line;

/// What must be seen nowhere.
const CANARY: &str = "hunter2canary";

fuzz_target!(|text: &str| {
    let mut values: BTreeMap<&str, String> = text
        .split("\n--\n")
        .filter_map(|setting| setting.split_once('='))
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    let told = told(&values);
    assert_eq!(
        told,
        self::told(&values),
        "the same settings are told the same way"
    );

    // The same with secrets in all places where one may stand.
    for (name, value) in &mut values {
        match *name {
            "SSH_PASSWORD" | "SSH_PASSPHRASE" => *value = CANARY.to_owned(),
            "SSH_PRIVATE_KEY" | "SSH_HOST_KEY" => {
                value.push_str(&format!("-----BEGIN PRIVATE KEY-----{CANARY}"))
            }
            "SSH_HOST" | "SWEEP_QUEUE_URL" | "DEAD_LETTER_QUEUE_URL" => {
                if let Some((_, host)) = value.rsplit_once('@') {
                    *value = format!("sftp://acme:{CANARY}@{host}");
                }
            }
            _ => {}
        }
    }
    for line in self::told(&values) {
        assert!(!line.contains(CANARY), "{line}");
    }
});

/// All that is told about settings.
fn told(values: &BTreeMap<&str, String>) -> Vec<String> {
    let lookup = |name: &str| values.get(name).cloned();
    let shown = describe(lookup);
    assert_eq!(shown.len(), TABLE.len());
    let mut told: Vec<String> = shown.iter().map(ToString::to_string).collect();
    match Settings::from_lookup(lookup) {
        Ok(loaded) => {
            check(&loaded.settings);
            told.extend(loaded.warnings);
            told.iter().for_each(assert_one_line);
            told.push(format!("{:?}", loaded.settings));
        }
        Err(problems) => {
            assert_ne!(problems.iter().count(), 0);
            told.extend(problems.iter().map(ToString::to_string));
            told.iter().for_each(assert_one_line);
        }
    }
    told
}

/// What the rest of the program takes for granted.
fn check(settings: &Settings) {
    assert!(settings.port > 0);
    assert!((1..=256).contains(&settings.max_files));
    assert!(
        settings
            .file_mode
            .is_none_or(|mode| (1..=0o7777).contains(&mode))
    );
    assert!(!settings.host.is_empty() && !settings.host.contains(['/', '@', '[', ']', ' ']));
    assert!(!settings.connect_timeout.is_zero() && !settings.stall_timeout.is_zero());
    // Both are added to each other, and to now.
    let both = settings.connect_timeout.checked_add(settings.stall_timeout);
    assert!(
        both.and_then(|both| Instant::now().checked_add(both))
            .is_some()
    );
    assert!(settings.dir.as_ref().is_none_or(|dir| !dir.is_empty()));
}
