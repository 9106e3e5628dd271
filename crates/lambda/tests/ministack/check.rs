//! `{"check":{}}` through the deployed function.

use std::fs;

use serde_json::json;

use crate::account::{Account, INBOX, package};
use crate::backfill::invoke;

#[tokio::test]
async fn the_deployed_function_tells_how_far_it_comes() {
    let account = Account::new().await;
    account
        .create_function("provided.al2023", "bootstrap", 30, &package())
        .await;
    account.upload("in/a", 10).await;
    let place = format!("s3://{INBOX}/in/");
    let request = json!({ "check": { "prefix": place, "write": true } });
    let answer = invoke(&account, &request).await;
    assert_eq!(answer["ok"], true, "{answer}");
    let steps = answer["steps"].as_array().expect("steps");
    let found = |name: &str| {
        let step = steps.iter().find(|step| step["step"] == name);
        let found = step.and_then(|step| step["found"].as_str());
        found.unwrap_or_else(|| panic!("no {name}: {answer}"))
    };
    assert_eq!(found("list"), format!("1 object below {place}"));
    assert_eq!(found("delete"), "sources may be deleted");
    assert!(found("ssh").contains("SSH-2.0-OpenSSH_"), "{answer}");
    assert!(
        found("write").contains("posix-rename@openssh.com"),
        "{answer}"
    );
    let left = fs::read_dir(account.sshd().home()).expect("the home");
    assert_eq!(left.count(), 0, "the probe is removed");
    assert_eq!(account.inbox().await, ["in/a"]);
}
