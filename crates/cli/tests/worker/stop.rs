//! SIGTERM once: what fits into the grace ends, and the rest is there for others at once. Twice: the end.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use serde_json::json;
use testkit::aws_calls::Answer;
use testkit::proxy::Proxy;
use testkit::servers::process::Process;
use testkit::sftp::Operation;

use crate::world::{
    BUCKET, DEAD, Kind, QUEUE, SOON, World, answer, ended, eventually, names, spawn, told,
};

const SIZE: usize = 4 << 20;
/// So slow that the object takes a minute.
const SLOW: u64 = 64 << 10;

/// A world behind a slow line, and a worker in the midst of a delivery.
async fn under_way(arguments: &[&str]) -> (World, Proxy, Process) {
    let world = World::new().await;
    let proxy = Proxy::start(world.sftp.port()).await;
    proxy.rate(SLOW);
    let event = world.uploaded("slow", vec![7; SIZE]);
    world.queue.put("slow", &event);
    let mut command: Command =
        world.command(&[&["--queue", QUEUE, "--jobs", "2"], arguments].concat());
    command.env("SSH_PORT", proxy.port().to_string());
    let worker = spawn(command);
    eventually("bytes are on the server", &worker, async || {
        !world.sftp.requests_of(Operation::Write).is_empty()
    })
    .await;
    (world, proxy, worker)
}

#[tokio::test]
async fn what_fits_into_the_grace_ends_and_nothing_more_is_received() {
    let (world, proxy, worker) = under_way(&["--grace", "50"]).await;
    worker.terminate();
    told(&worker, "receives nothing more").await;
    world.queued("later");
    proxy.rate(0);
    let worker = ended(&worker).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert!(world.has("slow"), "{worker:?}");
    assert!(!world.has("later"), "{worker:?}");
    // A receive that was under way may have brought it: then it went back.
    let left = world.queue.left();
    let left: Vec<_> = left
        .iter()
        .map(|(id, _, seen)| (id.as_str(), *seen))
        .collect();
    assert_eq!(left, [("later", true)], "{worker:?}");
    assert_eq!(world.s3.keys(BUCKET), ["later"]);
}

/// The worker ends well, and the message is there for others with its source.
async fn goes_back_at_once(world: &World, worker: &Process) {
    let worker = ended(worker).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert_eq!(
        world.queue.left(),
        [("slow".to_owned(), 1, true)],
        "{worker:?}"
    );
    assert_eq!(world.s3.keys(BUCKET), ["slow"]);
}

#[tokio::test]
async fn what_does_not_fit_is_broken_off_and_there_for_others_at_once() {
    let (world, _proxy, worker) = under_way(&["--grace", "1"]).await;
    worker.terminate();
    goes_back_at_once(&world, &worker).await;
    assert!(!world.has("slow"), "{}", worker.logs());

    // And the next one does it.
    let next = world.run(&["--queue", QUEUE, "--until-empty"]).await;
    assert_eq!(next.code, Some(0), "{next:?}");
    assert_eq!(names(world.sftp.home()), ["slow"]);
    assert_eq!(world.queue.left(), []);
}

#[tokio::test]
async fn a_second_signal_ends_it_on_the_spot() {
    let (world, _proxy, worker) = under_way(&["--grace", "3600"]).await;
    worker.terminate();
    told(&worker, "receives nothing more").await;
    worker.terminate();
    let worker = ended(&worker).await;
    assert_eq!(worker.code, Some(1), "{worker:?}");
    assert!(worker.logs.contains("once more"), "{worker:?}");
    assert!(!world.has("slow"), "{worker:?}");
    assert_eq!(world.queue.left().len(), 1);
    assert_eq!(world.s3.keys(BUCKET), ["slow"]);
}

/// Nothing can be removed from a server behind a dead line: that holds up neither the end nor the queue.
#[tokio::test]
async fn behind_a_dead_line_it_is_there_for_others_all_the_same() {
    let (world, proxy, worker) = under_way(&["--grace", "1"]).await;
    proxy.stall();
    worker.terminate();
    goes_back_at_once(&world, &worker).await;
}

/// Else what it brings would be hidden for as long as anything else is being delivered.
#[tokio::test]
async fn what_a_receive_brings_behind_the_signal_goes_back_at_once() {
    let (world, proxy, worker) = under_way(&["--grace", "50"]).await;
    let (release, released) = mpsc::channel::<()>();
    let queue = world.queue.clone();
    let is_asked = Arc::new(AtomicBool::new(false));
    let asking = Arc::clone(&is_asked);
    world.aws.answer(move |call| {
        if call.action == "ReceiveMessage" && !asking.swap(true, Ordering::SeqCst) {
            // Nobody else asks this server anything meanwhile.
            released.recv_timeout(SOON).ok();
        }
        queue.answer(call)
    });
    eventually("it receives", &worker, async || {
        is_asked.load(Ordering::SeqCst)
    })
    .await;
    world.queued("late");
    worker.terminate();
    told(&worker, "receives nothing more").await;
    release.send(()).expect("the queue waits for it");
    eventually("it is there for others", &worker, async || {
        let left = world.queue.left();
        left.contains(&("late".to_owned(), 1, true))
    })
    .await;
    let left = world.queue.left();
    assert!(left.contains(&("slow".to_owned(), 1, false)), "{left:?}");
    proxy.rate(0);
    let worker = ended(&worker).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert!(world.has("slow") && !world.has("late"), "{worker:?}");
}

/// What does not end when its time is over holds up neither the end nor the queue.
#[tokio::test]
async fn what_hangs_beyond_its_time_goes_back() {
    let world = World::new().await;
    let kind = Kind {
        visibility: 30,
        gives_up: true,
    };
    let queue = world.queue.clone();
    world.aws.answer(move |call| match call.action.as_str() {
        "SendMessage" => Answer::Silence,
        _ => answer(kind, &queue, call),
    });
    world.queue.put("garbage", &json!("no event"));
    let mut command = world.command(&["--queue", QUEUE, "--grace", "0"]);
    command.env("DEAD_LETTER_QUEUE_URL", DEAD);
    let worker = spawn(command);
    eventually("it is given up", &worker, async || {
        !world.aws.of("SendMessage").is_empty()
    })
    .await;
    worker.terminate();
    let worker = ended(&worker).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert_eq!(
        world.queue.left(),
        [("garbage".to_owned(), 1, true)],
        "{worker:?}"
    );
    assert!(worker.logs.contains("were still in hand"), "{worker:?}");
}
