//! A connection that ends in the middle.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use s3_to_sftp::error::VerdictKind;
use s3_to_sftp::receipt::{Outcome, Published};
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::sftp::{Action, Extensions, Operation, SftpServer, every, flags, nth, once, status};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::{with, world};
use crate::world::{World, job};

/// Over the second connection only what the first one did not bring, by an OPEN that makes no file.
#[tokio::test]
async fn a_connection_that_breaks_is_gone_on_with_from_the_acknowledged_byte() {
    const SIZE: usize = 8 * 1024 * 1024;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(nth(Operation::Write, 20, || Action::Disconnect));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    assert_eq!(server.connections(), 2);
    let writes = server.requests_of(Operation::Write);
    let first = writes.iter().find(|write| write.connection == 2);
    let first = first.expect("there is something left to write").offset;
    assert!(first >= 2 * 1024 * 1024, "begun at byte {first}");
    let opens = server.requests_of(Operation::Open);
    let again = opens.iter().find(|open| {
        open.connection == 2 && open.path.as_deref().is_some_and(|it| it.ends_with(".part"))
    });
    assert_eq!(again.expect("it is opened").flags, flags::WRITE);
    world.assert_only(&["f"]);
}

/// What else of that connection would be an answer to something else, nobody knows.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_gone_on_from_over_another_connection() {
    const SIZE: usize = 8 * 1024 * 1024;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(nth(Operation::Write, 20, || Action::AnswerAnother));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    assert_eq!(server.connections(), 2);
    assert_eq!(world.s3.count("GetObject"), 2, "gone on with");
    world.assert_only(&["f"]);
}

/// `rclone serve sftp` without a cache: it writes from the first byte on, in order.
#[tokio::test]
async fn a_server_that_writes_from_the_beginning_only() {
    const SIZE: usize = 8 * 1024 * 1024;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(nth(Operation::Write, 20, || Action::Disconnect));
    let has_begun = AtomicBool::new(false);
    server.hook(move |request| {
        if request.operation != Operation::Write || request.connection == 1 {
            return Action::Pass;
        }
        if request.offset == 0 {
            has_begun.store(true, Ordering::SeqCst);
        }
        if has_begun.load(Ordering::SeqCst) {
            Action::Pass
        } else {
            Action::Status(status::FAILURE, "Illegal seek".into())
        }
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    assert!(!world.has_source("f"));
    world.assert_only(&["f"]);
}

/// Accounts that may only add: what had arrived and was not acknowledged would be there twice. The first write shows it, and
/// not the last.
#[tokio::test]
async fn a_server_that_appends_every_write() {
    const SIZE: usize = 8 * 1024 * 1024;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(nth(Operation::Write, 20, || Action::DisconnectAfter));
    server.hook(|request| match request.operation {
        Operation::Open if request.flags & flags::WRITE != 0 => {
            Action::OpenWith(request.flags | flags::APPEND)
        }
        _ => Action::Pass,
    });
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    let writes = server.requests_of(Operation::Write);
    let again = writes.iter().filter(|write| write.connection == 2);
    let offsets: Vec<u64> = again.map(|write| write.offset).take(2).collect();
    assert!(offsets[0] > 0, "gone on with: {offsets:?}");
    assert_eq!(offsets[1], 0, "begun anew at once");
    world.assert_only(&["f"]);
}

/// A link that brings nothing is not worth a third connection.
#[tokio::test]
async fn a_connection_that_brought_nothing_is_not_made_again() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(1024 * 1024));
    server.hook(every(Operation::Write, || Action::Disconnect));
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "ConnectionBroken", "{}", error.report());
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert_eq!(server.connections(), 1);
    assert!(world.has_source("f"));
    assert!(!world.home().join("f").exists());
}

/// Another attempt has taken the temporary, or somebody removed it: it is not made anew with a hole.
#[tokio::test]
async fn a_temporary_that_is_gone_after_a_break_is_lost() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(8 * 1024 * 1024));
    let home = world.home().to_owned();
    server.hook(nth(Operation::Write, 20, move || {
        for entry in std::fs::read_dir(&home).expect("the home is there") {
            std::fs::remove_file(entry.expect("it is readable").path()).expect("it is a file");
        }
        Action::Disconnect
    }));
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "TemporaryLost", "{}", error.report());
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(world.has_source("f"));
    world.assert_only(&[]);
}

/// A server that has less than it acknowledged gets everything again.
#[tokio::test]
async fn a_server_that_lost_acknowledged_bytes_is_written_to_from_the_beginning() {
    const SIZE: usize = 8 * 1024 * 1024;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    let home = world.home().to_owned();
    server.hook(nth(Operation::Write, 20, move || {
        for entry in std::fs::read_dir(&home).expect("the home is there") {
            let path = entry.expect("it is readable").path();
            let file = std::fs::OpenOptions::new().write(true).open(path);
            file.and_then(|file| file.set_len(100_000))
                .expect("it is cut");
        }
        Action::Disconnect
    }));
    let outcome = world.deliver("f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    let writes = server.requests_of(Operation::Write);
    let first = writes.iter().find(|write| write.connection == 2);
    assert_eq!(first.map(|write| write.offset), Some(0));
}

/// The rename is done and its answer lost: the names on the server tell.
#[tokio::test]
async fn a_lost_answer_to_the_rename_is_settled_by_the_names() {
    // Of the second no byte has shown that the connection was worth another one.
    for content in ["content", ""] {
        let (world, server) = world().await;
        world.put("f", content);
        world.write_file("f", "oldtent");
        server.hook(once(Operation::PosixRename, || Action::DisconnectAfter));
        let outcome = world.deliver("f").await;
        let Outcome::Delivered(receipt, _) = outcome else {
            panic!("{content:?}: {outcome:?}")
        };
        assert_eq!(receipt.published, Published::Settled);
        assert!(!world.has_source("f"));
        assert_eq!(world.file("f"), content.as_bytes());
        assert_eq!(server.requests_of(Operation::PosixRename).len(), 1);
        world.assert_only(&["f"]);
    }
}

/// It was not done: it is sent once more.
#[tokio::test]
async fn a_lost_rename_is_sent_again() {
    let (world, server) = world().await;
    world.put("f", "content");
    server.hook(once(Operation::PosixRename, || Action::Disconnect));
    let outcome = world.deliver("f").await;
    let Outcome::Delivered(receipt, _) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(receipt.published, Published::PosixRename);
    assert_eq!(world.file("f"), b"content");
    world.assert_only(&["f"]);
}

/// The temporary is gone, and what has the final name is not ours: the same length and the same second are no
/// evidence when the file looked so before.
#[tokio::test]
async fn a_lost_rename_without_evidence_keeps_the_source() {
    let (world, server) = world().await;
    world.put("f", "content");
    world.write_file("f", "oldtent");
    let home = world.home().to_owned();
    server.hook(once(Operation::PosixRename, move || {
        // Somebody takes the temporary away, and the connection breaks before the rename.
        let entries = std::fs::read_dir(&home).expect("the home is there");
        for path in entries.map(|entry| entry.expect("it is readable").path()) {
            if path.extension().is_some_and(|it| it == "part") {
                std::fs::remove_file(path).expect("it is a file");
            }
        }
        Action::Disconnect
    }));
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "TemporaryLost", "{}", error.report());
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert!(world.has_source("f"));
    assert_eq!(world.file("f"), b"oldtent");
}

/// Each rename's answer is lost: twice is enough.
#[tokio::test]
async fn a_rename_that_breaks_every_connection_is_given_up() {
    let (world, server) = world().await;
    world.put("f", "content");
    server.hook(every(Operation::PosixRename, || Action::Disconnect));
    let outcome = world.deliver("f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        error.verdict().kind,
        VerdictKind::Retry,
        "{}",
        error.report()
    );
    assert!(world.has_source("f"));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_server_that_stops_answering_is_given_up() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(1024 * 1024));
    server.hook(every(Operation::Write, || Action::Drop));
    let extra = [("SSH_STALL_TIMEOUT", "1s")];
    let started = std::time::Instant::now();
    let outcome = world.deliver_by(&world.deliverer(&extra), "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "ServerSilent", "{}", error.report());
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "{:?}",
        started.elapsed()
    );
    assert!(world.has_source("f"));
}

/// A slow FSYNC is waited for without limit, but only as long as the server lives: keepalives tell.
#[tokio::test]
async fn a_link_that_dies_during_a_slow_fsync_is_given_up() {
    // Where the order is not known, all writes are acknowledged before the FSYNC is sent: it is all that is waited for.
    let extensions = Extensions {
        rest: false,
        ..Extensions::OPENSSH
    };
    let (world, server) = with(SftpServer::builder().extensions(extensions)).await;
    world.put("f", payload::ramp(5 * 1024 * 1024));
    let proxy = Arc::new(Proxy::start(server.port()).await);
    let stalled = Arc::clone(&proxy);
    server.hook(every(Operation::Fsync, move || {
        stalled.stall();
        Action::Drop
    }));
    let port = proxy.port().to_string();
    let extra = [
        ("SSH_CONNECT_TIMEOUT", "1s"),
        ("SSH_STALL_TIMEOUT", "1s"),
        ("SSH_PORT", port.as_str()),
    ];
    let started = std::time::Instant::now();
    let outcome = world.deliver_by(&world.deliverer(&extra), "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    // The second connection, for everything was acknowledged by the first, is taken and not served.
    assert_eq!(error.name(), "ServerSilent", "{}", error.report());
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "{:?}",
        started.elapsed()
    );
    assert!(world.has_source("f"));
}

/// After a broken connection the next record gets a new one.
#[tokio::test]
async fn a_broken_connection_is_replaced_for_the_next_record() {
    let (world, server) = world().await;
    world.put("one", payload::ramp(1024 * 1024));
    world.put("two", "two");
    server.hook(nth(Operation::Write, 1, || Action::Disconnect));
    let deliverer = world.deliverer(&[]);
    let invocation = deliverer.invocation(world.soon());
    let one = invocation.deliver(job(World::BUCKET, "one"), "owner").await;
    let two = invocation.deliver(job(World::BUCKET, "two"), "owner").await;
    invocation.finish().await;
    assert!(matches!(one, Outcome::Failed(_)), "{one:?}");
    assert!(matches!(two, Outcome::Delivered(..)), "{two:?}");
    assert_eq!(server.connections(), 2);
}

/// Nothing outlives an invocation where that is asked for.
#[tokio::test]
async fn no_connection_is_open_when_an_invocation_has_ended() {
    let (world, server) = world().await;
    world.put("f", "content");
    // It lives on, and would hold a connection that was kept.
    let deliverer = world.deliverer(&[("SSH_KEEP_CONNECTION", "no")]);
    world.deliver_by(&deliverer, "f").await;
    assert_eq!(server.connections(), 1);
    let identification = format!("SSH-2.0-s3-to-sftp_{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.identifications(), [identification]);
    let gone = async {
        while server.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone)
        .await
        .expect("the server sees its end");
}

/// A partner who allows five connections counts one until it has closed it itself, and Lambda begins the next
/// invocation as soon as this one has answered.
#[tokio::test]
async fn an_invocation_has_not_ended_before_the_server_has_closed_its_connection() {
    let (world, server) = world().await;
    world.put("f", "content");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let port = port.to_string();
    let server_port = server.port();
    let (goodbye, mut said_goodbye) = oneshot::channel();
    let (close, may_close) = oneshot::channel();
    let line = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.expect("a client");
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port))
            .await
            .expect("the server listens");
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = async {
            _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            _ = goodbye.send(());
            // A process of the server's ends when it comes to it.
            _ = may_close.await;
            _ = to_server.shutdown().await;
        };
        _ = tokio::join!(up, tokio::io::copy(&mut from_server, &mut to_client));
    });
    let settings = [("SSH_KEEP_CONNECTION", "no"), ("SSH_PORT", port.as_str())];
    let deliverer = world.deliverer(&settings);
    let mut delivering = std::pin::pin!(world.deliver_by(&deliverer, "f"));
    tokio::select! {
        biased;
        outcome = &mut delivering => panic!("it has ended without a goodbye: {outcome:?}"),
        _ = &mut said_goodbye => {}
    }
    for _ in 0..100 {
        tokio::select! {
            biased;
            outcome = &mut delivering => panic!("it has not waited for the server: {outcome:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    _ = close.send(());
    let outcome = delivering.await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    line.await.expect("it does not panic");
}

/// A link that is cut while a connection is made costs a second, and not the minute in which a server is left alone: before
/// the login, and behind it.
#[tokio::test]
async fn a_first_connection_that_breaks_is_made_once_more() {
    let (world, server) = world().await;
    let line = Proxy::start(server.port()).await;
    line.end_at_once(1..=1);
    let port = line.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", port.as_str())]);
    world.put("f", "content");
    let outcome = world.deliver_by(&deliverer, "f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(server.connections(), 1);

    server.hook(once(Operation::Init, || Action::Disconnect));
    let deliverer = world.deliverer(&[]);
    world.put("g", "content");
    let outcome = world.deliver_by(&deliverer, "g").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(server.connections(), 3);
    world.assert_only(&["f", "g"]);
}

/// Nobody has refused SFTP there; and twice is enough for an invocation.
#[tokio::test]
async fn a_connection_that_breaks_behind_the_login_is_no_refusal_of_sftp() {
    let (world, server) = world().await;
    world.put("f", "content");
    server.hook(every(Operation::Init, || Action::Disconnect));
    let Outcome::Failed(error) = world.deliver("f").await else {
        panic!("it cannot be delivered");
    };
    assert_eq!(error.name(), "ConnectionBroken", "{}", error.report());
    assert_eq!(error.verdict().kind, VerdictKind::Retry);
    assert_eq!(server.connections(), 2);
    assert!(world.has_source("f"));
}

/// A server that is restarted takes no connections for a moment.
#[tokio::test]
async fn a_server_that_comes_back_is_gone_on_with() {
    const SIZE: usize = 8 * 1024 * 1024;
    let (world, server) = world().await;
    world.put("f", payload::ramp(SIZE));
    server.hook(nth(Operation::Write, 20, || Action::Disconnect));
    let line = Proxy::start(server.port()).await;
    line.end_at_once(2..=2);
    let port = line.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", port.as_str())]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    world.assert_only(&["f"]);
}
