//! Ctrl-C.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use testkit::payload;
use testkit::program::{Ended, SOON};
use testkit::proxy::Proxy;
use tokio::time::timeout;

use crate::world::{BUCKET, QUEUE, WHY, World};

/// What is on its way is taken back, and all of it can be seen by others at once.
#[tokio::test]
async fn ctrl_c_leaves_every_message_and_nothing_half() {
    let world = World::new().await;
    let event = world.uploaded("large");
    world.s3.put(BUCKET, "large", payload::ramp(8 << 20));
    world.queue.put("1", &event, WHY);
    world.queue.put("2", &world.uploaded("next"), WHY);
    let proxy = Proxy::start(world.sftp.port()).await;
    proxy.rate(256 << 10);
    let mut command = world.command(&["--yes", QUEUE]);
    let command = command.env("SSH_PORT", proxy.port().to_string());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.kill_on_drop(true).spawn();
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
    assert!(!ended.stdout.contains("next"), "it is not begun: {ended:?}");
    assert_eq!(
        world.queue.left(),
        (vec!["1".to_owned(), "2".to_owned()], true)
    );
    assert_eq!(world.s3.keys(BUCKET), ["large", "next"]);
    let left = std::fs::read_dir(world.sftp.home()).expect("it is there");
    assert_eq!(left.count(), 0);
}
