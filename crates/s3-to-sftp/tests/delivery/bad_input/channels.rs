//! Servers that do not bear several channels on one file, or not well.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use s3_to_sftp::receipt::Outcome;
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::sftp::{Action, Builder, Extensions, Operation, Request, SftpServer, flags};

use super::with;
use crate::world::World;

const SIZE: usize = 24 * 1024 * 1024 + 7;

/// Far enough away for one channel's window to hold it back.
const ROUND_TRIP: Duration = Duration::from_millis(20);

async fn far(builder: Builder) -> (World, Arc<SftpServer>, Proxy) {
    let (world, server) = with(builder).await;
    let proxy = Proxy::start(server.port()).await;
    proxy.delay(ROUND_TRIP);
    world.put("f", payload::ramp(SIZE));
    (world, server, proxy)
}

/// Delivers with so many channels, and sees every byte arrive.
async fn arrives(world: &World, proxy: &Proxy, channels: &str) {
    arrives_by(world, proxy, &[("SSH_CHANNELS", channels)]).await;
}

async fn arrives_by(world: &World, proxy: &Proxy, settings: &[(&str, &str)]) {
    let port = proxy.port().to_string();
    let settings = [settings, &[("SSH_PORT", &port)]].concat();
    let outcome = world.deliver_by(&world.deliverer(&settings), "f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    assert!(!world.has_source("f"));
    world.assert_only(&["f"]);
}

/// The channels that brought bytes.
fn writers(server: &SftpServer) -> BTreeSet<u64> {
    let writes = server.requests_of(Operation::Write);
    writes.iter().map(|write| write.channel).collect()
}

fn is_further(request: &Request, operation: Operation) -> bool {
    request.operation == operation && request.channel > 1
}

#[tokio::test]
async fn a_number_of_channels_is_taken_at_its_word() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    arrives(&world, &proxy, "4").await;
    assert_eq!(writers(&server).len(), 4);
    // Only the OPEN that begins the file makes one.
    let opens = server.requests_of(Operation::Open);
    let written = opens.iter().filter(|open| open.flags & flags::WRITE != 0);
    let made = written
        .clone()
        .filter(|open| open.flags & flags::CREAT != 0);
    assert_eq!((written.count(), made.count()), (4, 1));
}

#[tokio::test]
async fn a_server_that_only_calls_itself_openssh_gets_one_channel() {
    let extensions = Extensions {
        rest: false,
        ..Extensions::OPENSSH
    };
    let builder = SftpServer::builder()
        .identification("SSH-2.0-OpenSSH_9.2")
        .extensions(extensions);
    let (world, server, proxy) = far(builder).await;
    arrives(&world, &proxy, "auto").await;
    assert_eq!(writers(&server).len(), 1);
    assert_eq!(server.requests_of(Operation::Init).len(), 1);
}

#[tokio::test]
async fn a_server_that_takes_one_channel_only() {
    let (world, server, proxy) = far(SftpServer::builder().max_channels(1)).await;
    arrives(&world, &proxy, "4").await;
    assert_eq!(writers(&server).len(), 1);
}

#[tokio::test]
async fn a_server_that_takes_two_channels() {
    let (world, server, proxy) = far(SftpServer::builder().max_channels(2)).await;
    arrives(&world, &proxy, "16").await;
    assert_eq!(writers(&server).len(), 2);
}

/// Neither for the next file on the same connection, nor over the next one.
#[tokio::test]
async fn what_a_server_has_refused_is_not_asked_for_again() {
    const SIZE: usize = 10 * 1024 * 1024;
    for most in [1, 2] {
        for keeps in ["yes", "no"] {
            let (world, server, proxy) = far(SftpServer::builder().max_channels(most)).await;
            let port = proxy.port().to_string();
            let deliverer = world.deliverer(&[
                ("SSH_CHANNELS", "4"),
                ("SSH_KEEP_CONNECTION", keeps),
                ("SSH_PORT", &port),
            ]);
            for _ in 0..2 {
                world.put("f", payload::ramp(SIZE));
                let outcome = world.deliver_by(&deliverer, "f").await;
                assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
            }
            assert_eq!(
                server.refused_channels(),
                4 - most as u64,
                "{most}, {keeps}"
            );
        }
    }
}

/// It is not asked for another one over the next connection.
#[tokio::test]
async fn a_server_that_hangs_up_when_it_is_asked_for_another_channel() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(
        |request| match is_further(request, Operation::Init) && request.connection == 1 {
            true => Action::Disconnect,
            false => Action::Pass,
        },
    );
    arrives(&world, &proxy, "4").await;
    assert_eq!(server.connections(), 2);
    assert_eq!(writers(&server).len(), 2, "one of each connection");
}

/// It names a limit for one WRITE that nobody means. One is kept to, however small; the other is more than a packet
/// of ours ever holds.
#[tokio::test]
async fn servers_with_odd_limits_for_one_write() {
    for (told, most) in [
        (1024, 1024),
        (4 << 30, sftp::extensions::MAX_WRITE_LENGTH as usize),
    ] {
        let extensions = Extensions {
            write_limit: told,
            ..Extensions::OPENSSH
        };
        let (world, server, proxy) = far(SftpServer::builder().extensions(extensions)).await;
        arrives(&world, &proxy, "3").await;
        let writes = server.requests_of(Operation::Write);
        assert_eq!(writes.iter().map(|write| write.len).max(), Some(most));
        assert!(writers(&server).len() > 1, "{told}");
    }
}

/// RFC 4254 lets a server take no more than it likes in one CHANNEL_DATA.
#[tokio::test]
async fn a_server_whose_channel_packets_are_tiny() {
    let builder = SftpServer::builder().packet_size(512);
    let (world, server, proxy) = far(builder).await;
    arrives(&world, &proxy, "3").await;
    assert_eq!(writers(&server).len(), 3);
    assert_eq!(server.longest_data(), 512);
}

/// Writes are carried out and answered in whatever order (draft-02, section 6.1), on each channel.
#[tokio::test]
async fn a_server_that_answers_writes_out_of_order() {
    let extensions = Extensions {
        rest: false,
        ..Extensions::OPENSSH
    };
    let (world, server, proxy) = far(SftpServer::builder().extensions(extensions)).await;
    server.hook(|request| match request.operation {
        Operation::Write => {
            Action::Overtaken(usize::try_from(request.offset / 1024 % 3).expect("small"))
        }
        _ => Action::Pass,
    });
    arrives(&world, &proxy, "3").await;
    assert_eq!(writers(&server).len(), 3);
}

/// However much is on its way: one write is answered after the other, each in its own time. The last of those that wait
/// waits for longer than a silence may last.
#[tokio::test]
async fn a_server_that_answers_one_write_at_a_time() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    let disk = Arc::new(tokio::sync::Mutex::new(()));
    server.hook(move |request| match request.operation {
        Operation::Write => {
            let disk = Arc::clone(&disk);
            Action::WaitAfter(Box::pin(async move {
                let _turn = disk.lock().await;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }))
        }
        _ => Action::Pass,
    });
    let settings = [("SSH_CHANNELS", "3"), ("SSH_STALL_TIMEOUT", "1s")];
    arrives_by(&world, &proxy, &settings).await;
    assert_eq!(server.connections(), 1);
    assert_eq!(writers(&server).len(), 3);
}

/// A home that is no file system: what one handle writes, another does not see.
#[tokio::test]
async fn a_home_where_each_handle_has_its_own_copy() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    let home = server.home().to_owned();
    // What the others write goes nowhere, until the file is begun anew.
    server.hook(move |request| {
        let is_first_file = request.connection == 1 && request.channel > 1;
        match is_first_file && request.operation == Operation::Write {
            true => Action::AcknowledgeOnly,
            false => Action::Pass,
        }
    });
    arrives(&world, &proxy, "3").await;
    assert!(home.join("f").exists());
    let creates = server.requests_of(Operation::Open);
    let creates = creates.iter().filter(|open| open.flags & flags::CREAT != 0);
    assert_eq!(creates.count(), 2, "it is begun anew");
}

#[tokio::test]
async fn a_server_that_truncates_when_another_channel_opens_the_file() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(|request| match request.flags & flags::WRITE != 0 {
        true => Action::OpenWith(request.flags | flags::TRUNC),
        false => Action::Pass,
    });
    arrives(&world, &proxy, "3").await;
    let first = server.requests_of(Operation::Write);
    assert!(
        first.iter().all(|write| write.channel == 1),
        "nothing was written by the others"
    );
}

#[tokio::test]
async fn a_server_that_does_not_open_a_file_twice() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(|request| match is_further(request, Operation::Open) {
        true => Action::refuse(testkit::sftp::status::PERMISSION_DENIED),
        false => Action::Pass,
    });
    arrives(&world, &proxy, "4").await;
    assert_eq!(writers(&server).len(), 1);
}

/// What it had not acknowledged is written by the others.
#[tokio::test]
async fn a_channel_that_ends_in_the_middle() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(|request| {
        match is_further(request, Operation::Write)
            && request.offset > 12_000_000
            && request.channel == 3
        {
            true => Action::EndChannel,
            false => Action::Pass,
        }
    });
    arrives(&world, &proxy, "4").await;
    assert_eq!(server.connections(), 1);
    assert_eq!(writers(&server).len(), 4);
}

/// What such a channel had on its way could still be sent when a frozen environment thaws.
#[tokio::test]
async fn a_connection_that_lost_a_channel_is_not_kept() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(
        |request| match is_further(request, Operation::Write) && request.channel == 3 {
            true => Action::EndChannel,
            false => Action::Pass,
        },
    );
    let port = proxy.port().to_string();
    let settings = [("SSH_CHANNELS", "4"), ("SSH_PORT", &port)];
    let deliverer = world.deliverer(&settings);
    for connections in [1, 2] {
        world.put("f", payload::ramp(SIZE));
        let outcome = world.deliver_by(&deliverer, "f").await;
        assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
        assert_eq!(server.connections(), connections);
    }
}

/// All that are not the first.
#[tokio::test]
async fn all_further_channels_end() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(|request| match is_further(request, Operation::Write) {
        true => Action::EndChannel,
        false => Action::Pass,
    });
    arrives(&world, &proxy, "3").await;
    assert_eq!(server.connections(), 1);
}

/// One of several handles tells of a late error: the file is not published.
#[tokio::test]
async fn a_further_channel_whose_close_is_refused() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(|request| match is_further(request, Operation::Close) {
        true => Action::no_space(),
        false => Action::Pass,
    });
    let port = proxy.port().to_string();
    let settings = [("SSH_CHANNELS", "3"), ("SSH_PORT", &port)];
    let outcome = world.deliver_by(&world.deliverer(&settings), "f").await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!(world.has_source("f"));
    assert!(!world.home().join("f").exists());
}

#[tokio::test]
async fn a_disk_that_is_full_under_several_channels() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(|request| {
        match request.operation == Operation::Write && request.offset > 12_000_000 {
            true => Action::no_space(),
            false => Action::Pass,
        }
    });
    let port = proxy.port().to_string();
    let settings = [("SSH_CHANNELS", "3"), ("SSH_PORT", &port)];
    let outcome = world.deliver_by(&world.deliverer(&settings), "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    let report = error.report();
    assert!(report.contains("No space left on device"), "{report}");
    assert!(world.has_source("f"));
    world.assert_only(&[]);
}

/// mod_sftp: once there is a second channel, what any of them writes is refused, and what is asked then is not answered.
#[tokio::test]
async fn a_server_that_mixes_up_its_channels() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    let is_mixed_up = AtomicBool::new(false);
    server.hook(move |request| {
        if request.connection > 1 {
            return Action::Pass;
        }
        if is_further(request, Operation::Open) {
            is_mixed_up.store(true, Ordering::SeqCst);
        }
        let is_mixed_up = is_mixed_up.load(Ordering::SeqCst);
        match request.operation {
            Operation::Write if is_mixed_up => Action::Status(9, "Invalid handle".into()),
            Operation::Remove if is_mixed_up => Action::Drop,
            _ => Action::Pass,
        }
    });
    arrives(&world, &proxy, "4").await;
    assert_eq!(server.connections(), 2, "the first one is of no use");
    let mut writes = server.requests_of(Operation::Write);
    writes.retain(|write| write.connection == 2);
    let channels: BTreeSet<u64> = writes.iter().map(|write| write.channel).collect();
    assert_eq!(channels.len(), 1, "it is remembered");
}

/// The link breaks while several channels write: what the slowest of them had acknowledged is where it goes on.
#[tokio::test]
async fn a_link_that_breaks_under_several_channels() {
    let (world, server, proxy) = far(SftpServer::builder()).await;
    server.hook(|request| {
        let is_it = request.operation == Operation::Write
            && request.connection == 1
            && request.offset > 18_000_000;
        if is_it {
            Action::Disconnect
        } else {
            Action::Pass
        }
    });
    arrives(&world, &proxy, "4").await;
    assert_eq!(server.connections(), 2);
}
