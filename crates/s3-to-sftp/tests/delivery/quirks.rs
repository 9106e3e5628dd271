//! What servers do that the draft does not say, one test for each that no other file has. The table of them all is
//! `src/quirks.rs`, which docs/servers.md shows.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use s3_to_sftp::event::Skip;
use s3_to_sftp::receipt::{Outcome, Published};
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::sftp::{Action, Extensions, Operation, Request, SftpServer, every, flags, status};
use tokio::time::Instant;

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

/// Some of them are there, and the server answers that they are; others are not.
#[tokio::test]
async fn a_directory_that_may_not_be_made_because_it_is_there() {
    for code in [status::FAILURE, status::PERMISSION_DENIED] {
        let (world, server) = world().await;
        let home = server.home().to_owned();
        fs::create_dir(home.join("a")).expect("a directory");
        server.hook(move |request| {
            let path = request.path.as_deref().unwrap_or_default();
            let is_there = home.join(path.trim_start_matches('/')).exists();
            match request.operation {
                Operation::Mkdir if is_there => Action::refuse(code),
                _ => Action::Pass,
            }
        });
        for upload in ["temporary", "direct"] {
            let name = format!("a/{upload}/f");
            world.put("f", "content");
            let settings = [("SSH_FILENAME", name.as_str()), ("SSH_UPLOAD", upload)];
            delivered(world.deliver_by(&world.deliverer(&settings), "f").await);
            assert_eq!(world.file(&name), b"content");
        }
    }
}

/// In one step: nobody finds nothing under the name.
#[tokio::test]
async fn a_file_that_is_there_is_replaced_in_one_step() {
    let (world, server) = world().await;
    world.write_file("f", "an old one");
    world.put("f", "content");
    let receipt = delivered(world.deliver("f").await);
    assert_eq!(receipt.published, Published::PosixRename);
    assert!(server.requests_of(Operation::Rename).is_empty());
    assert_eq!(world.file("f"), b"content");
    world.assert_only(&["f"]);
}

/// ProFTPD without `AllowOverwrite on`, and files that are another account's.
#[tokio::test]
async fn a_direct_upload_over_a_file_that_is_not_opened() {
    let (world, server) = world().await;
    let home = server.home().to_owned();
    server.hook(move |request| {
        let path = request.path.as_deref().unwrap_or_default();
        let is_there = home.join(path.trim_start_matches('/')).is_file();
        match request.operation {
            Operation::Open if is_there => Action::refuse(status::PERMISSION_DENIED),
            _ => Action::Pass,
        }
    });
    world.put("f", "content");
    world.write_file("f", "theirs");
    let deliverer = world.deliverer(&[("SSH_UPLOAD", "direct")]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    let report = error.report();
    assert_eq!(error.name(), "PermissionDenied", "{report}");
    assert!(report.contains("set SSH_UPLOAD=temporary"), "{report}");
    assert_eq!(world.file("f"), b"theirs");
    assert!(world.has_source("f"));
    // As it says.
    let receipt = delivered(world.deliver("f").await);
    assert_eq!(receipt.published, Published::PosixRename);
    assert_eq!(world.file("f"), b"content");
    world.assert_only(&["f"]);
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

/// Nothing but a look keeps what has come since the delivery began, and the rename is right behind it.
#[tokio::test]
async fn a_name_that_is_taken_meanwhile_where_a_plain_rename_replaces() {
    for (choice, fails) in [("skip", false), ("fail", true)] {
        let (world, server) = world().await;
        server.hook(every(Operation::Rename, || Action::RenameOver));
        let home = server.home().to_owned();
        server.hook(every(Operation::Close, move || {
            fs::write(home.join("f"), "theirs").expect("written");
            Action::Pass
        }));
        world.put("f", "content");
        let deliverer = world.deliverer(&[("SSH_ON_CONFLICT", choice)]);
        match world.deliver_by(&deliverer, "f").await {
            Outcome::Failed(error) if fails => assert_eq!(error.name(), "FileExists"),
            Outcome::Skipped(_, Skip::Exists(_)) if !fails => {}
            other => panic!("{choice}: {other:?}"),
        }
        assert_eq!(world.file("f"), b"theirs");
        assert!(world.has_source("f"));
        world.assert_only(&["f"]);
    }
}

/// Where nobody says whether a file is there, there may be one, and the rename may go over it.
#[tokio::test]
async fn a_conflict_that_a_server_does_not_tell_of() {
    for choice in ["skip", "fail"] {
        for upload in ["temporary", "direct"] {
            let (world, server) = world().await;
            server.hook(|request| match request.operation {
                Operation::Stat | Operation::Lstat | Operation::Fstat => {
                    Action::refuse(status::PERMISSION_DENIED)
                }
                Operation::Rename => Action::RenameOver,
                Operation::Open => Action::OpenWith(request.flags & !flags::EXCL),
                _ => Action::Pass,
            });
            world.put("f", "content");
            world.write_file("f", "theirs");
            let settings = [("SSH_ON_CONFLICT", choice), ("SSH_UPLOAD", upload)];
            let outcome = world.deliver_by(&world.deliverer(&settings), "f").await;
            let Outcome::Failed(error) = outcome else {
                panic!("{outcome:?}")
            };
            let report = error.report();
            assert!(
                report.contains("next: ask the partner to allow STAT"),
                "{report}"
            );
            assert_eq!(world.file("f"), b"theirs");
            assert!(world.has_source("f"));
            world.assert_only(&["f"]);
        }
    }
}

/// It would make durable what is there, and not what is on its way.
#[tokio::test]
async fn an_fsync_does_not_overtake_the_last_writes() {
    // The first write is waited for in any case.
    const SIZE: usize = 4 * sftp::extensions::MAX_WRITE_LENGTH as usize;
    let extensions = Extensions {
        rest: false,
        ..Extensions::OPENSSH
    };
    let (world, server) = with(SftpServer::builder().extensions(extensions)).await;
    let (home, synced) = (server.home().to_owned(), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&synced);
    server.hook(move |request| match request.operation {
        Operation::Write => Action::Overtaken(3),
        Operation::Fsync => {
            let path = request.path.as_deref().unwrap_or_default();
            let file = fs::metadata(home.join(path.trim_start_matches('/')));
            seen.fetch_max(file.expect("it is open").len(), Ordering::SeqCst);
            Action::Pass
        }
        _ => Action::Pass,
    });
    world.put("f", payload::ramp(SIZE));
    delivered(world.deliver("f").await);
    assert_eq!(synced.load(Ordering::SeqCst), SIZE as u64);
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
}

#[tokio::test]
async fn a_window_of_a_few_kilobytes() {
    const SIZE: usize = 256 * 1024 + 1;
    const WINDOW: u32 = 4096;
    const ROUND_TRIP: Duration = Duration::from_millis(10);
    let (world, server) = with(SftpServer::builder().window(WINDOW).packet_size(1024)).await;
    let line = Proxy::start(server.port()).await;
    line.delay(ROUND_TRIP);
    let port = line.port().to_string();
    world.put("f", payload::ramp(SIZE));
    let started = Instant::now();
    let deliverer = world.deliverer(&[("SSH_PORT", &port)]);
    delivered(world.deliver_by(&deliverer, "f").await);
    // No more than a window goes in a round trip; with one of OpenSSH's it would take none of these.
    let round_trips = u32::try_from(SIZE).expect("small") / WINDOW;
    assert!(started.elapsed() > ROUND_TRIP * round_trips);
    assert!(server.longest_data() <= 1024);
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
    use s3_to_sftp::error::VerdictKind;
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
    let line = Proxy::start(world.account.port).await;
    let port = line.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", &port)]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    let report = error.report();
    assert_eq!(error.name(), "ConnectionBroken", "{report}");
    assert!(report.contains("too many connections"), "{report}");
    assert_eq!(error.verdict().kind, VerdictKind::Retry, "{report}");
    assert_eq!(line.connections(), 2, "asked once more");
    assert!(world.has_source("f"));
    world.assert_only(&[]);
    drop(beginner);
    delivered(world.deliver("f").await);
    world.assert_only(&["f"]);
}

/// Whoever is let in and gets no SFTP: the program ends without a word, or something else talks in its place.
#[cfg(feature = "real-servers")]
#[tokio::test]
async fn openssh_that_lets_in_and_has_no_sftp() {
    use testkit::servers::Sshd;

    use crate::world::World;

    for (line, told) in [
        (
            "Subsystem sftp /bin/false",
            "ask the partner to enable SFTP",
        ),
        (
            "ForceCommand echo Welcome to ACME Corp",
            "Welcome to ACME Corp",
        ),
        (
            "ForceCommand echo Welcome to ACME Corp",
            "have to be silent",
        ),
        ("MaxSessions 0", "ask the partner to enable SFTP"),
    ] {
        let server = Sshd::start_with(&[line])
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let world = World::new(server.account(), server).await;
        let (name, report) = failure(&world, &[]).await;
        assert_eq!(name, "SftpRefused", "{line}: {report}");
        assert!(report.contains(told), "{line}: {report}");
    }
}
