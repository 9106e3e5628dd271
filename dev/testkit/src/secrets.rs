//! The secrets of the tests, and a record of what is written while they are in use.
//!
//! Every password and every text in a store holds [`CANARY`]; private keys are registered when they are made. With
//! `SECRET_SCAN` set to a directory, the programs that tests start run at TRACE, what they write is stored there, and so is
//! what the library logs inside the tests; `dev/checks/secrets.sh` then looks for the secrets in all of it. `make test`
//! does so.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Once;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// In every password and every text in a store, and nowhere else.
pub const CANARY: &str = "zq7Xk2Vw9LmT";

/// A secret of that name: `secret!("wrong")`. What stands behind the canary is written in another way in JSON, in URLs
/// and in a shell.
#[macro_export]
macro_rules! secret {
    ($name:literal) => {
        concat!($name, "-zq7Xk2Vw9LmT+/=&\"'")
    };
}

/// The password of the servers here, unless a test says otherwise.
pub const PASSWORD: &str = secret!("right");

/// What no server here takes.
pub const WRONG: &str = secret!("wrong");

/// The names of the programs that ship: what they log has targets of these.
const OURS: [&str; 3] = ["bootstrap", "s3_to_sftp", "sftp"];

/// Lines of a key that are shorter tell too little to be looked for.
const SHORTEST_LINE: usize = 24;

/// Has the scan look for a private key, or any other text of lines that are secret.
pub fn register(secret: &str) {
    let Some(directory) = directory() else {
        return;
    };
    let lines = secret.lines().map(str::trim);
    // A public key is none, and stands on one line.
    let is_public = secret.trim_start().starts_with("ssh-") || secret.starts_with("ecdsa-");
    let is_body =
        |line: &&str| line.len() >= SHORTEST_LINE && !line.starts_with("-----") && !is_public;
    let needles: String = lines
        .filter(is_body)
        // Of all keys of a kind the same: what they begin with, and what PEM and PuTTY write before the key.
        .filter(|line| !line.starts_with("b3BlbnNzaC1rZXktdjE") && !line.contains(": "))
        .map(|line| format!("{line}\n"))
        .collect();
    append(&directory.join("needles"), &needles);
}

/// Stores what a program wrote.
pub(crate) fn wrote(program: &str, pid: u32, line: &str) {
    if let Some(directory) = directory() {
        let name = program.rsplit('/').next().unwrap_or_default();
        append(
            &directory.join("logs").join(format!("{name}-{pid}.log")),
            line,
        );
    }
}

/// Stores what a program wrote that was not started by this crate.
pub fn output(program: &str, output: &std::process::Output) {
    for bytes in [&output.stdout, &output.stderr] {
        wrote(program, std::process::id(), &String::from_utf8_lossy(bytes));
    }
}

/// A variable that has a program log all that it ever would.
pub(crate) fn environment() -> Option<(&'static str, &'static str)> {
    directory().map(|_| ("RUST_LOG", "trace"))
}

/// Begins to store what the library logs in this process. Every server here calls it when it starts.
pub fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(directory) = directory() else {
            return;
        };
        let mut needles = forms(CANARY);
        needles.push(crate::s3::SECRET_ACCESS_KEY.to_owned());
        append(&directory.join("needles"), &needles.join("\n"));
        let program = env::current_exe().unwrap_or_default();
        let program = program.file_name().unwrap_or_default().to_string_lossy();
        let path = directory.join("logs");
        let path = path.join(format!("{program}-{}.log", std::process::id()));
        let levels = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_targets(OURS.map(|target| (target, LevelFilter::TRACE)));
        let lines = fmt::layer().with_ansi(false).with_writer(open(&path));
        // A test that has a subscriber of its own keeps it.
        _ = tracing_subscriber::registry()
            .with(lines.with_filter(levels))
            .try_init();
    });
}

/// How a text could stand in a line: as it is, as bytes, in Base64 wherever in a longer text it stood.
pub fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let mut forms = vec![
        secret.to_owned(),
        bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
    ];
    for before in 0..3 {
        let mut text = vec![0; before];
        text.extend(bytes);
        let encoded = STANDARD.encode(text);
        // Characters that are made of the secret's bits alone.
        let first = (before * 8).div_ceil(6);
        let last = (before + bytes.len()) * 8 / 6;
        forms.push(encoded[first..last].to_owned());
    }
    forms
}

fn directory() -> Option<PathBuf> {
    let directory = PathBuf::from(env::var_os("SECRET_SCAN")?);
    fs::create_dir_all(directory.join("logs")).expect("SECRET_SCAN is a directory");
    Some(directory)
}

fn open(path: &PathBuf) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a file in SECRET_SCAN can be written")
}

/// In one write, which others who append do not divide.
fn append(path: &PathBuf, text: &str) {
    let text = format!("{}\n", text.trim_end_matches('\n'));
    open(path)
        .write_all(text.as_bytes())
        .expect("a file in SECRET_SCAN can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_holds_the_canary() {
        for secret in [PASSWORD, WRONG, secret!("x")] {
            assert!(secret.contains(CANARY), "{secret}");
        }
    }

    #[test]
    fn a_secret_is_found_in_base64_wherever_it_stands() {
        let forms = forms(CANARY);
        for before in 0..7 {
            for after in 0..4 {
                let text = format!("{}{CANARY}{}", "b".repeat(before), "a".repeat(after));
                let encoded = STANDARD.encode(text);
                assert!(
                    forms[4..].iter().any(|form| encoded.contains(form)),
                    "{before} {after}: {encoded} {forms:?}"
                );
            }
        }
    }
}
