//! A hand-over that somebody has changed costs a transfer, never a file: what is published is compared with S3's checksum
//! from its first byte, and the temporary's name is computed, not believed.

use serde_json::{Value, json};

use crate::relay::{assert_delivered, batch, handed_over};
use crate::world::World;

/// Gives a changed hand-over to the function, and expects the right file.
async fn is_delivered_with(change: impl FnOnce(&World, &mut Value)) {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let mut message = handed_over(&world).await;
    change(&world, &mut message["s3-to-sftp"]);
    let outcome = world
        .api
        .invoke(batch("second", &message.to_string()))
        .await;
    assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));
    assert!(world.file("slow") == testkit::payload::ramp(crate::relay::SIZE));
    assert!(!world.has_source("slow"));
}

/// Gives a changed hand-over to the function, and expects that the message fails and nothing happens.
async fn is_refused_with(change: impl FnOnce(&mut Value), why: &'static str) {
    let world = World::new().await;
    let bootstrap = world.start(&[]);
    let mut message = handed_over(&world).await;
    change(&mut message["s3-to-sftp"]);
    let connections = world.sftp.connections();
    let outcome = world
        .api
        .invoke(batch("second", &message.to_string()))
        .await;
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "second" }] });
    assert_eq!(outcome.response(), &failed);
    bootstrap
        .wait_for_line(move |line| {
            line.contains("EventNotUnderstood")
                && line.contains(why)
                && line.contains("send the object's event again")
        })
        .await;
    assert_eq!(
        world.sftp.connections(),
        connections,
        "the server is not bothered"
    );
    assert!(world.has_source("slow"));
    assert!(!world.tree().contains("slow"));
}

fn shift(offset: &mut Value, by: i64) {
    let shifted = offset.as_i64().expect("an offset") + by;
    *offset = json!(shifted);
}

#[tokio::test]
async fn an_offset_before_the_right_one() {
    is_delivered_with(|_, message| shift(&mut message["begun"]["from"]["offset"], -1)).await;
}

#[tokio::test]
async fn an_offset_behind_the_right_one() {
    is_delivered_with(|_, message| shift(&mut message["begun"]["from"]["offset"], 1)).await;
}

#[tokio::test]
async fn an_offset_behind_the_object_s_end() {
    is_delivered_with(|_, message| message["begun"]["from"]["offset"] = json!(u64::MAX)).await;
}

#[tokio::test]
async fn another_checksum_of_what_was_sent() {
    is_delivered_with(|_, message| {
        let state = &mut message["begun"]["from"]["crc64nvme"];
        assert!(state.is_string(), "{state}");
        *state = json!("0123456789abcdef");
    })
    .await;
}

#[tokio::test]
async fn another_owner() {
    is_delivered_with(|_, message| message["begun"]["owner"] = json!("../../etc/passwd")).await;
}

#[tokio::test]
async fn another_etag() {
    is_delivered_with(|_, message| message["begun"]["etag"] = json!("\"0123\"")).await;
}

#[tokio::test]
async fn another_size() {
    is_delivered_with(|_, message| message["begun"]["size"] = json!(10)).await;
}

#[tokio::test]
async fn a_temporary_that_is_gone() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let message = handed_over(&world).await;
    let [temporary] = &world.tree().into_iter().collect::<Vec<_>>()[..] else {
        panic!("one temporary, not {:?}", world.tree());
    };
    std::fs::remove_file(world.sftp.home().join(temporary)).expect("it is there");
    let outcome = world
        .api
        .invoke(batch("second", &message.to_string()))
        .await;
    assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));
    assert_delivered(&world);
}

#[tokio::test]
async fn a_temporary_that_is_shorter_than_was_handed_over() {
    let world = World::new().await;
    let _bootstrap = world.start(&[]);
    let message = handed_over(&world).await;
    let temporary = world.tree().pop_first().expect("a temporary");
    std::fs::write(world.sftp.home().join(temporary), "short").expect("it can be written");
    let outcome = world
        .api
        .invoke(batch("second", &message.to_string()))
        .await;
    assert_eq!(outcome.response(), &json!({ "batchItemFailures": [] }));
    assert_delivered(&world);
}

#[tokio::test]
async fn another_layout() {
    is_refused_with(|message| message["layout"] = json!(2), "it is of layout 2").await;
}

#[tokio::test]
async fn more_hops_than_a_chain_can_have() {
    is_refused_with(
        |message| message["hop"] = json!(1001),
        "it says 1001 invocations",
    )
    .await;
}

#[tokio::test]
async fn no_offset_at_all() {
    is_refused_with(
        |message| message["begun"]["from"]["offset"] = Value::Null,
        "it cannot be read",
    )
    .await;
}

#[tokio::test]
async fn junk() {
    is_refused_with(|message| *message = json!("junk"), "it cannot be read").await;
}
