//! A schedule that finds what no event told of.

use serde_json::json;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use crate::account::{Account, package};
use crate::queue::{create_queue, held, trigger_by};

/// Of the function, in seconds.
const TIMEOUT: u32 = 6;

/// The bucket tells nobody of anything: all that is delivered was found by the sweep. MiniStack keeps no log of what a
/// schedule starts, so the metric's line is looked for elsewhere.
#[tokio::test]
async fn a_schedule_sweeps_what_no_event_told_of() {
    let account = Account::new().await;
    let attributes = json!({ "VisibilityTimeout": TIMEOUT.to_string() });
    let queue = create_queue(&account, "inbox", &attributes).await;
    let url = ("SWEEP_QUEUE_URL".to_owned(), queue.url.clone());
    let arn = account
        .create_function_with(
            "provided.al2023",
            "bootstrap",
            TIMEOUT,
            &package(),
            vec![url],
        )
        .await;
    trigger_by(&account, &queue).await;
    let keys = ["in/a b+ü%.csv", "in/deep/er/file.bin"];
    for key in keys {
        account.upload(key, 10_000).await;
    }
    account.upload("out/not swept", 10).await;

    // When everything has lain for longer than a second, whatever the clocks round.
    let at = OffsetDateTime::now_utc() + Duration::seconds(4);
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let at = at.format(&format).expect("a date");
    let input = json!({ "sweep": "s3://inbox/in/", "older_than": "1s" });
    let target = json!({
        "Arn": arn,
        "RoleArn": "arn:aws:iam::000000000000:role/schedule",
        "Input": input.to_string(),
    });
    account
        .aws
        .run(&[
            "scheduler",
            "create-schedule",
            "--name",
            "sweep",
            "--schedule-expression",
            &format!("at({at})"),
            "--flexible-time-window",
            "Mode=OFF",
            "--target",
            &target.to_string(),
        ])
        .await;
    for key in keys {
        account.assert_delivered(key, 10_000).await;
    }
    account
        .eventually("the queue is empty", async || {
            held(&account, &queue).await == 0
        })
        .await;
    assert_eq!(account.inbox().await, ["out/not swept"]);
}
