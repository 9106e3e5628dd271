//! A person at a terminal: bars, and Ctrl-C.

use rustix::process::{Pid, Signal, kill_process};
use testkit::payload;
use testkit::program::{Ended, SOON};
use testkit::proxy::Proxy;
#[cfg(feature = "real-servers")]
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::{BUCKET, World};

/// What a person stops is stopped: nothing more is begun, and nothing half is left.
#[tokio::test]
async fn ctrl_c_breaks_off_what_is_on_its_way_and_begins_nothing_more() {
    let world = World::new().await;
    let proxy = Proxy::start(world.sftp.port()).await;
    world.s3.put(BUCKET, "large", payload::ramp(8 << 20));
    world.s3.put(BUCKET, "next", "1");
    proxy.rate(256 << 10);
    let port = proxy.port().to_string();
    let arguments = [
        "send",
        "--move",
        "--jobs",
        "1",
        "s3://inbox/large",
        "s3://inbox/next",
    ];
    let mut command = world.command(&arguments);
    let child = command.env("SSH_PORT", &port).spawn();
    let child = child.expect("the program starts");
    while proxy.bytes_sent() < 512 << 10 {
        tokio::task::yield_now().await;
    }
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    kill_process(pid.expect("it runs"), Signal::INT).expect("it can be signalled");
    // So that what is on the line does not hold up the end.
    proxy.rate(0);
    let output = timeout(SOON, child.wait_with_output()).await;
    let ended = Ended::from(output.expect("in time").expect("it ends"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("SIGINT"), "{ended:?}");
    assert_eq!(ended.stdout, "", "nothing is delivered");
    assert!(world.s3.exists(BUCKET, "large") && world.s3.exists(BUCKET, "next"));
    assert_eq!(world.files(), [""; 0]);
}

/// `script` gives it a terminal.
#[cfg(feature = "real-servers")]
#[tokio::test]
async fn a_terminal_has_bars_with_rate_and_remaining_time_and_the_lines_above_them() {
    let world = World::new().await;
    let proxy = Proxy::start(world.sftp.port()).await;
    world
        .s3
        .put(BUCKET, "in/large\u{202e}", payload::ramp(2 << 20));
    proxy.rate(1 << 20);
    let line = format!(
        "{} send 's3://inbox/in/large\u{202e}'",
        env!("CARGO_BIN_EXE_s3-to-sftp")
    );
    let arguments = ["--quiet", "--return", "--command", &line, "/dev/null"];
    let mut command = world.within(Command::new("script"), &arguments);
    let port = proxy.port().to_string();
    command.env("SSH_PORT", &port).env("TERM", "xterm");
    let ended = Ended::of(command).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = ended.stdout;
    for expected in [
        r"s3://inbox/in/large\u{202e}",
        "/2.00 MiB",
        "MiB/s",
        "delivered s3://inbox/in/large",
    ] {
        assert!(text.contains(expected), "{expected} in {text:?}");
    }
    let last = text.rsplit("delivered").next().unwrap_or_default();
    assert!(!last.contains("MiB/s"), "the bar is cleared: {text:?}");
}

/// The window is closed, or the line to it breaks: as with Ctrl-C, though nobody reads what is said.
#[cfg(feature = "real-servers")]
#[tokio::test]
async fn a_terminal_that_disappears_breaks_off_what_is_on_its_way() {
    let world = World::new().await;
    let proxy = Proxy::start(world.sftp.port()).await;
    world.s3.put(BUCKET, "large", payload::ramp(8 << 20));
    proxy.rate(256 << 10);
    let line = format!(
        "{} send --move s3://inbox/large",
        env!("CARGO_BIN_EXE_s3-to-sftp")
    );
    let arguments = ["--quiet", "--command", &line, "/dev/null"];
    let mut command = world.within(Command::new("script"), &arguments);
    let port = proxy.port().to_string();
    let terminal = command.env("SSH_PORT", &port).env("TERM", "xterm").spawn();
    let mut terminal = terminal.expect("script starts");
    while proxy.bytes_sent() < 512 << 10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.files().len(), 1, "a temporary");
    terminal.kill().await.expect("it can be killed");
    proxy.rate(0);
    let taken_back = async {
        while !world.files().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, taken_back).await.expect("it is taken back");
    assert!(world.s3.exists(BUCKET, "large"));
}
