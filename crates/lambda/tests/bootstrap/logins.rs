//! How often a login that is refused is tried: partners lock accounts.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::event;
use testkit::proxy::Proxy;
use testkit::runtime_api::RuntimeApi;

use crate::secrets::{RIGHT, SECRET, WRONG, is_previous, text, world};
use crate::world::World;

/// A queue brings what waits in it to as many environments as there are. Each tries once, and leaves the server alone
/// for a minute; which batch of its own that was does not matter.
#[tokio::test]
async fn two_hundred_items_in_five_environments_try_a_wrong_password_at_most_ten_times_a_minute() {
    const ENVIRONMENTS: usize = 5;
    const BATCHES: usize = 4;
    const BATCH: usize = 10;
    let world = World::new().await;
    let begin = Instant::now();
    let mut environments = Vec::new();
    for _ in 0..ENVIRONMENTS {
        let api = RuntimeApi::start().await;
        let bootstrap = world.start_under(&api, &[("SSH_PASSWORD", "wr0ng-s3cret")]);
        environments.push((api, bootstrap));
    }
    for batch in 0..BATCHES {
        for (number, (api, bootstrap)) in environments.iter().enumerate() {
            let ids: Vec<String> = (0..BATCH)
                .map(|item| format!("m-{number}-{batch}-{item}"))
                .collect();
            let messages = ids
                .iter()
                .map(|id| event::sqs_message(id, &world.uploaded(id, "1").to_string(), 1));
            let messages: Vec<_> = messages.collect();
            let outcome = api.invoke(json!({ "Records": messages })).await;
            let failures: Vec<_> = ids
                .iter()
                .map(|id| json!({ "itemIdentifier": id }))
                .collect();
            assert_eq!(
                outcome.response(),
                &json!({ "batchItemFailures": failures }),
                "{}",
                bootstrap.logs()
            );
        }
    }
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(60), "no minute: {took:?}");
    let sent = world.sftp.credentials_sent();
    assert!((1..=10).contains(&sent), "{sent} in {took:?}");
    assert_eq!(sent, ENVIRONMENTS, "one each");
    for (_, bootstrap) in &environments {
        let logs = bootstrap.logs();
        assert!(logs.contains("LoginRefused"), "{logs}");
        assert!(!logs.contains("wr0ng-s3cret"), "{logs}");
    }
    world.assert_tree(&[]);
}

/// The second connection, by which the password from before the rotation is to be tried, ends before anything is said. A
/// first connection that breaks so is made once more; this one's login would begin with what was refused a moment ago.
#[tokio::test]
async fn a_connection_that_breaks_behind_a_refused_login_is_not_made_again() {
    let world = world(|call| text(if is_previous(call) { RIGHT } else { WRONG[0] })).await;
    let line = Proxy::start(world.sftp.port()).await;
    line.end_at_once(2..=2);
    let port = line.port().to_string();
    let bootstrap = world.start(&[("SSH_PASSWORD", SECRET), ("SSH_PORT", &port)]);
    let outcome = world.api.invoke(world.uploaded("a", "1")).await;
    assert_eq!(outcome.error().0, "LoginRefused", "{}", bootstrap.logs());
    assert_eq!(world.sftp.credentials_sent(), 1);
    assert_eq!(line.connections(), 2);
    assert!(world.has_source("a"));
    let logs = bootstrap.logs();
    assert!(
        logs.contains("after a refused login: connecting"),
        "what became of the second one: {logs}"
    );
}
