//! What servers do that the draft does not say, one test for each that no other file has. The table of them all is
//! `src/quirks.rs`, which docs/servers.md shows.

use std::fs;

use s3_to_sftp::receipt::{Outcome, Published};
use testkit::payload;
use testkit::sftp::{Action, Extensions, Operation, Request, SftpServer, status};

use super::bad_input::{failure, with, world};
use super::promises::links::delivered;

/// Accounts that may put files into the directories that there are.
#[tokio::test]
async fn a_directory_that_is_there_and_may_not_be_made() {
    let (world, server) = world().await;
    server.hook(|request| match request.operation {
        Operation::Mkdir => Action::refuse(status::PERMISSION_DENIED),
        _ => Action::Pass,
    });
    world.put("f", "content");
    let (name, report) = failure(&world, &[("SSH_FILENAME", "a/b/{key}")]).await;
    assert_eq!(name, "PermissionDenied", "{report}");
    assert!(world.has_source("f"));
    fs::create_dir_all(world.home().join("a/b")).expect("a directory");
    let deliverer = world.deliverer(&[("SSH_FILENAME", "a/b/{key}")]);
    delivered(world.deliver_by(&deliverer, "f").await);
    assert_eq!(world.file("a/b/f"), b"content");
    world.assert_only(&["a/b/f"]);
}

/// The error says what to set, and with that it goes.
#[tokio::test]
async fn a_server_where_nothing_is_renamed() {
    for code in [
        status::PERMISSION_DENIED,
        status::OP_UNSUPPORTED,
        status::FAILURE,
    ] {
        let (world, server) = world().await;
        server.hook(move |request| match request.operation {
            Operation::Rename | Operation::PosixRename => Action::refuse(code),
            _ => Action::Pass,
        });
        world.put("f", "content");
        let (_, report) = failure(&world, &[]).await;
        assert!(report.contains("SSH_UPLOAD=direct"), "{report}");
        assert!(world.has_source("f"));
        world.assert_only(&[]);
        let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
        let receipt = delivered(world.deliver_by(&deliverer, "f").await);
        assert_eq!(receipt.published, Published::Direct);
        assert!(!world.has_source("f"));
        world.assert_only(&["f"]);
    }
}

/// Nothing is asked about the name behind the rename: it is the partner's by then.
#[tokio::test]
async fn a_file_that_is_taken_or_named_anew_at_the_rename() {
    for new_name in [None, Some("f.20261128T0705")] {
        let (world, server) = world().await;
        let home = server.home().to_owned();
        server.hook(move |request: &Request| {
            if request.operation != Operation::PosixRename {
                return Action::Pass;
            }
            let from = home.join(request.path.as_deref().unwrap_or_default());
            match new_name {
                Some(name) => fs::rename(from, home.join(name)).expect("it is there"),
                None => fs::remove_file(from).expect("it is there"),
            }
            Action::AcknowledgeOnly
        });
        world.put("f", "content");
        let outcome = world.deliver("f").await;
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
        assert!(!world.has_source("f"));
        world.assert_only(new_name.as_slice());
    }
}

#[tokio::test]
async fn a_window_of_a_few_kilobytes() {
    const SIZE: usize = 512 * 1024 + 1;
    let (world, _server) = with(SftpServer::builder().window(4096).packet_size(1024)).await;
    world.put("f", payload::ramp(SIZE));
    delivered(world.deliver("f").await);
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    world.assert_only(&["f"]);
}

/// One write at a time, for whatever reason. The second file finds that known.
#[tokio::test]
async fn a_server_that_refuses_writes_that_are_sent_together() {
    const SIZE: usize = 300_000;
    for upload in ["temporary", "direct"] {
        let (world, server) = with(SftpServer::builder().extensions(Extensions::NONE)).await;
        let home = server.home().to_owned();
        // None is done before another request has come, or some time has passed.
        server.hook(move |request| {
            if request.operation != Operation::Write {
                return Action::Pass;
            }
            let path = home.join(request.path.as_deref().unwrap_or_default());
            let done = fs::metadata(path).expect("it is open").len();
            if request.offset > done {
                Action::refuse(status::FAILURE)
            } else {
                Action::Overtaken(1)
            }
        });
        let deliverer = world.deliverer(&[("SSH_UPLOAD", upload)]);
        for (file, retries) in [("first", 1), ("second", 0)] {
            world.put(file, payload::ramp(SIZE));
            let receipt = delivered(world.deliver_by(&deliverer, file).await);
            assert_eq!(receipt.retries, retries, "{upload}: {file}");
            let quirks = receipt.server.server_quirks.unwrap_or_default();
            assert!(quirks.contains("one-write"), "{quirks}");
            assert!(world.file(file) == payload::ramp(SIZE), "byte by byte");
        }
        world.assert_only(&["first", "second"]);
    }
}

/// A disk that is full refuses writes that come one by one as well: nothing is made of that.
#[tokio::test]
async fn a_full_disk_is_no_server_that_takes_one_write_at_a_time() {
    let (world, server) = world().await;
    server.hook(|request| match request.operation {
        Operation::Write if request.offset > 100_000 => Action::no_space(),
        _ => Action::Pass,
    });
    let deliverer = world.deliverer(&[]);
    world.put("f", payload::ramp(300_000));
    let outcome = world.deliver_by(&deliverer, "f").await;
    assert!(
        matches!(&outcome, Outcome::Failed(error) if error.name() == "SftpFailure"),
        "{outcome:?}"
    );
    server.clear_hooks();
    let receipt = delivered(world.deliver_by(&deliverer, "f").await);
    assert_eq!(receipt.server.server_quirks, None);
    world.assert_only(&["f"]);
}

/// `MaxStartups`: whoever comes while others log in is hung up on. It is asked once more a second later.
#[cfg(feature = "real-servers")]
#[tokio::test]
async fn openssh_that_bears_no_more_beginners() {
    use testkit::servers::Sshd;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use crate::world::World;

    let server = Sshd::start_with(&["MaxStartups 1"])
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let world = World::new(server.account(), server).await;
    world.put("f", "content");
    let mut beginner = TcpStream::connect(("127.0.0.1", world.account.port))
        .await
        .expect("it is taken");
    // Its banner shows that it counts.
    beginner.read_u8().await.expect("a banner");
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "ConnectionBroken", "{report}");
    assert!(report.contains("too many connections"), "{report}");
    assert!(world.has_source("f"));
    drop(beginner);
    delivered(world.deliver("f").await);
    world.assert_only(&["f"]);
}
