//! What S3 answers.

use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::source::Disposal;
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::s3::Action as S3Action;
use testkit::sftp::{Operation, closed_port};

use super::{failure, world};
use crate::world::World;

#[tokio::test]
async fn an_object_that_is_gone_is_a_success_even_where_the_server_is_down() {
    let (world, _server) = world().await;
    let closed = closed_port();
    let deliverer = world.deliverer(&[("SSH_PORT", &closed.port().to_string())]);
    let outcome = world.deliver_by(&deliverer, "never-there").await;
    assert!(matches!(outcome, Outcome::Gone(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_not_an_object_that_is_gone() {
    let (world, _server) = world().await;
    let outcome = world.deliver_from("no-such-bucket", "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "NoSuchBucket");
}

#[tokio::test]
async fn an_object_that_may_not_be_read() {
    let (world, _server) = world().await;
    world.put("f", "content");
    world.s3.hook(|request| match request.operation.as_str() {
        "GetObject" => S3Action::access_denied(),
        _ => S3Action::Pass,
    });
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "SourceDenied");
    assert!(report.contains("s3:ListBucket"), "{report}");
}

#[tokio::test]
async fn an_object_in_an_archive() {
    let (world, _server) = world().await;
    world.put("f", "content");
    world
        .s3
        .store()
        .set_storage_class(World::BUCKET, "f", "GLACIER");
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "SourceArchived");
    assert!(report.contains("restore"), "{report}");
}

/// v2 is there when v1 has been read half way.
#[tokio::test]
async fn an_object_replaced_during_the_transfer() {
    const SIZE: usize = 4 * 1024 * 1024;
    let (world, _server) = world().await;
    let newer = payload::seeded(2, SIZE);
    world.put("f", payload::ramp(SIZE));
    let (store, replacement) = (world.s3.store(), newer.clone());
    let mut once = Some(move || _ = store.put(World::BUCKET, "f", replacement));
    world.s3.hook(
        move |request| match once.take_if(|_| request.operation == "GetObject") {
            Some(replace) => S3Action::run_at(SIZE as u64 / 2, replace),
            None => S3Action::Pass,
        },
    );
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.file("f"), newer, "the newer one is delivered");
    world.assert_only(&["f"]);
}

const MIB: usize = 1024 * 1024;

/// Delivers an object that is large enough to be read ahead, and says how often it was asked for.
async fn requests_for_a_large_object(world: &World, extra: &[(&str, &str)]) -> usize {
    let content = payload::ramp(40 * MIB);
    world.put("f", content.clone());
    let outcome = world.deliver_by(&world.deliverer(extra), "f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == content, "byte by byte");
    assert!(!world.has_source("f"));
    world.s3.count("GetObject")
}

#[tokio::test]
async fn an_s3_that_is_slower_than_the_server_is_read_over_several_connections() {
    let (world, _server) = world().await;
    // The first connection, that is: 16 MiB take two seconds.
    world.s3.hook(|request| {
        if request.operation == "GetObject" && request.number == 1 {
            return S3Action::Slow {
                bytes_per_second: 8 * MIB as u64,
            };
        }
        S3Action::Pass
    });
    let requests = requests_for_a_large_object(&world, &[]).await;
    assert!(requests > 2, "{requests}");
}

#[tokio::test]
async fn a_server_that_is_slower_than_s3_is_read_for_by_one_request() {
    let (world, server) = world().await;
    let proxy = Proxy::start(server.port()).await;
    proxy.rate(16 * MIB as u64);
    let port = proxy.port().to_string();
    let requests = requests_for_a_large_object(&world, &[("SSH_PORT", &port)]).await;
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn an_object_that_changes_each_time_it_is_looked_at() {
    let (world, server) = world().await;
    world.put("f", "0");
    let store = world.s3.store();
    world
        .s3
        .hook(move |request| match request.operation.as_str() {
            "HeadObject" => {
                let (store, next) = (store.clone(), request.number.to_string());
                S3Action::run(move || _ = store.put(World::BUCKET, "f", next))
            }
            _ => S3Action::Pass,
        });
    let (name, _) = failure(&world, &[]).await;
    assert_eq!(name, "SourceKeepsChanging");
    assert!(
        server.requests_of(Operation::PosixRename).is_empty(),
        "nothing is published"
    );
}

#[tokio::test]
async fn a_body_that_ends_early() {
    let (world, _server) = world().await;
    world.put("f", payload::ramp(1024 * 1024));
    world.s3.hook(|request| match request.operation.as_str() {
        "GetObject" if request.number == 1 => S3Action::CutBody { after: 500_000 },
        "GetObject" => S3Action::CutBody { after: 0 },
        _ => S3Action::Pass,
    });
    let (name, _) = failure(&world, &[]).await;
    assert_eq!(name, "SourceBroken");
}

/// S3's checksum finds it, at the last byte; read once more, in case it was chance.
#[tokio::test]
async fn a_body_with_a_wrong_byte() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(1024 * 1024));
    world.s3.hook(|request| match request.operation.as_str() {
        "GetObject" => S3Action::Corrupt { offset: 777 },
        _ => S3Action::Pass,
    });
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "ChecksumMismatch");
    assert!(report.contains("CRC64NVME"), "{report}");
    assert!(
        server.requests_of(Operation::PosixRename).is_empty(),
        "nothing is published"
    );
}

/// The server takes more than two seconds to close, and v2 arrives meanwhile: the look beside the close
/// is too old.
#[tokio::test]
async fn an_object_replaced_while_the_server_takes_its_time_to_close() {
    let (world, server) = world().await;
    world.put("f", "one");
    let slow = std::time::Duration::from_millis(2100);
    server.hook(testkit::sftp::nth(Operation::Close, 1, move || {
        testkit::sftp::Action::Delay(slow)
    }));
    let store = world.s3.store();
    world.s3.hook(
        move |request| match (request.operation.as_str(), request.number) {
            ("HeadObject", 2) => {
                let store = store.clone();
                S3Action::run(move || _ = store.put(World::BUCKET, "f", "two"))
            }
            _ => S3Action::Pass,
        },
    );
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.file("f"), b"two");
}

/// A store that knows no condition on a DELETE, and says so: the look before it has to do.
#[tokio::test]
async fn a_store_that_refuses_conditions_on_a_delete() {
    for (code, word) in [(501, "NotImplemented"), (400, "InvalidArgument")] {
        let (world, _server) = world().await;
        world.put("f", "content");
        world
            .s3
            .hook(move |request| match request.operation.as_str() {
                "DeleteObject" if request.if_match.is_some() => S3Action::Fail {
                    status: code,
                    code: word,
                    message: "A header you provided implies functionality that is not implemented",
                },
                _ => S3Action::Pass,
            });
        let outcome = world.deliver("f").await;
        assert!(
            matches!(outcome, Outcome::Delivered(_, Disposal::Deleted)),
            "{code}: {outcome:?}"
        );
        assert!(!world.has_source("f"));
    }
}
