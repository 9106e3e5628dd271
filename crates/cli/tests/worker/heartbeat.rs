//! What takes longer than messages are hidden.

use std::sync::Mutex;

use testkit::sftp::{Action, Operation};
use tokio::sync::oneshot;

use crate::world::{Kind, QUEUE, World, ended, eventually, spawn};

/// A third of the visibility is between two of them: so many take longer than it.
const RENEWALS: usize = 5;

#[tokio::test]
async fn a_delivery_that_takes_longer_than_messages_are_hidden_is_made_once() {
    let world = World::with(Kind {
        visibility: 5,
        gives_up: true,
    })
    .await;
    let (release, released) = oneshot::channel();
    let released = Mutex::new(Some(released));
    world.sftp.hook(move |request| {
        let is_write = request.operation == Operation::Write;
        let first = released.lock().expect("no panic").take_if(|_| is_write);
        first.map_or(Action::Pass, Action::until)
    });
    world.queued("long");
    let worker = spawn(world.command(&["--queue", QUEUE, "--jobs", "4"]));
    // Where nothing hides it anew it is received again, for there are free jobs.
    eventually("it is hidden anew", &worker, async || {
        world.aws.of("ChangeMessageVisibilityBatch").len() >= RENEWALS
            || world
                .queue
                .left()
                .iter()
                .any(|(_, receives, _)| *receives > 1)
    })
    .await;
    assert_eq!(world.queue.left(), [("long".to_owned(), 1, false)]);
    for call in world.aws.of("ChangeMessageVisibilityBatch") {
        assert_eq!(call.body["Entries"][0]["VisibilityTimeout"], 5, "{call:?}");
    }
    release.send(()).expect("the server waits for it");
    eventually("it is done", &worker, async || {
        world.queue.left().is_empty()
    })
    .await;
    worker.terminate();
    let worker = ended(&worker).await;
    assert_eq!(worker.code, Some(0), "{worker:?}");
    assert!(world.has("long"), "{worker:?}");
    assert_eq!(world.s3.count("GetObject"), 1);
    assert_eq!(world.aws.of("DeleteMessage").len(), 1);
}
