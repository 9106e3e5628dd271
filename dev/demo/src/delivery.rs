//! A notification, and what came of it. The function's answer is not believed: the file is read from the server's
//! disk and compared byte by byte, and the source is looked for.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use sha2::{Digest, Sha256};
use testkit::event::{self, ObjectRef};
use testkit::runtime_api::{Invocation, Outcome};

use crate::world::{BUCKET, World};

/// The most that Lambda gives an invocation.
const TIME: Duration = Duration::from_secs(15 * 60);

/// One file, sent and looked for.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// How many were uploaded.
    pub(crate) bytes: usize,
    /// From the notification to the function's answer.
    pub(crate) took: Duration,
    /// Checksum of what was uploaded.
    pub(crate) sent: String,
    /// Checksum of what lies on the server; none where nothing does.
    pub(crate) received: Option<String>,
    /// Whether the source is deleted.
    pub(crate) gone: bool,
    /// What is not as it should be; empty when all is.
    pub(crate) problems: Vec<String>,
}

/// Fires the notification of `key`, whose bytes are `content`, and looks at what came of it.
pub(crate) async fn deliver(world: &World, key: &str, content: &[u8]) -> Delivery {
    let Some(stored) = world.s3.stored(BUCKET, key) else {
        return Delivery::judge(
            Duration::ZERO,
            content,
            None,
            true,
            vec!["it is not in the bucket".into()],
        );
    };
    let object = ObjectRef::stored(key, &stored).sequenced(&sequencer());
    let invocation = Invocation::new(event::notification(BUCKET, &[object])).time(TIME);
    let begun = Instant::now();
    let outcome = world.api.run(&invocation).await;
    let took = begun.elapsed();
    world.save_log();
    let received = fs::read(world.home().join(key)).ok();
    let gone = !world.s3.exists(BUCKET, key);
    let problems = complaint(&outcome).into_iter().collect();
    Delivery::judge(took, content, received.as_deref(), gone, problems)
}

impl Delivery {
    /// Compares; `problems` are those known before.
    fn judge(
        took: Duration,
        sent: &[u8],
        received: Option<&[u8]>,
        gone: bool,
        mut problems: Vec<String>,
    ) -> Self {
        // Where the function says why, the rest is what follows from it, and the line shows it.
        if problems.is_empty() {
            problems.extend(difference(sent, received));
            if !gone {
                problems.push("the source is still in the bucket".into());
            }
        }
        Self {
            bytes: sent.len(),
            took,
            sent: short_checksum(sent),
            received: received.map(short_checksum),
            gone,
            problems,
        }
    }
}

/// Files and directories of the server that no key accounts for: temporaries that were not removed.
pub(crate) fn leftovers(home: &Path, keys: &[&str]) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut directories = vec![home.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                directories.push(entry.path());
            } else if !keys.iter().any(|key| home.join(key) == entry.path()) {
                let path = entry.path();
                found.push(
                    path.strip_prefix(home)
                        .unwrap_or(&path)
                        .display()
                        .to_string(),
                );
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Orders the events of one key, as S3's does.
fn sequencer() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!("{:018X}", now.unwrap_or_default().as_nanos())
}

/// What the function says, unless it says that it delivered one file.
fn complaint(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Response(answer) if answer["delivered"] == 1 => None,
        Outcome::Response(answer) if answer["skipped"] == 1 => {
            Some("the function skipped it, as it does with folder markers; its log says why".into())
        }
        Outcome::Response(answer) => Some(format!(
            "the function delivered nothing: {}",
            summary(answer)
        )),
        Outcome::Error {
            error_type,
            message,
        } => Some(format!("{error_type}: {message}")),
        Outcome::Exited(status) => Some(format!("the function ended: {status}")),
        Outcome::TimedOut => Some(format!("the function took longer than {TIME:?}")),
    }
}

fn summary(answer: &Value) -> String {
    answer.to_string().chars().take(200).collect()
}

/// Where the two begin to differ.
fn difference(sent: &[u8], received: Option<&[u8]>) -> Option<String> {
    let Some(received) = received else {
        return Some("there is no such file on the server".into());
    };
    if let Some(offset) = sent
        .iter()
        .zip(received)
        .position(|(left, right)| left != right)
    {
        return Some(format!("differs from byte {offset} on"));
    }
    (sent.len() != received.len()).then(|| {
        format!(
            "{} bytes were sent, {} received",
            sent.len(),
            received.len()
        )
    })
}

/// The first 8 digits of SHA-256: enough to see with the eye what was compared byte by byte.
fn short_checksum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(sent: &[u8], received: Option<&[u8]>, gone: bool) -> Vec<String> {
        Delivery::judge(Duration::ZERO, sent, received, gone, Vec::new()).problems
    }

    #[test]
    fn a_delivered_file_has_no_problems() {
        assert!(judged(b"abc", Some(b"abc"), true).is_empty());
        assert!(judged(b"", Some(b""), true).is_empty());
    }

    /// The demo's exit status hangs on this: what is wrong must be seen.
    #[test]
    fn every_difference_is_a_problem() {
        assert_eq!(
            judged(b"abc", Some(b"abd"), true),
            ["differs from byte 2 on"]
        );
        assert_eq!(
            judged(b"abc", Some(b"ab"), true),
            ["3 bytes were sent, 2 received"]
        );
        assert_eq!(
            judged(b"", Some(b"a"), true),
            ["0 bytes were sent, 1 received"]
        );
        assert_eq!(
            judged(b"", None, true),
            ["there is no such file on the server"]
        );
        assert_eq!(
            judged(b"a", Some(b"a"), false),
            ["the source is still in the bucket"]
        );
    }

    #[test]
    fn what_the_function_says_comes_alone() {
        let refused = vec!["LoginRefused: …".to_owned()];
        let delivery = Delivery::judge(Duration::ZERO, b"a", None, false, refused.clone());
        assert_eq!(delivery.problems, refused);
    }

    #[test]
    fn only_a_delivery_is_no_complaint() {
        assert_eq!(
            complaint(&Outcome::Response(json!({ "delivered": 1 }))),
            None
        );
        let skipped = Outcome::Response(json!({ "delivered": 0, "skipped": 1 }));
        assert!(complaint(&skipped).is_some());
        assert!(complaint(&Outcome::Response(Value::Null)).is_some());
        assert!(complaint(&Outcome::TimedOut).is_some());
    }

    #[test]
    fn the_checksum_is_sha_256() {
        assert_eq!(short_checksum(b"abc"), "ba7816bf");
        assert_eq!(short_checksum(b""), "e3b0c442");
    }

    #[test]
    fn files_that_no_key_accounts_for_are_found() {
        let home = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(home.path().join("a/b")).expect("a directory");
        for name in ["a/b/known", "a/b/.known.part", ".x.part"] {
            fs::write(home.path().join(name), "").expect("a file");
        }
        let found = leftovers(home.path(), &["a/b/known"]).expect("it can be read");
        assert_eq!(found, [".x.part", "a/b/.known.part"]);
    }
}
