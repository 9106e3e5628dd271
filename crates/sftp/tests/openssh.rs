//! The client against OpenSSH's `sftp-server -e` over pipes.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use bytes::Bytes;
use sftp::transport::{Reader, Writer};
use sftp::{Attributes, OpenFlags, Options, Session, StatusCode, Upload};
use tempfile::TempDir;
use testkit::payload;
use testkit::servers::SftpServerProcess;
use tokio::process::Child;

struct World {
    home: TempDir,
    session: Session,
    /// Runs as long as this is held.
    _server: Child,
}

async fn world() -> World {
    let home = tempfile::tempdir().expect("a directory");
    let server =
        SftpServerProcess::start(home.path()).unwrap_or_else(|missing| panic!("{missing}"));
    let SftpServerProcess {
        stdin,
        stdout,
        child,
    } = server;
    let session = Session::start(Reader::new(stdout), Writer::new(stdin), Options::default()).await;
    World {
        home,
        session: session.expect("it speaks version 3"),
        _server: child,
    }
}

async fn create(session: &Session, name: &str) -> sftp::Handle {
    let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREAT;
    let opened = session.open(name, flags, Attributes::default()).await;
    opened.expect("opened")
}

#[tokio::test]
async fn openssh_lists_what_we_use() {
    let world = world().await;
    assert!(world.session.has_posix_rename());
    assert!(world.session.has_fsync());
    let limits = world.session.limits().await;
    assert_eq!(limits.write_length, sftp::extensions::MAX_WRITE_LENGTH);
    assert!(limits.open_handles.is_some_and(|handles| handles > 100));
}

#[tokio::test]
async fn a_file_is_uploaded_verified_and_renamed_over_another() {
    const SIZE: usize = 9 * 1024 * 1024 + 11;
    let World { home, session, .. } = &world().await;
    std::fs::write(home.path().join("f"), "old").expect("written");
    let handle = create(session, "f.part").await;
    let mut upload = Upload::new(session, handle.clone()).await;
    // In pieces that fit no boundary.
    for piece in payload::ramp(SIZE).chunks(70_001) {
        let taken = upload.write(Bytes::copy_from_slice(piece)).await;
        taken.expect("taken");
    }
    upload.drain().await.expect("acknowledged");
    assert_eq!(upload.acknowledged(), SIZE as u64);

    let (fsync, fstat) = (session.fsync(&handle), session.fstat(&handle));
    let (close, stat) = (session.close(&handle), session.stat("f.part"));
    fsync.await.expect("durable");
    assert_eq!(fstat.await.expect("told").size, Some(SIZE as u64));
    close.await.expect("closed");
    assert_eq!(stat.await.expect("told").size, Some(SIZE as u64));
    let exists = session.rename("f.part", "f").await.expect_err("exists");
    assert!(exists.is(StatusCode::FAILURE));
    session.posix_rename("f.part", "f").await.expect("renamed");
    let difference = payload::first_difference_in_file(home.path().join("f"), SIZE as u64);
    assert_eq!(difference.expect("there"), None);
    assert!(!home.path().join("f.part").exists());
}

#[tokio::test]
async fn what_was_written_can_be_read_back() {
    let World { session, .. } = &world().await;
    let handle = create(session, "f").await;
    let pieces = vec![Bytes::from_static(b"put "), Bytes::from_static(b"together")];
    session.write(&handle, 0, pieces).await.expect("written");
    let read = session.read(&handle, 4, 100).await.expect("read");
    assert_eq!(read.as_deref(), Some(b"together".as_slice()));
    let end = session.read(&handle, 12, 100).await.expect("the end");
    assert_eq!(end, None);
}

#[tokio::test]
async fn refusals_keep_their_numbers() {
    let World { session, .. } = &world().await;
    let flags = OpenFlags::WRITE | OpenFlags::CREAT;
    let missing = session
        .open("no/such/dir", flags, Attributes::default())
        .await;
    assert!(missing.expect_err("refused").is(StatusCode::NO_SUCH_FILE));
    session.mkdir("dir").await.expect("made");
    let exists = session.mkdir("dir").await.expect_err("exists");
    assert!(exists.is(StatusCode::FAILURE));
    assert!(session.stat("dir").await.expect("told").is_directory());
    assert!(session.remove("dir").await.is_err());
}

#[tokio::test]
async fn a_directory_is_listed() {
    let World { home, session, .. } = &world().await;
    for name in ["one", "two"] {
        std::fs::write(home.path().join(name), name).expect("written");
    }
    let handle = session.opendir(".").await.expect("opened");
    let mut names = Vec::new();
    while let Some(page) = session.readdir(&handle).await.expect("listed") {
        names.extend(page.into_iter().map(|name| name.filename));
    }
    session.close(&handle).await.expect("closed");
    names.sort();
    assert_eq!(names, [".", "..", "one", "two"].map(Bytes::from));
}

#[tokio::test]
async fn a_file_is_cut_to_length_and_given_a_mode() {
    let World { home, session, .. } = &world().await;
    std::fs::write(home.path().join("f"), "0123456789").expect("written");
    let handle = create(session, "f").await;
    let attributes = Attributes {
        size: Some(4),
        permissions: Some(0o600),
        ..Attributes::default()
    };
    session.fsetstat(&handle, attributes).await.expect("set");
    let metadata = std::fs::metadata(home.path().join("f")).expect("there");
    let mode = metadata.permissions().mode() & 0o777;
    assert_eq!((metadata.len(), mode), (4, 0o600));
}

/// Four programs, each with a handle of its own, write one file.
#[tokio::test]
async fn several_channels_write_one_file() {
    const SIZE: usize = 33 * 1024 * 1024 + 5;
    let first = world().await;
    let home = first.home.path();
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(started(home).await);
    }
    let sessions = others.iter().map(|(session, _)| session.clone()).collect();
    assert!(first.session.extensions().are_those_of_openssh());
    let handle = create(&first.session, "f").await;
    let mut upload = Upload::new(&first.session, handle.clone()).await;
    let data = payload::ramp(SIZE);
    let (beginning, rest) = data.split_at(5 * 1024 * 1024);
    upload
        .write(Bytes::copy_from_slice(beginning))
        .await
        .expect("written");
    assert!(upload.could_be_wider(), "the window has been full");
    upload.widen(sessions, "f").await.expect("they share it");
    assert_eq!(upload.channels(), 4);
    for piece in rest.chunks(100_003) {
        let piece = Bytes::copy_from_slice(piece);
        upload.write(piece).await.expect("written");
    }
    upload.drain().await.expect("acknowledged");
    assert_eq!(upload.acknowledged(), SIZE as u64);
    for closed in upload.narrow() {
        closed.await.expect("closed");
    }
    assert_eq!(upload.channels(), 1);
    first.session.close(&handle).await.expect("closed");
    assert!(std::fs::read(home.join("f")).expect("it is there") == data);
}

async fn started(home: &std::path::Path) -> (Arc<Session>, Child) {
    let server = SftpServerProcess::start(home).unwrap_or_else(|missing| panic!("{missing}"));
    let (stdin, stdout) = (Writer::new(server.stdin), Reader::new(server.stdout));
    let session = Session::start(stdout, stdin, Options::default()).await;
    (
        Arc::new(session.expect("it speaks version 3")),
        server.child,
    )
}
