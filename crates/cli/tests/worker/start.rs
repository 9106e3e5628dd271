//! What it does not start with.

use testkit::aws_calls::Answer;

use crate::world::{QUEUE, World};

#[tokio::test]
async fn a_queue_that_cannot_be_asked_is_named_with_the_next_step() {
    let world = World::new().await;
    for (code, next) in [
        ("AccessDenied", "grant sqs:GetQueueAttributes"),
        ("QueueDoesNotExist", "check the URL"),
    ] {
        world.aws.answer(move |_| Answer::Said(400, code, "no"));
        let worker = world.run(&["--queue", QUEUE]).await;
        assert_eq!(worker.code, Some(2), "{worker:?}");
        assert!(
            worker.logs.contains(QUEUE) && worker.logs.contains(next),
            "{worker:?}"
        );
        assert_eq!(worker.logs.lines().count(), 1, "{worker:?}");
    }
    assert_eq!(world.aws.of("ReceiveMessage"), []);
}

#[tokio::test]
async fn what_is_no_url_of_a_queue_is_told() {
    let world = World::new().await;
    let worker = world
        .run(&["--queue", "arn:aws:sqs:eu-central-1:123456789012:inbox"])
        .await;
    assert_eq!(worker.code, Some(2), "{worker:?}");
    assert!(
        worker.logs.contains("expected the URL of a queue"),
        "{worker:?}"
    );
    assert_eq!(world.aws.actions(), [""; 0]);
}
