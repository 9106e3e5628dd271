//! Where the function has AWS's credentials from.

use serde_json::json;
use testkit::aws_calls::{Answer, AwsCalls};
use testkit::s3::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

use crate::world::World;

/// What a function gets that is restored from a snapshot, and what a container gets: no keys, but where they are. The
/// S3 of the tests takes no others.
#[tokio::test]
async fn credentials_may_come_from_the_container() {
    let world = World::new().await;
    let container = AwsCalls::start().await;
    container.answer(|_| {
        Answer::Body(json!({
            "AccessKeyId": ACCESS_KEY_ID,
            "SecretAccessKey": SECRET_ACCESS_KEY,
            "Token": "token",
            "Expiration": "2099-01-01T00:00:00Z",
        }))
    });
    let (_, url) = container.env().remove(0);
    let _bootstrap = world.start(&[
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SESSION_TOKEN", ""),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("{url}/credentials"),
        ),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token"),
    ]);
    let outcome = world.api.invoke(world.uploaded("a", "content")).await;
    assert_eq!(outcome.response()["delivered"], 1, "{outcome:?}");
    assert_eq!(container.actions().len(), 1, "asked once for all clients");
}

#[tokio::test]
async fn without_credentials_a_delivery_fails_and_says_so() {
    let world = World::new().await;
    let _bootstrap = world.start(&[
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SESSION_TOKEN", ""),
    ]);
    let outcome = world.api.invoke(world.uploaded("a", "content")).await;
    let (name, message) = outcome.error();
    assert_eq!(name, "SourceUnavailable", "{message}");
    assert!(message.contains("credential"), "{message}");
}
