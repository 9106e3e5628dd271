//! Where an object may not go.

use s3_to_sftp::receipt::Outcome;
use testkit::sftp::{Action, Operation};

use super::{failure, world};
use crate::world::{World, job};

#[tokio::test]
async fn an_ssh_dir_that_does_not_exist() {
    let (world, _server) = world().await;
    let (name, report) = failure(&world, &[("SSH_DIR", "uplaod")]).await;
    assert_eq!(name, "DirectoryMissing");
    assert!(report.contains("uplaod"), "{report}");
}

/// Also where the key has directories, and where the server makes whatever a path names.
#[tokio::test]
async fn an_ssh_dir_that_does_not_exist_is_not_made() {
    let (world, server) = world().await;
    let home = server.home().to_owned();
    server.hook(move |request| {
        if request.operation == Operation::Open
            && request
                .path
                .as_deref()
                .is_some_and(|it| it.contains("uplaod"))
        {
            let home = home.clone();
            return Action::Run(Box::new(move || {
                std::fs::create_dir_all(home.join("uplaod/deep"))
                    .expect("the home can be written to");
            }));
        }
        Action::Pass
    });
    for key in ["f", "deep/f"] {
        world.put(key, "content");
        let deliverer = world.deliverer(&[("SSH_DIR", "uplaod")]);
        let outcome = world.deliver_by(&deliverer, key).await;
        let Outcome::Failed(error) = outcome else {
            panic!("{key}: {outcome:?}")
        };
        assert_eq!(
            error.name(),
            "DirectoryMissing",
            "{key}: {}",
            error.report()
        );
        world.assert_only(&[]);
        std::fs::remove_dir_all(world.home().join("uplaod")).expect("made by the hook");
    }
    assert!(server.requests_of(Operation::Mkdir).is_empty());
}

#[tokio::test]
async fn a_remote_path_that_leads_astray_is_refused_and_the_others_are_delivered() {
    let (world, server) = world().await;
    let long = "x".repeat(256);
    let astray = [
        "../escape",
        "a/../../escape",
        "..\\..\\escape",
        "a//b",
        "/absolute",
        "nul\0inside",
        long.as_str(),
        ".ssh/authorized_keys",
    ];
    let deliverer = world.deliverer(&[]);
    let invocation = deliverer.invocation(world.soon());
    for (index, key) in astray.iter().enumerate() {
        world.put(key, "evil");
        let outcome = invocation.deliver(job(World::BUCKET, key), "owner").await;
        let Outcome::Failed(error) = outcome else {
            panic!("{key:?}: {outcome:?}")
        };
        assert_eq!(
            error.name(),
            "RemotePathRefused",
            "{key:?}: {}",
            error.report()
        );
        assert!(world.has_source(key), "{key:?}");

        let good = format!("good-{index}");
        world.put(&good, "good");
        let outcome = invocation.deliver(job(World::BUCKET, &good), "owner").await;
        assert!(
            matches!(outcome, Outcome::Delivered(..)),
            "{good}: {outcome:?}"
        );
    }
    invocation.finish().await;
    assert_eq!(
        world.files.names().len(),
        astray.len(),
        "the good ones and nothing else"
    );
    let outside = server.home().parent().map(|parent| parent.join("escape"));
    assert!(!outside.is_some_and(|path| path.exists()));
}

#[tokio::test]
async fn the_functions_own_private_key_uploaded_to_the_source_bucket() {
    let (world, server) = world().await;
    let key = server.account().private_key.expect("the account has a key");
    world.put("keys/id", key);
    let deliverer = world.deliverer(&[("SSH_PRIVATE_KEY", "inbox:keys/id"), ("SSH_PASSWORD", "")]);
    let outcome = world.deliver_by(&deliverer, "keys/id").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "OwnObject");
    assert!(world.has_source("keys/id"), "not deleted");
    world.assert_only(&[]);
}
