//! `{"check":{}}`: how far the function comes, from where it runs.

use serde_json::{Value, json};
use testkit::event;
use testkit::secrets::WRONG;

use crate::world::{World, eventually, failures};

fn names(answer: &Value) -> Vec<&str> {
    let steps = answer["steps"].as_array().expect("steps");
    let name = |step: &'_ Value| step["step"].as_str().map(str::to_owned);
    assert!(steps.iter().all(|step| name(step).is_some()), "{answer}");
    steps
        .iter()
        .filter_map(|step| step["step"].as_str())
        .collect()
}

#[tokio::test]
async fn a_way_that_works_is_told_step_by_step() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let outcome = world.api.invoke(json!({ "check": {} })).await;
    let answer = outcome.response();
    assert_eq!(answer["ok"], true, "{answer}");
    let way = [
        "settings",
        "name",
        "tcp",
        "ssh",
        "host key",
        "login",
        "sftp",
        "directory",
    ];
    assert_eq!(names(answer), way);

    world.upload("in/a", "12345");
    let request = json!({ "check": { "prefix": "s3://inbox/in/", "write": true } });
    let outcome = world.api.invoke(request).await;
    let answer = outcome.response();
    assert_eq!(answer["ok"], true, "{answer}");
    let in_s3 = [
        &["settings", "list", "read", "delete"],
        &way[1..],
        &["probe", "write"],
    ]
    .concat();
    assert_eq!(names(answer), in_s3);
    world.assert_tree(&[]);
    assert!(world.has_source("in/a"));
    eventually("no connection is left", || {
        world.sftp.open_connections() == 0
    })
    .await;
}

/// It is the answer, and no error: somebody waits for it, and Lambda must not try a refused login again.
#[tokio::test]
async fn a_step_that_fails_is_the_answer() {
    let world = World::new().await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", WRONG)]);
    for attempt in 1..=2 {
        let outcome = world.api.invoke(json!({ "check": {} })).await;
        let answer = outcome.response();
        assert_eq!(answer["ok"], false, "{answer}");
        let last = answer["steps"]
            .as_array()
            .and_then(|steps| steps.last())
            .expect("a step");
        assert_eq!(
            (&last["step"], &last["error_type"]),
            (&json!("login"), &json!("LoginRefused"))
        );
        assert!(
            last["next"]
                .as_str()
                .is_some_and(|next| next.contains("SSH_USERNAME"))
        );
        assert!(!answer.to_string().contains(WRONG));
        assert_eq!(
            world.sftp.credentials_sent(),
            attempt,
            "each is asked for by a person"
        );
    }
}

/// Nobody waits there for an answer.
#[tokio::test]
async fn a_check_in_a_queue_is_refused() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let batch = event::sqs(&[("m", json!({ "check": {} }).to_string())]);
    let outcome = world.api.invoke(batch).await;
    assert_eq!(outcome.response(), &failures(&["m"]));
    assert_eq!(world.sftp.connections(), 0);
}
