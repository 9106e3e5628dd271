//! Every object arrives as it is, whole, and its source goes.

use s3_to_sftp::receipt::{Outcome, SizeCheck};
use s3_to_sftp::source::Disposal;
use testkit::payload;
use testkit::s3::Action;

use crate::world::{Lack, World};

/// The sizes around every edge: nothing, one byte, a write with and without `limits@openssh.com`,
/// the window, and many windows.
const SIZES: [usize; 12] = [
    0,
    1,
    sftp::extensions::DEFAULT_WRITE_LENGTH as usize - 1,
    sftp::extensions::DEFAULT_WRITE_LENGTH as usize,
    sftp::extensions::DEFAULT_WRITE_LENGTH as usize + 1,
    sftp::extensions::MAX_WRITE_LENGTH as usize - 1,
    sftp::extensions::MAX_WRITE_LENGTH as usize,
    sftp::extensions::MAX_WRITE_LENGTH as usize + 1,
    sftp::upload::WINDOW - 1,
    sftp::upload::WINDOW,
    sftp::upload::WINDOW + 1,
    64 * 1024 * 1024,
];

pub(crate) async fn every_size_arrives_byte_by_byte(world: World) {
    for size in SIZES {
        let key = format!("ramp-{size}");
        world.put(&key, payload::ramp(size));
        let outcome = world.deliver(&key).await;
        let Outcome::Delivered(receipt, Disposal::Deleted) = outcome else {
            panic!("{size}: {outcome:?}")
        };
        assert_eq!(receipt.bytes, size as u64);
        let size_check = if world.lacks(Lack::Telling) {
            SizeCheck::NotTold
        } else {
            SizeCheck::Equal
        };
        assert_eq!(receipt.size, size_check);
        assert!(world.file(&key) == payload::ramp(size), "{size}");
        assert!(!world.has_source(&key), "{size}: the source is deleted");
    }
    world.assert_no_temporary();
}

pub(crate) async fn every_name_arrives_as_it_is(world: World) {
    let keys = [
        "a b.csv",
        "a+b.csv",
        "größe/straße ü.txt",
        "100%/50%25.txt",
        "quote\"s and 'these'.txt",
        "deep/er/and/deeper/file",
        "日本語.txt",
        "-leading-dash",
        "*.glob?[x]",
        "$(touch pwned);`x`",
        "tilde~/~file",
    ];
    for key in keys {
        world.put(key, format!("content of {key}"));
        let outcome = world.deliver(key).await;
        assert!(
            matches!(outcome, Outcome::Delivered(..)),
            "{key}: {outcome:?}"
        );
        assert_eq!(world.file(key), format!("content of {key}").as_bytes());
    }
    world.assert_no_temporary();
}

pub(crate) async fn an_old_file_is_replaced(world: World) {
    world.write_file("report.csv", "yesterday's, and longer than today's");
    world.put("report.csv", "today's");
    let outcome = world.deliver("report.csv").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("report.csv"), b"today's");
    world.assert_only(&["report.csv"]);
}

/// Half way through the object, the final name still shows the old file, and nothing else but a
/// temporary is there.
pub(crate) async fn nobody_sees_half_a_file(world: World) {
    const SIZE: usize = 8 * 1024 * 1024;
    world.write_file("data.bin", "old");
    world.put("data.bin", payload::ramp(SIZE));
    let files = world.files.clone();
    let (seen_sender, seen) = std::sync::mpsc::channel();
    let mut hook = Some(move || {
        let seen = files.read("data.bin").expect("the old file is there");
        seen_sender.send(seen).expect("the test waits");
    });
    world.s3.hook(move |request| {
        // Not the private key's, which is read at the same time.
        let is_it = request.operation == "GetObject" && request.key == "data.bin";
        match hook.take_if(|_| is_it) {
            Some(look) => Action::run_at(SIZE as u64 / 2, look),
            None => Action::Pass,
        }
    });
    let outcome = world.deliver("data.bin").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(seen.try_recv().expect("half-way was reached"), b"old");
    assert_eq!(world.file("data.bin"), payload::ramp(SIZE));
    world.assert_only(&["data.bin"]);
}

pub(crate) async fn an_object_that_is_gone_writes_nothing(world: World) {
    let outcome = world.deliver("never-there.txt").await;
    assert!(matches!(outcome, Outcome::Gone(_)), "{outcome:?}");
    world.assert_only(&[]);
}

pub(crate) async fn a_kept_source_stays(world: World) {
    world.put("kept.txt", "here");
    let deliverer = world.deliverer(&[("S3_AFTER_DELIVERY", "keep")]);
    let outcome = world.deliver_by(&deliverer, "kept.txt").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Kept)),
        "{outcome:?}"
    );
    assert_eq!(world.file("kept.txt"), b"here");
    assert!(world.has_source("kept.txt"));
}

/// What every multipart upload of boto3 is: S3 gives a checksum of checksums, which the SDK must
/// not compare with the bytes.
pub(crate) async fn a_multipart_object_arrives(world: World) {
    let whole = payload::ramp(12 * 1024 * 1024 + 17);
    let parts = vec![
        whole.slice(..5 * 1024 * 1024),
        whole.slice(5 * 1024 * 1024..10 * 1024 * 1024),
        whole.slice(10 * 1024 * 1024..),
    ];
    world
        .s3
        .store()
        .put_multipart(World::BUCKET, "parts.bin", parts);
    let outcome = world.deliver("parts.bin").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("parts.bin"), whole);
}

/// The delete leaves a marker, so history stays; a duplicate of the event finds the marker.
pub(crate) async fn a_version_is_delivered_once_and_stays_in_the_history(world: World) {
    let store = world.s3.store();
    store.create_versioned_bucket("versions");
    store.put("versions", "f", "first");
    store.put("versions", "f", "second");
    let outcome = world.deliver_from("versions", "f").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("f"), b"second");
    assert_eq!(
        store.versions("versions", "f").len(),
        3,
        "two versions and a marker"
    );
    // The partner takes the file.
    world.files.remove("f");
    let again = world.deliver_from("versions", "f").await;
    assert!(matches!(again, Outcome::Gone(_)), "{again:?}");
    world.assert_only(&[]);
}

pub(crate) async fn a_body_that_breaks_off_is_gone_on_with(world: World) {
    const SIZE: usize = 6 * 1024 * 1024;
    world.put("cut.bin", payload::ramp(SIZE));
    world.s3.hook(
        |request| match (request.operation.as_str(), request.number) {
            ("GetObject", 1) => Action::CutBody { after: 1_000_000 },
            ("GetObject", 2) => Action::CutBody { after: 2_500_001 },
            _ => Action::Pass,
        },
    );
    let outcome = world.deliver("cut.bin").await;
    assert!(
        matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
        "{outcome:?}"
    );
    assert_eq!(world.file("cut.bin"), payload::ramp(SIZE));
    if world.lacks(Lack::Telling) {
        return;
    }
    let requests = world.s3.requests();
    let resumed: Vec<_> = requests
        .iter()
        .filter(|request| request.range.is_some())
        .collect();
    assert_eq!(resumed.len(), 2, "{resumed:?}");
    assert!(
        resumed.iter().all(|request| request.if_match.is_some()),
        "each is pinned"
    );
}
