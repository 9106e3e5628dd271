//! Servers that do not do what a setting asks for.

use s3_to_sftp::error::VerdictKind;
use s3_to_sftp::event::Skip;
use s3_to_sftp::receipt::{Durable, Outcome, Published, SizeCheck};
use testkit::payload;
use testkit::sftp::{Action, Extensions, Operation, SftpServer, every, nth, once, status};

use super::{failure, with, world};
use crate::promises::links::delivered;

/// A server that stores something else than it was sent is found by reading back, twice, and not published.
#[tokio::test]
async fn a_file_that_reads_back_differently() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(100_000));
    let home = server.home().to_owned();
    server.hook(every(Operation::Close, move || {
        let home = home.clone();
        Action::Run(Box::new(move || {
            let entries = std::fs::read_dir(&home).expect("the home is there");
            for path in entries.map(|entry| entry.expect("it is readable").path()) {
                let mut bytes = std::fs::read(&path).expect("it is a file");
                if let Some(byte) = bytes.get_mut(77_777) {
                    *byte ^= 1;
                }
                std::fs::write(&path, bytes).expect("it is a file");
            }
        }))
    }));
    let (name, report) = failure(&world, &[("SSH_VERIFY", "readback")]).await;
    assert_eq!(name, "ReadbackMismatch");
    assert!(report.contains("set SSH_VERIFY=size"), "{report}");
}

/// The file that is read back ends early.
#[tokio::test]
async fn a_file_that_reads_back_shorter() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(600_000));
    server.hook(|request| {
        if request.operation == Operation::Read && request.offset > 0 {
            Action::refuse(status::EOF)
        } else {
            Action::Pass
        }
    });
    let (name, _) = failure(&world, &[("SSH_VERIFY", "readback")]).await;
    assert_eq!(name, "ReadbackMismatch");
}

#[tokio::test]
async fn a_server_that_gives_nothing_to_read() {
    let (world, server) = world().await;
    server.hook(every(Operation::Read, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let (name, _) = failure(&world, &[("SSH_VERIFY", "readback")]).await;
    assert_eq!(name, "PermissionDenied");
}

#[tokio::test]
async fn a_server_that_refuses_the_file_mode_is_a_warning() {
    let (world, server) = world().await;
    world.put("f", "content");
    server.hook(every(Operation::Fsetstat, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let deliverer = world.deliverer(&[("SSH_FILE_MODE", "600")]);
    delivered(world.deliver_by(&deliverer, "f").await);
    // It was sent with the OPEN as well, so that nobody else could read the file meanwhile.
    let open = &server.requests_of(Operation::Open)[0];
    assert_eq!(open.attributes.permissions, Some(0o600));
}

/// A file appears between the look at the name and the rename: a plain rename does not go over it.
#[tokio::test]
async fn a_conflict_at_the_last_moment() {
    for (choice, fails) in [("skip", false), ("fail", true)] {
        let (world, server) = world().await;
        world.put("f", "content");
        let home = server.home().to_owned();
        server.hook(once(Operation::Rename, move || {
            std::fs::write(home.join("f"), "theirs").expect("written");
            Action::Pass
        }));
        let deliverer = world.deliverer(&[("SSH_ON_CONFLICT", choice)]);
        let outcome = world.deliver_by(&deliverer, "f").await;
        match outcome {
            Outcome::Failed(error) if fails => assert_eq!(error.name(), "FileExists"),
            Outcome::Skipped(_, Skip::Exists(_)) if !fails => {}
            other => panic!("{choice}: {other:?}"),
        }
        assert_eq!(world.file("f"), b"theirs");
        assert!(world.has_source("f"));
        world.assert_only(&["f"]);
        assert!(server.requests_of(Operation::PosixRename).is_empty());
    }
}

/// A longer file, and a server that cuts none: the one way left is to remove it first, and the receipt says so.
#[tokio::test]
async fn a_direct_upload_over_a_longer_file_that_cannot_be_cut() {
    // The second says that it has cut it.
    let answers: [fn() -> Action; 2] = [
        || Action::refuse(status::OP_UNSUPPORTED),
        || Action::AcknowledgeOnly,
    ];
    for answer in answers {
        let (world, server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
        world.put("f", payload::ramp(50_000));
        world.write_file("f", payload::seeded(1, 80_000));
        server.hook(every(Operation::Fsetstat, answer));
        let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
        let receipt = delivered(world.deliver_by(&deliverer, "f").await);
        assert_eq!(receipt.published, Published::DirectWithGap);
        assert!(world.file("f") == payload::ramp(50_000));
        world.assert_only(&["f"]);
    }
}

/// Nobody tells how long the old file is: it is cut all the same, or removed.
#[tokio::test]
async fn a_direct_upload_over_a_file_of_which_nothing_is_told() {
    for (may_cut, published) in [(true, Published::Direct), (false, Published::DirectWithGap)] {
        let (world, server) = world().await;
        world.put("f", payload::ramp(50_000));
        world.write_file("f", payload::seeded(1, 80_000));
        server.hook(move |request| match request.operation {
            Operation::Stat | Operation::Lstat | Operation::Fstat => {
                Action::refuse(status::OP_UNSUPPORTED)
            }
            Operation::Fsetstat if !may_cut => Action::refuse(status::OP_UNSUPPORTED),
            _ => Action::Pass,
        });
        let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
        let receipt = delivered(world.deliver_by(&deliverer, "f").await);
        assert_eq!(receipt.published, published);
        assert_eq!(receipt.size, SizeCheck::NotTold);
        assert!(world.file("f") == payload::ramp(50_000));
        world.assert_only(&["f"]);
    }
}

/// In `direct` nothing is gone on with, and nothing is removed: the source stays.
#[tokio::test]
async fn a_direct_upload_that_breaks() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(8 * 1024 * 1024));
    server.hook(nth(Operation::Write, 20, || Action::Disconnect));
    let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(world.has_source("f"));
    assert_eq!(server.connections(), 1);
    server.clear_hooks();
    delivered(world.deliver_by(&deliverer, "f").await);
    assert!(world.file("f") == payload::ramp(8 * 1024 * 1024));
}

/// What a power cut would leave: told as far as the server lets it be known.
#[tokio::test]
async fn the_receipt_tells_what_is_durable() {
    let (world, server) = world().await;
    world.put("f", "content");
    let receipt = delivered(world.deliver("f").await);
    assert_eq!(receipt.durable, Durable::FileAndName);
    // ProFTPD and AsyncSSH open no directory.
    server.hook(|request| match request.path.as_deref() {
        Some(".") if request.operation == Operation::Open => Action::refuse(status::FAILURE),
        _ => Action::Pass,
    });
    world.put("f", "content");
    assert_eq!(delivered(world.deliver("f").await).durable, Durable::File);
    // Under its final name: the directory is not opened.
    let direct = world.deliverer(&[("SSH_UPLOAD", "direct")]);
    world.put("f", "content");
    let receipt = delivered(world.deliver_by(&direct, "f").await);
    assert_eq!(receipt.durable, Durable::File);
    let (world, _server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
    for upload in ["temporary", "direct"] {
        world.put("f", "content");
        let deliverer = world.deliverer(&[("SSH_UPLOAD", upload)]);
        let receipt = delivered(world.deliver_by(&deliverer, "f").await);
        assert_eq!(receipt.durable, Durable::NotKnown, "{upload}");
    }
}

/// Partners lock accounts: for a minute, and longer each time, this environment does not connect again.
#[tokio::test]
async fn a_server_that_refused_the_login_is_left_alone_in_the_next_invocation() {
    let (world, server) = with(SftpServer::builder().reject_auth()).await;
    world.put("f", "content");
    let deliverer = world.deliverer(&[]);
    for _ in 0..3 {
        let outcome = world.deliver_by(&deliverer, "f").await;
        let Outcome::Failed(error) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.name(), "LoginRefused", "{}", error.report());
    }
    assert_eq!(server.connections(), 1, "it was asked once");
    // Whether it would refuse again is not known, so that is a reason to try again.
    let outcome = world.deliver_by(&deliverer, "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(
        error.report().contains("was not tried again"),
        "{}",
        error.report()
    );
}

/// What `direct` writes over is as long as the object: a server that stores 32 KiB of each write would leave the
/// old file's bytes in the holes, and the right length.
#[tokio::test]
async fn a_direct_upload_over_a_file_on_a_server_that_stores_the_beginning_of_each_write() {
    const SIZE: usize = 261_120 * 4 + 1000;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    std::fs::write(world.home().join("f"), payload::seeded(9, SIZE)).expect("written");
    server.hook(|request| {
        if request.operation == Operation::Write && request.len > 32 * 1024 {
            Action::Keep(32 * 1024)
        } else {
            Action::Pass
        }
    });
    let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
    delivered(world.deliver_by(&deliverer, "f").await);
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
}

/// The same for a temporary that an earlier attempt of the same owner has left.
#[tokio::test]
async fn a_retry_over_its_own_leftover_on_a_server_that_stores_the_beginning_of_each_write() {
    const SIZE: usize = 261_120 * 4 + 1000;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    let name = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = std::sync::Arc::clone(&name);
    server.hook(move |request| {
        if request.operation == Operation::Write {
            seen.lock()
                .expect("nobody panics")
                .get_or_insert(request.path.clone());
            return Action::Disconnect;
        }
        Action::Pass
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    server.clear_hooks();
    let name = name.lock().expect("nobody panics").clone().flatten();
    let left = world
        .home()
        .join(name.expect("it was written to").trim_start_matches('/'));
    std::fs::write(left, payload::seeded(9, SIZE)).expect("written");
    server.hook(|request| {
        if request.operation == Operation::Write && request.len > 32 * 1024 {
            Action::Keep(32 * 1024)
        } else {
            Action::Pass
        }
    });
    delivered(world.deliver("f").await);
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
}
