//! The fuzz targets of `fuzz/`, word for word, where there is no fuzzer: each seed that is kept, and then mutations of them
//! by chance, without instrumentation, for some seconds. `FUZZ_SECONDS=10` is what CI gives each, `FUZZ_SEED=2` tries others.
//!
//! What finds more is `make fuzz`; what finds something here is an input for it.

#![expect(
    clippy::print_stdout,
    reason = "executions are worth telling, with --nocapture"
)]

mod mutation;

// The targets name these two crates: one is the fuzzer's, one what they share.
extern crate self as fuzz;
extern crate self as libfuzzer_sys;

use std::any::Any;
use std::fs;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mutation::Mutations;
pub use shared::{assert_one_line, assert_one_line_each};

#[path = "../../../../fuzz/src/lib.rs"]
mod shared;

macro_rules! targets {
    ($($name:ident: $path:literal, $seeds:literal;)*) => {
        $(
            #[expect(unused_attributes, reason = "`no_main` is for the fuzzer's program")]
            #[path = $path]
            mod $name;
        )*

        mod smoke {
            $(
                #[test]
                fn $name() {
                    super::smoke(stringify!($name), $seeds, super::$name::run);
                }
            )*
        }
    };
}

targets! {
    events: "../../../../fuzz/fuzz_targets/events.rs", "fixtures/events";
    key_files: "../../../../fuzz/fuzz_targets/key_files.rs", "fuzz/seeds/key_files";
    known_hosts: "../../../../fuzz/fuzz_targets/known_hosts.rs", "fuzz/seeds/known_hosts";
    remote_paths: "../../../../fuzz/fuzz_targets/remote_paths.rs", "fuzz/seeds/remote_paths";
    session: "../../../../fuzz/fuzz_targets/session/main.rs", "fuzz/seeds/session";
    settings: "../../../../fuzz/fuzz_targets/settings.rs", "fuzz/seeds/settings";
    sftp_decoder: "../../../../fuzz/fuzz_targets/sftp_decoder.rs", "fuzz/seeds/sftp_decoder";
}

/// In place of libFuzzer's: a function of the same name in each target. Behind them, or their `use` of it would be none.
#[macro_export]
macro_rules! fuzz_target {
    (|$bytes:ident: &[u8]| $body:block) => {
        pub(crate) fn run($bytes: &[u8]) $body
    };
    (|$text:ident: &str| $body:block) => {
        pub(crate) fn run(bytes: &[u8]) {
            fn of_text($text: &str) $body
            if let Ok(text) = std::str::from_utf8(bytes) {
                of_text(text);
            }
        }
    };
    (|$value:ident: $type:ty| $body:block) => {
        pub(crate) fn run(bytes: &[u8]) {
            fn of_value($value: $type) $body
            let bytes = arbitrary::Unstructured::new(bytes);
            if let Ok(value) = arbitrary::Arbitrary::arbitrary_take_rest(bytes) {
                of_value(value);
            }
        }
    };
}

/// `session` measures the memory of the process: one after the other where tests are threads of one.
static ALONE: Mutex<()> = Mutex::new(());

fn env<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn smoke(name: &str, seeds: &str, run: fn(&[u8])) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seeds = read(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(seeds),
    );
    assert!(!seeds.is_empty(), "{name} has seeds");
    for seed in &seeds {
        attempt(name, seed, run);
    }
    let seconds = env("FUZZ_SECONDS").unwrap_or(2);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut mutations = Mutations::of(&seeds, env("FUZZ_SEED").unwrap_or(1));
    let mut executions = seeds.len();
    while Instant::now() < until {
        attempt(name, &mutations.next(), run);
        executions += 1;
    }
    println!("{name}: {executions} executions in {seconds} s");
    assert!(executions > seeds.len(), "some are tried");
}

/// Keeps the input of what goes wrong.
fn attempt(name: &str, input: &[u8], run: fn(&[u8])) {
    if let Err(panic) = catch_unwind(|| run(input)) {
        found(name, input, panic);
    }
}

fn found(name: &str, input: &[u8], panic: Box<dyn Any + Send>) -> ! {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    fs::write(&file, input).expect("it can be kept");
    println!(
        "a finding; next: cargo fuzz run --sanitizer none {name} {}",
        file.display()
    );
    resume_unwind(panic)
}

/// What is kept in a directory, in the order of the names.
fn read(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).expect("seeds are kept");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it is readable").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let contents = files.iter().map(fs::read);
    contents.map(|it| it.expect("it is readable")).collect()
}
