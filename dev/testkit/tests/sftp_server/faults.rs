//! What goes wrong when a test says so, and ports where no server is.

use std::time::Duration;

use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, StatusCode};
use testkit::sftp::{
    Action, Extensions, Operation, SftpServer, closed_port, disk_full_beyond, every, nth, once,
    silent, status,
};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{SOON, client, code, open_channel};

#[tokio::test]
async fn hooks_refuse_lie_and_fill_the_disk() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    server.hook(disk_full_beyond(4));
    let full = client.put("f", b"hello").await.expect_err("full");
    assert!(full.to_string().contains("No space left"), "{full}");
    server.clear_hooks();

    server.hook(every(Operation::Write, || Action::AcknowledgeOnly));
    client
        .put("lie", b"hello")
        .await
        .expect("said to be written");
    assert_eq!(
        std::fs::read(server.home().join("lie")).expect("there"),
        b""
    );
    // The newest hook has the first say.
    server.hook(every(Operation::Write, || Action::Keep(2)));
    client
        .put("lie", b"hello")
        .await
        .expect("said to be written");
    assert_eq!(
        std::fs::read(server.home().join("lie")).expect("there"),
        b"he"
    );
    server.clear_hooks();

    server.hook(nth(Operation::Remove, 2, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    client.sftp.remove("lie").await.expect("the first may");
    assert_eq!(
        code(client.sftp.remove("f").await),
        StatusCode::PermissionDenied
    );
    client.sftp.remove("f").await.expect("the third may");
}

#[tokio::test]
async fn a_request_without_an_answer_holds_up_no_other() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("f", b"x").await.expect("written");
    server.hook(once(Operation::Stat, || Action::Drop));
    let lost = client.sftp.stat("f");
    let answered = client.sftp.lstat("f");
    tokio::select! {
        biased;
        _ = lost => panic!("answered"),
        answered = answered => assert_eq!(answered.expect("there").attrs.size, Some(1)),
    }
}

#[tokio::test]
async fn a_held_request_holds_up_its_channel_and_no_other() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let second = open_channel(&client.ssh).await;
    let (release, released) = oneshot::channel();
    let released = std::sync::Mutex::new(Some(released));
    server.hook(once(Operation::Mkdir, move || {
        Action::until(released.lock().expect("whole").take().expect("once"))
    }));
    let made = client.sftp.mkdir("d", FileAttributes::empty());
    let other = second.mkdir("e", FileAttributes::empty());
    tokio::pin!(made);
    tokio::select! {
        biased;
        _ = &mut made => panic!("not released"),
        other = other => { other.expect("made"); }
    }
    assert!(!server.home().join("d").exists());
    release.send(()).expect("waited for");
    timeout(SOON, made).await.expect("in time").expect("made");
}

#[tokio::test]
async fn cuts_come_before_or_after_the_deed() {
    for (action, done) in [(false, false), (true, true)] {
        let server = SftpServer::start().await;
        let client = client(&server).await;
        client.put("a", b"x").await.expect("written");
        server.hook(every(Operation::Rename, move || {
            if action {
                Action::DisconnectAfter
            } else {
                Action::Disconnect
            }
        }));
        let result = timeout(SOON, client.sftp.rename("a", "b"))
            .await
            .expect("in time");
        assert!(
            !matches!(result, Ok(_) | Err(Error::Status(_))),
            "{result:?}"
        );
        assert_eq!(server.home().join("b").exists(), done);
        timeout(SOON, async {
            while !client.ssh.is_closed() {
                tokio::task::yield_now().await
            }
        })
        .await
        .expect("closed");
        drop(client);

        // The next connection is not affected.
        server.clear_hooks();
        crate::client(&server)
            .await
            .put("c", b"x")
            .await
            .expect("written");
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_server() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let (port, home) = (server.port(), server.home().to_owned());
    drop(server);
    assert!(
        timeout(SOON, client.sftp.stat("."))
            .await
            .expect("in time")
            .is_err()
    );
    assert!(!home.exists());
    tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .expect_err("nobody listens");
}

#[tokio::test]
async fn ports_without_a_server() {
    let silent = silent();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", silent.port()))
        .await
        .expect("connected");
    let mut byte = [0];
    let read = tokio::io::AsyncReadExt::read(&mut stream, &mut byte);
    timeout(Duration::from_millis(50), read)
        .await
        .expect_err("silence");
    let closed = closed_port();
    let error = tokio::net::TcpStream::connect(("127.0.0.1", closed.port()))
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_hook_that_panics_ends_its_client_s_wait() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    server.hook(every(Operation::Stat, || panic!("a hook's assertion")));
    let result = timeout(SOON, client.sftp.stat(".")).await.expect("in time");
    assert!(
        !matches!(result, Ok(_) | Err(Error::Status(_))),
        "{result:?}"
    );

    // On a thread of its own it is found out as well.
    server.clear_hooks();
    server.hook(every(Operation::Stat, || {
        Action::Run(Box::new(|| panic!("a hook's assertion")))
    }));
    let client = crate::client(&server).await;
    timeout(SOON, client.sftp.stat("."))
        .await
        .expect("in time")
        .expect_err("cut");
    assert!(
        server.violations()[0].contains("panicked"),
        "{:?}",
        server.violations()
    );
}

#[tokio::test]
async fn the_late_bytes_of_a_client_that_is_gone_arrive_unanswered() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("f", b"x").await.expect("written");
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Mutex::new(Some(released));
    server.hook(move |request| {
        let held = (request.operation == Operation::Remove)
            .then(|| released.lock().ok()?.take())
            .flatten();
        match held {
            Some(released) => Action::Freeze(Box::pin(async move {
                released.await.ok();
            })),
            None => Action::Pass,
        }
    });
    let together = async { tokio::join!(client.sftp.remove("f"), client.sftp.stat("f")) };
    let release = async {
        let arrived = async {
            while !server
                .requests()
                .iter()
                .any(|it| it.operation == Operation::Remove)
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, arrived).await.expect("it arrives");
        // There before, so that only what was frozen can have taken it away.
        assert!(server.home().join("f").exists());
        release.send(()).expect("it is held");
    };
    let ((removed, _), ()) = timeout(SOON, async { tokio::join!(together, release) })
        .await
        .expect("the connection is cut");
    assert!(removed.is_err(), "nobody answers");
    assert!(!server.home().join("f").exists());
}

#[tokio::test]
async fn an_answer_comes_late_and_a_size_is_a_lie() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("f", b"hello").await.expect("written");
    server.hook(every(Operation::Stat, || Action::Size(3)));
    let told = client.sftp.stat("f").await.expect("told");
    assert_eq!(told.attrs.size, Some(3));

    let home = server.home().to_owned();
    server.hook(once(Operation::Remove, move || {
        let file = home.join("f");
        Action::WaitAfter(Box::pin(async move {
            assert!(!file.exists(), "it is done before the wait");
        }))
    }));
    client.sftp.remove("f").await.expect("answered");
}

#[tokio::test]
async fn a_plain_rename_goes_over_a_file_where_the_server_is_such_a_one() {
    let server = SftpServer::builder()
        .extensions(Extensions::NONE)
        .start()
        .await;
    let client = client(&server).await;
    client.put("f", b"new").await.expect("written");
    client.put("g", b"old").await.expect("written");
    assert!(client.sftp.rename("f", "g").await.is_err());
    server.hook(every(Operation::Rename, || Action::RenameOver));
    client.sftp.rename("f", "g").await.expect("renamed");
    let content = std::fs::read(server.home().join("g")).expect("it is there");
    assert_eq!(content, b"new");
    assert!(!server.home().join("f").exists());
}
