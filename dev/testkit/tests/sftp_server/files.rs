//! Files and directories: the manners of OpenSSH.

use std::time::Instant;

use futures_util::StreamExt as _;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use testkit::sftp::{Extensions, Operation, SftpServer, flags, status};

use crate::{SOON, client, code};

#[tokio::test]
async fn a_file_arrives_whole() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("a.txt", b"hello").await.expect("written");

    assert_eq!(
        std::fs::read(server.home().join("a.txt")).expect("there"),
        b"hello"
    );
    let writes = server.requests_of(Operation::Write);
    assert_eq!(
        (writes.len(), writes[0].path.as_deref(), writes[0].len),
        (1, Some("a.txt"), 5)
    );
    assert_eq!(
        server.requests_of(Operation::Open)[0].flags,
        flags::WRITE | flags::CREAT
    );
    assert_eq!(server.open_handles(), Vec::<String>::new());
    assert_eq!(server.violations(), Vec::<String>::new());
    assert!(
        server.identifications()[0].starts_with("SSH-2.0-"),
        "{:?}",
        server.identifications()
    );
}

#[tokio::test]
async fn open_takes_its_flags_at_their_word() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let (write, create) = (OpenFlags::WRITE, OpenFlags::CREATE);

    assert_eq!(code(client.open("f", write).await), StatusCode::NoSuchFile);
    client.put("f", b"0123456789").await.expect("written");
    assert_eq!(
        code(client.open("f", write | create | OpenFlags::EXCLUDE).await),
        StatusCode::Failure
    );

    let handle = client.open("f", write).await.expect("opened");
    client
        .sftp
        .write(&handle, 2, b"xx".to_vec())
        .await
        .expect("written");
    assert_eq!(
        std::fs::read(server.home().join("f")).expect("there"),
        b"01xx456789"
    );
    assert_eq!(server.open_handles(), ["f"]);

    let handle = client
        .open("f", write | OpenFlags::APPEND)
        .await
        .expect("opened");
    client
        .sftp
        .write(&handle, 0, b"end".to_vec())
        .await
        .expect("written");
    assert_eq!(
        std::fs::read(server.home().join("f")).expect("there"),
        b"01xx456789end"
    );

    client
        .open("f", write | create | OpenFlags::TRUNCATE)
        .await
        .expect("opened");
    assert_eq!(std::fs::read(server.home().join("f")).expect("there"), b"");
    assert_eq!(
        code(client.open("no/such", write | create).await),
        StatusCode::NoSuchFile
    );
    // As OpenSSH: a directory is opened, to be synced, and not to be written to.
    client.open(".", OpenFlags::READ).await.expect("opened");
    assert_eq!(code(client.open(".", write).await), StatusCode::Failure);
}

#[tokio::test]
async fn a_plain_rename_never_overwrites_and_a_posix_one_does() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("new", b"new").await.expect("written");
    client.put("old", b"old").await.expect("written");

    assert_eq!(
        code(client.sftp.rename("new", "old").await),
        StatusCode::Failure
    );
    assert_eq!(
        std::fs::read(server.home().join("old")).expect("there"),
        b"old"
    );
    assert_eq!(
        client
            .extended("posix-rename@openssh.com", &["new", "old"])
            .await,
        status::OK
    );
    assert_eq!(
        std::fs::read(server.home().join("old")).expect("there"),
        b"new"
    );
    assert_eq!(
        client
            .extended("posix-rename@openssh.com", &["new", "old"])
            .await,
        status::NO_SUCH_FILE
    );
    client.sftp.rename("old", "final").await.expect("renamed");

    let seen = &server.requests_of(Operation::PosixRename)[0];
    assert_eq!(
        (seen.path.as_deref(), seen.to.as_deref()),
        (Some("new"), Some("old"))
    );
}

#[tokio::test]
async fn without_extensions_they_are_unsupported() {
    let server = SftpServer::builder()
        .extensions(Extensions::NONE)
        .start()
        .await;
    let client = client(&server).await;
    assert_eq!(
        client
            .extended("posix-rename@openssh.com", &["a", "b"])
            .await,
        status::OP_UNSUPPORTED
    );
    assert_eq!(
        client.extended("made-up@example.com", &[]).await,
        status::OP_UNSUPPORTED
    );
}

#[tokio::test]
async fn directories_attributes_and_listings() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client
        .sftp
        .mkdir("d", FileAttributes::empty())
        .await
        .expect("made");
    assert_eq!(
        code(client.sftp.mkdir("d", FileAttributes::empty()).await),
        StatusCode::Failure
    );
    client.put("d/f", b"0123456789").await.expect("written");

    let cut = FileAttributes {
        size: Some(4),
        permissions: Some(0o640),
        mtime: Some(99),
        atime: Some(98),
        ..FileAttributes::empty()
    };
    client.sftp.setstat("d/f", cut).await.expect("set");
    let seen = client.sftp.stat("/d/f").await.expect("there").attrs;
    assert_eq!(
        (
            seen.size,
            seen.permissions.map(|mode| mode & 0o777),
            seen.mtime
        ),
        (Some(4), Some(0o640), Some(99))
    );

    let handle = client.sftp.opendir("d").await.expect("opened").handle;
    let mut names: Vec<_> = client
        .sftp
        .readdir(&handle)
        .await
        .expect("listed")
        .files
        .into_iter()
        .map(|file| file.filename)
        .collect();
    names.sort();
    assert_eq!(names, [".", "..", "f"]);
    assert_eq!(code(client.sftp.readdir(&handle).await), StatusCode::Eof);

    assert_eq!(code(client.sftp.rmdir("d").await), StatusCode::Failure);
    client.sftp.remove("d/f").await.expect("removed");
    client.sftp.rmdir("d").await.expect("removed");
    assert_eq!(code(client.sftp.stat("d").await), StatusCode::NoSuchFile);
}

#[tokio::test]
async fn nobody_leaves_the_root() {
    let server = SftpServer::builder()
        .login_directory("/home/acme")
        .start()
        .await;
    let client = client(&server).await;
    let sftp = &client.sftp;
    let real = |path: &'static str| async move {
        sftp.realpath(path).await.expect("real").files[0]
            .filename
            .clone()
    };
    assert_eq!(real(".").await, "/home/acme");
    assert_eq!(real("../../../../etc").await, "/etc");
    assert_eq!(
        code(client.sftp.stat("/etc/passwd").await),
        StatusCode::NoSuchFile
    );
    client.put("../../top", b"x").await.expect("written");
    assert!(server.root().join("top").exists());
    client.put("here", b"x").await.expect("written");
    assert!(server.home().join("here").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_mebibytes_take_seconds() {
    const WRITE: usize = 32 * 1024;
    const WRITES: usize = 2048;
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let begin = Instant::now();
    let handle = client
        .open("big", OpenFlags::WRITE | OpenFlags::CREATE)
        .await
        .expect("opened");
    let sftp = &client.sftp;
    let handle = &handle;
    let writes = futures_util::stream::iter(0..WRITES).map(|n| async move {
        let data = vec![u8::try_from(n % 251).expect("small"); WRITE];
        sftp.write(handle, (n * WRITE) as u64, data)
            .await
            .expect("written");
    });
    writes.buffer_unordered(64).collect::<()>().await;
    sftp.close(handle).await.expect("closed");

    let took = begin.elapsed();
    let arrived = std::fs::read(server.home().join("big")).expect("there");
    assert_eq!(arrived.len(), WRITE * WRITES);
    assert!(
        arrived
            .chunks(WRITE)
            .enumerate()
            .all(|(n, chunk)| chunk.iter().all(|byte| usize::from(*byte) == n % 251))
    );
    assert!(took < SOON, "64 MiB took {took:?}");
}
