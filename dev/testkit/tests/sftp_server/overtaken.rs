//! Requests that later ones overtake.

use std::sync::{Arc, Mutex};

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use testkit::sftp::{Action, Operation, SftpServer, once};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{Client, SOON, client, open_channel};

/// A server that holds the write to offset 0 until `by` other requests are done, and a file open for writing.
async fn holding(by: usize) -> (SftpServer, Client, String) {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    server.hook(move |request| {
        if request.operation == Operation::Write && request.offset == 0 {
            Action::Overtaken(by)
        } else {
            Action::Pass
        }
    });
    let flags = OpenFlags::WRITE | OpenFlags::CREATE;
    let handle = client.open("f", flags).await.expect("opened");
    (server, client, handle)
}

/// Holds the channel at a MKDIR until what is sent behind it has arrived: the late part of a flight would find the
/// early one done already.
fn hold_at_mkdir(server: &SftpServer) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel();
    let released = Mutex::new(Some(released));
    server.hook(once(Operation::Mkdir, move || {
        Action::until(released.lock().expect("whole").take().expect("once"))
    }));
    release
}

fn content(server: &SftpServer) -> Vec<u8> {
    std::fs::read(server.home().join("f")).expect("it is there")
}

#[tokio::test]
async fn a_write_is_done_behind_those_that_overtake_it() {
    let (server, client, handle) = holding(2).await;
    let other = open_channel(&client.ssh).await;
    let release = hold_at_mkdir(&server);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (looks, file) = (Arc::clone(&seen), server.home().join("f"));
    server.hook(move |request| {
        if matches!(request.operation, Operation::Fstat | Operation::Fsync) {
            let content = std::fs::read(&file).expect("it is there");
            looks.lock().expect("whole").push(content);
        }
        Action::Pass
    });
    let flight = async {
        tokio::join!(
            client.sftp.mkdir("d", FileAttributes::empty()),
            client.sftp.write(&handle, 0, b"aa".to_vec()),
            client.sftp.write(&handle, 2, b"bb".to_vec()),
            client.sftp.fstat(&handle),
            client.sftp.fstat(&handle),
        )
    };
    let releasing = async {
        other.stat(".").await.expect("behind the whole flight");
        release.send(()).expect("it is held");
    };
    let (answers, ()) = timeout(SOON, async { tokio::join!(flight, releasing) })
        .await
        .expect("in time");
    answers.1.expect("the overtaken one is answered as well");
    assert_eq!(
        *seen.lock().expect("whole"),
        [b"\0\0bb", b"aabb"],
        "behind the second of those that follow"
    );
}

#[tokio::test]
async fn no_close_overtakes_a_write() {
    let (server, client, handle) = holding(9).await;
    let (written, closed) = tokio::join!(
        client.sftp.write(&handle, 0, b"aa".to_vec()),
        client.sftp.close(handle.clone()),
    );
    written.expect("written");
    closed.expect("closed");
    assert_eq!(content(&server), b"aa");
    assert_eq!(server.violations(), [""; 0]);
}

#[tokio::test]
async fn a_write_that_nothing_overtakes_is_done_after_a_moment() {
    let (server, client, handle) = holding(1).await;
    let written = client.sftp.write(&handle, 0, b"aa".to_vec());
    timeout(SOON, written)
        .await
        .expect("in time")
        .expect("written");
    assert_eq!(content(&server), b"aa");
}

#[tokio::test]
async fn a_cut_loses_a_write_that_was_overtaken() {
    let (server, client, handle) = holding(2).await;
    let other = open_channel(&client.ssh).await;
    let release = hold_at_mkdir(&server);
    server.hook(once(Operation::Fstat, || Action::DisconnectAfter));
    let flight = async {
        tokio::join!(
            client.sftp.mkdir("d", FileAttributes::empty()),
            client.sftp.write(&handle, 0, b"aa".to_vec()),
            client.sftp.fstat(&handle),
        )
    };
    let releasing = async {
        other.stat(".").await.expect("behind the whole flight");
        release.send(()).expect("it is held");
    };
    let ((_, written, _), ()) = timeout(SOON, async { tokio::join!(flight, releasing) })
        .await
        .expect("in time");
    assert!(written.is_err(), "nobody answers");
    assert_eq!(content(&server), b"");
}
