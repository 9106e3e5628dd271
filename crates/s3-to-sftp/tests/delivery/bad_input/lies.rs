//! Servers that say one thing and do another.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::sftp::{Action, Extensions, Operation, SftpServer, every, flags, nth, status};

use super::{failure, with, world};
use crate::world::{World, job};

/// A write that is acknowledged and not stored: the size tells.
#[tokio::test]
async fn a_server_that_stores_less_than_it_acknowledges() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(1024 * 1024));
    server.hook(every(Operation::Write, || Action::AcknowledgeOnly));
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "SizeMismatch");
    assert!(report.contains("0 bytes of 1048576"), "{report}");
    assert_eq!(
        world.s3.count("GetObject"),
        2,
        "begun anew once, then refused"
    );
}

/// It stores 32 KiB of each write, and the last one is short: the size is right, and the file has holes.
#[tokio::test]
async fn a_server_that_stores_the_beginning_of_each_write_and_the_right_size() {
    const KEPT: usize = 32 * 1024;
    let (world, server) = world().await;
    server.hook(|request| match request.operation {
        Operation::Write if request.len > KEPT => Action::Keep(KEPT),
        _ => Action::Pass,
    });
    let deliverer = world.deliverer(&[("SSH_KEEP_CONNECTION", "no")]);
    for writes in [1, 3] {
        let size = writes * sftp::extensions::MAX_WRITE_LENGTH as usize + 1000;
        world.put("f", payload::ramp(size));
        let outcome = world.deliver_by(&deliverer, "f").await;
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
        assert_eq!(world.file("f"), payload::ramp(size), "{writes} and a bit");
    }
    assert_eq!(
        world.s3.count("GetObject"),
        3,
        "begun anew once: it is remembered"
    );
    world.assert_only(&["f"]);
}

/// The same, and it refuses to tell how much there is of an open file.
#[tokio::test]
async fn a_server_that_stores_the_beginning_of_each_write_and_tells_no_size() {
    const KEPT: usize = 32 * 1024;
    const SIZE: usize = 3 * sftp::extensions::MAX_WRITE_LENGTH as usize + 1000;
    let (world, server) = world().await;
    server.hook(|request| match request.operation {
        Operation::Write if request.len > KEPT => Action::Keep(KEPT),
        Operation::Fstat => Action::refuse(status::FAILURE),
        _ => Action::Pass,
    });
    world.put("f", payload::ramp(SIZE));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    world.assert_only(&["f"]);
}

/// A second server behind the same name appends to what we write.
#[tokio::test]
async fn a_file_that_is_longer_than_the_object() {
    let (world, server) = world().await;
    let home = server.home().to_owned();
    server.hook(move |request| match &request.path {
        Some(path) if request.operation == Operation::Stat && path.ends_with(".part") => {
            let file = home.join(path.trim_start_matches('/'));
            Action::Run(Box::new(move || {
                std::fs::write(file, "content and more").expect("it is there");
            }))
        }
        _ => Action::Pass,
    });
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "SizeMismatch", "{report}");
}

/// Servers that store elsewhere tell a file's length late.
#[tokio::test]
async fn a_length_that_is_told_late_is_waited_for() {
    let (world, server) = world().await;
    world.put("f", "content");
    let (is_closed, looks) = (AtomicBool::new(false), AtomicU32::new(0));
    server.hook(move |request| {
        let is_temporary = request
            .path
            .as_deref()
            .is_some_and(|it| it.ends_with(".part"));
        if request.operation == Operation::Close {
            is_closed.store(true, Ordering::Relaxed);
        }
        let asks = request.operation == Operation::Stat && is_temporary;
        // The first behind the CLOSE, and two that ask again: the third is the last.
        let is_late =
            asks && is_closed.load(Ordering::Relaxed) && looks.fetch_add(1, Ordering::Relaxed) < 3;
        if is_late {
            Action::Size(0)
        } else {
            Action::Pass
        }
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.s3.count("GetObject"), 1, "not begun anew");
}

#[tokio::test]
async fn a_server_that_takes_the_file_away_at_close() {
    let (world, server) = world().await;
    let home = server.home().to_owned();
    // Whatever its name.
    server.hook(every(Operation::Close, move || {
        let home = home.clone();
        Action::Run(Box::new(move || take_files(&home, |_| true)))
    }));
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "TemporaryGone");
    assert!(report.contains("SSH_UPLOAD=direct"), "{report}");
    // Done as it says, it is delivered: such a server takes the file away, and that is a success.
    let outcome = world
        .deliver_by(&world.deliverer(&[("SSH_UPLOAD", "direct")]), "f")
        .await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    world.assert_only(&[]);
}

/// Gone before the CLOSE, it is no server's habit: another attempt has it, or somebody removed it.
#[tokio::test]
async fn a_temporary_that_is_gone_before_the_close_is_lost() {
    let (world, server) = world().await;
    world.put("f", "content");
    let home = server.home().to_owned();
    server.hook(every(Operation::Fsync, move || {
        let home = home.clone();
        Action::Run(Box::new(move || {
            take_files(&home, |it| it.extension().is_some_and(|it| it == "part"));
        }))
    }));
    let (name, _) = failure(&world, &[]).await;
    assert_eq!(name, "TemporaryLost");
}

fn take_files(home: &Path, wanted: fn(&Path) -> bool) {
    let entries = std::fs::read_dir(home).expect("the home is there");
    for path in entries.map(|entry| entry.expect("it is readable").path()) {
        if wanted(&path) {
            std::fs::remove_file(path).expect("it is a file");
        }
    }
}

/// A directory under the final name must not be moved aside as if it were an old file.
#[tokio::test]
async fn a_directory_under_the_final_name() {
    for extensions in [Extensions::OPENSSH, Extensions::NONE] {
        let (world, _server) = with(SftpServer::builder().extensions(extensions)).await;
        std::fs::create_dir(world.home().join("f")).expect("the home can be written to");
        let (name, _) = failure(&world, &[]).await;
        assert_eq!(name, "NameIsDirectory");
        assert!(world.home().join("f").is_dir());
    }
}

/// Without posix-rename the old file is moved aside; where the second rename fails it comes back.
#[tokio::test]
async fn a_rename_that_fails_half_way_is_rolled_back() {
    let builder = SftpServer::builder().extensions(Extensions::NONE);
    let (world, server) = with(builder).await;
    world.write_file("f", "yesterday's");
    world.put("f", "today's");
    // The first is refused by the old file, the second moves that aside, the third is the one.
    server.hook(nth(Operation::Rename, 3, || {
        Action::refuse(status::FAILURE)
    }));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert_eq!(world.file("f"), b"yesterday's");
    assert!(world.has_source("f"));
    world.assert_only(&["f"]);
}

/// Without posix-rename: the twin of another environment publishes first, and its source is gone.
#[tokio::test]
async fn a_file_that_appeared_before_the_rename_is_not_moved_aside() {
    let builder = SftpServer::builder().extensions(Extensions::NONE);
    let (world, server) = with(builder).await;
    world.write_file("f", "yesterday's");
    world.put("f", "today's");
    let (home, store) = (server.home().to_owned(), world.s3.store());
    server.hook(nth(Operation::Rename, 1, move || {
        let (home, store) = (home.clone(), store.clone());
        Action::Run(Box::new(move || {
            std::fs::write(home.join("f"), "the twin's, of another length").expect("writable");
            store.delete(World::BUCKET, "f");
        }))
    }));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Gone(_)), "{outcome:?}");
    assert_eq!(world.file("f"), b"the twin's, of another length");
    world.assert_only(&["f"]);
}

/// The twin has moved the old file aside already.
#[tokio::test]
async fn an_old_file_that_is_gone_before_it_is_moved_aside_begins_anew() {
    let builder = SftpServer::builder().extensions(Extensions::NONE);
    let (world, server) = with(builder).await;
    world.write_file("f", "yesterday's");
    world.put("f", "today's");
    let home = server.home().to_owned();
    server.hook(nth(Operation::Rename, 2, move || {
        let old = home.join("f");
        Action::Run(Box::new(move || {
            std::fs::remove_file(old).expect("it is there");
        }))
    }));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.file("f"), b"today's");
    world.assert_only(&["f"]);
}

/// Partners read their files, and that is no reason to send another one anew.
#[tokio::test]
async fn an_old_file_that_is_read_meanwhile_is_still_the_same() {
    let builder = SftpServer::builder().extensions(Extensions::NONE);
    let (world, server) = with(builder).await;
    world.write_file("f", "yesterday's");
    world.put("f", "today's");
    let home = server.home().to_owned();
    server.hook(nth(Operation::Rename, 1, move || {
        let old = home.join("f");
        Action::Run(Box::new(move || {
            let read = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
            let file = std::fs::File::open(old).expect("it is there");
            let times = std::fs::FileTimes::new().set_accessed(read);
            file.set_times(times).expect("it is ours");
        }))
    }));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.s3.count("GetObject"), 1, "not begun anew");
}

/// Whoever may not rename may not move the partner's file either.
#[tokio::test]
async fn a_denied_rename_moves_nothing_aside() {
    let builder = SftpServer::builder().extensions(Extensions::NONE);
    let (world, server) = with(builder).await;
    world.write_file("f", "yesterday's");
    world.put("f", "today's");
    server.hook(nth(Operation::Rename, 1, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "PermissionDenied", "{}", error.report());
    assert_eq!(server.requests_of(Operation::Rename).len(), 1);
    world.assert_only(&["f"]);
}

/// The server makes the file, and its answer does not come before the time is over.
#[tokio::test]
async fn a_temporary_whose_open_the_deadline_ends_is_removed() {
    let (world, server) = world().await;
    world.put("f", "content");
    let home = server.home().to_owned();
    server.hook(move |request| match &request.path {
        Some(path) if request.operation == Operation::Open => {
            std::fs::write(home.join(path.trim_start_matches('/')), "").expect("writable");
            Action::Drop
        }
        _ => Action::Pass,
    });
    let deliverer = world.deliverer(&[]);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(1);
    let invocation = deliverer.invocation(deadline);
    let outcome = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    invocation.finish().await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    world.assert_only(&[]);
}

/// The time is over when the old file is aside and the new one has not its name yet.
#[tokio::test]
async fn a_rename_that_the_deadline_ends_half_way_is_rolled_back() {
    let builder = SftpServer::builder().extensions(Extensions::NONE);
    let (world, server) = with(builder).await;
    world.write_file("f", "yesterday's");
    world.put("f", "today's");
    server.hook(nth(Operation::Rename, 3, || Action::Drop));
    let deliverer = world.deliverer(&[]);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(2);
    let invocation = deliverer.invocation(deadline);
    let outcome = invocation.deliver(job(World::BUCKET, "f"), "owner").await;
    invocation.finish().await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "DeadlineReached", "{}", error.report());
    assert_eq!(world.file("f"), b"yesterday's");
    assert!(world.has_source("f"));
    world.assert_only(&["f"]);
}

/// A handle that is closed may be another file's by now.
#[tokio::test]
async fn a_handle_is_closed_once() {
    let (world, server) = world().await;
    server.hook(every(Operation::PosixRename, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    failure(&world, &[]).await;
    let closes = server.requests_of(Operation::Close);
    let handles: std::collections::BTreeSet<_> = closes.iter().map(|it| &it.handle).collect();
    // The file's, and that of its directory.
    assert_eq!((closes.len(), handles.len()), (2, 2));
}

/// ProFTPD's default: a name that exists is not opened, not even one's own.
#[tokio::test]
async fn an_own_temporary_that_may_not_be_opened_again_is_removed() {
    let (world, server) = world().await;
    world.put("f", "content");
    let refused = AtomicBool::new(false);
    server.hook(move |request| match request.operation {
        Operation::Open if !refused.swap(true, Ordering::Relaxed) => {
            Action::refuse(status::PERMISSION_DENIED)
        }
        _ => Action::Pass,
    });
    // What an earlier attempt of the same owner left: the embedded server does not care whose it
    // is, only that REMOVE finds something.
    server.hook(|request| match request.operation {
        Operation::Remove => Action::AcknowledgeOnly,
        _ => Action::Pass,
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.file("f"), b"content");
}

/// No OPEN truncates: a server's CREAT alone makes the file.
#[tokio::test]
async fn nothing_is_opened_with_trunc() {
    let (world, server) = world().await;
    world.put("f", "content");
    world.deliver("f").await;
    let opens = server.requests_of(Operation::Open);
    assert!(!opens.is_empty());
    assert!(
        opens.iter().all(|open| open.flags & flags::TRUNC == 0),
        "{opens:?}"
    );
}

/// Without posix-rename the first rename is refused, and so slowly that the look before it is old by
/// then. It is repeated, and v2 is there: v1 must not be published any more.
#[tokio::test]
async fn a_look_that_grew_old_while_a_rename_was_refused_is_repeated() {
    let builder = SftpServer::builder().extensions(Extensions::NONE);
    let (world, server) = with(builder).await;
    world.write_file("f", "yesterday's");
    world.put("f", "one");
    // The age of a look is what is tested, so this takes real time: a slow server's, not the test's.
    let slow = std::time::Duration::from_millis(2100);
    server.hook(nth(Operation::Rename, 1, move || Action::Delay(slow)));
    world.at("HeadObject", 2, |store| {
        store.put(World::BUCKET, "f", "two");
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.file("f"), b"two");
    assert_eq!(
        server.requests_of(Operation::Rename).len(),
        4,
        "one refused for v1, and v2's three"
    );
    world.assert_only(&["f"]);
}

/// S3's answer lies in the socket for 2 s, as in that of a process that was stopped: what it tells is how things
/// were when it was asked for, and v2 is there by now.
#[tokio::test]
async fn a_look_that_was_answered_late_is_repeated() {
    let (world, _server) = world().await;
    world.put("f", "one");
    // Real time, as above.
    let late = std::time::Duration::from_millis(2100);
    world.s3.hook(move |request| {
        if (request.operation.as_str(), request.number) == ("HeadObject", 1) {
            testkit::s3::Action::AnswerLate(late)
        } else {
            testkit::s3::Action::Pass
        }
    });
    world.at("HeadObject", 2, |store| {
        store.put(World::BUCKET, "f", "two");
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(world.file("f"), b"two");
    world.assert_only(&["f"]);
}

/// Somebody takes the temporary between the verification and the rename.
#[tokio::test]
async fn a_temporary_that_is_lost_is_a_reason_to_try_again() {
    let (world, server) = world().await;
    let home = server.home().to_owned();
    server.hook(move |request| {
        if request.operation != Operation::PosixRename {
            return Action::Pass;
        }
        let taken = home.join(request.path.clone().unwrap_or_default());
        Action::Run(Box::new(move || {
            std::fs::remove_file(taken).expect("it is there");
        }))
    });
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "TemporaryLost", "{report}");
    assert!(report.contains("next:"), "{report}");
}
