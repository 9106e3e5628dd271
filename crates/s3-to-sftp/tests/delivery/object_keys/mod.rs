//! Thousands of keys that nobody would give an object, by events: each has its file under exactly its name, or is refused
//! with the reason that is documented.
//!
//! `OBJECT_KEYS=10000` makes more, `OBJECT_KEYS_SEED` others.

#![expect(
    clippy::print_stdout,
    reason = "a seed, and counts, are worth telling, with --nocapture"
)]

mod expected;
mod made;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::join_all;
use s3_to_sftp::event::{Event, parse};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::receipt::Outcome;
use testkit::event::{ObjectRef, notification};
use tokio::time::Instant;

use crate::bad_input;
use crate::world::World;
use expected::Expected;

/// Objects of one event.
const RECORDS: usize = 50;

fn env<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Below the login directory, where `.ssh` lies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_arrives_as_it_is_or_is_refused() {
    let (world, _server) = bad_input::world().await;
    deliver_all(&world, env("OBJECT_KEYS").unwrap_or(500)).await;
}

/// The names are those of a file system, by a server that we did not write.
#[cfg(feature = "real-servers")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_arrives_at_openssh_as_it_is_or_is_refused() {
    let server = testkit::servers::Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let world = World::new(server.account(), server).await;
    deliver_all(&world, env("OBJECT_KEYS").unwrap_or(1000)).await;
}

async fn deliver_all(world: &World, count: usize) {
    let seed = env("OBJECT_KEYS_SEED").unwrap_or(1);
    println!("OBJECT_KEYS_SEED={seed} OBJECT_KEYS={count}");
    let is_login_directory = world.account.dir.is_none();
    let keys = made::keys(seed, count);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), count);
    for (number, key) in keys.iter().enumerate() {
        world.put(key, content(number));
    }

    let deliverer = world.deliverer(&[]);
    let (mut files, mut sources) = (BTreeMap::new(), BTreeSet::new());
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let numbered: Vec<(usize, &String)> = keys.iter().enumerate().collect();
    for records in numbered.chunks(RECORDS) {
        let outcomes = deliver(world, &deliverer, records).await;
        for ((number, key), outcome) in records.iter().zip(outcomes) {
            let expected = Expected::of(key, content(*number).is_empty(), is_login_directory);
            let became = match (&outcome, &expected) {
                (Outcome::Delivered(receipt, _), Expected::File(path)) => {
                    assert!(receipt.remote_path.ends_with(path), "{key:?}");
                    files.insert(path.clone(), content(*number));
                    "delivered"
                }
                (Outcome::Skipped(..), Expected::FolderMarker) => {
                    sources.insert((*key).clone());
                    "a folder marker"
                }
                (Outcome::Failed(error), Expected::Refused(reasons)) => {
                    assert_eq!(error.name(), "RemotePathRefused", "{}", error.report());
                    sources.insert((*key).clone());
                    let report = error.report();
                    let reason = reasons.iter().find(|it| report.contains(**it));
                    let because = format!("{key:?} is refused because of {reasons:?}: {report}");
                    *reason.unwrap_or_else(|| panic!("{because}"))
                }
                _ => panic!("{key:?}: {outcome:?}, not {expected:?}"),
            };
            *counts.entry(became).or_default() += 1;
        }
    }
    println!("{counts:?}");

    let found = Found::below(world.home());
    let names: BTreeSet<_> = files.keys().cloned().collect();
    assert_eq!(found.files, names, "these files, and no others");
    let parents = names.iter().flat_map(|name| {
        let slashes = name.match_indices('/');
        slashes.map(|(at, _)| name[..at].to_owned())
    });
    assert_eq!(found.directories, parents.collect(), "these directories");
    for (name, content) in &files {
        assert_eq!(&world.file(name), content, "{name:?}");
    }
    let kept = world.s3.store().keys(World::BUCKET);
    assert_eq!(kept.into_iter().collect::<BTreeSet<_>>(), sources);
    let refused = expected::REASONS
        .iter()
        .filter(|it| counts.contains_key(**it));
    let all = expected::REASONS.len() - usize::from(!is_login_directory);
    assert_eq!(refused.count(), all, "each reason is met: {counts:?}");
}

/// One event, as S3 would send it, and one outcome for each record.
async fn deliver(
    world: &World,
    deliverer: &Deliverer,
    records: &[(usize, &String)],
) -> Vec<Outcome> {
    let objects: Vec<ObjectRef> = records
        .iter()
        .map(|(_, key)| {
            let stored = world.s3.store().stored(World::BUCKET, key);
            ObjectRef::stored(*key, &stored.expect("it was put"))
        })
        .collect();
    let event = notification(World::BUCKET, &objects).to_string();
    let Ok(Event::Notification(items)) = parse(event.as_bytes()) else {
        panic!("{event}")
    };
    assert_eq!(items.len(), records.len());
    let invocation = deliverer.invocation(Instant::now() + Duration::from_secs(110));
    let delivering = items
        .into_iter()
        .map(|item| invocation.deliver(item, "owner"));
    let outcomes = join_all(delivering).await;
    invocation.finish().await;
    outcomes
}

/// Its own, and none at all of every seventh.
fn content(number: usize) -> Vec<u8> {
    match number % 7 {
        0 => Vec::new(),
        _ => format!("the content of {number}").into_bytes(),
    }
}

/// What lies on the server.
#[derive(Default)]
struct Found {
    files: BTreeSet<String>,
    directories: BTreeSet<String>,
}

impl Found {
    fn below(home: &Path) -> Self {
        let mut found = Self::default();
        let mut left = vec![PathBuf::new()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(home.join(&directory)).expect("it is there") {
                let entry = entry.expect("it is readable");
                let path = directory.join(entry.file_name());
                let name = path
                    .to_str()
                    .expect("a name is UTF-8, as its key")
                    .to_owned();
                if entry.file_type().expect("the type is known").is_dir() {
                    found.directories.insert(name);
                    left.push(path);
                } else {
                    found.files.insert(name);
                }
            }
        }
        found
    }
}
