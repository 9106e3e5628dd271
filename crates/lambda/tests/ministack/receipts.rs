//! Receipts for others: events that EventBridge's rules find.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::account::{Account, INBOX, package};
use crate::backfill::invoke;
use crate::bus::{create_bus, create_rule_to_queue, the_receipt};
use crate::queue::Queue;

const TIMEOUT: u32 = 30;

/// The rule of docs/receipts.md: deliveries of one partner.
fn rule_of_the_docs() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/receipts.md");
    let docs = fs::read_to_string(path).expect("docs/receipts.md");
    let blocks = docs.split("```json\n").skip(1);
    let mut blocks = blocks.filter_map(|it| it.split("```").next());
    let rule = blocks.find(|it| it.contains("\"detail-type\""));
    serde_json::from_str(rule.expect("a rule")).expect("JSON")
}

/// Rules for deliveries and for failures, and a queue behind each.
async fn create_rules(account: &Account, bus: &str) -> (Queue, Queue) {
    let failures = json!({ "source": ["s3-to-sftp"], "detail-type": ["File Delivery Failed"] });
    (
        create_rule_to_queue(account, bus, "deliveries", &rule_of_the_docs()).await,
        create_rule_to_queue(account, bus, "failures", &failures).await,
    )
}

/// The bus by its name. All of it is published when the function answers.
#[tokio::test]
async fn rules_of_a_bus_find_a_partners_deliveries_and_what_fails() {
    let account = Account::new().await;
    create_bus(&account, "partners").await;
    let (deliveries, failures) = create_rules(&account, "partners").await;
    let bus = ("RECEIPT_BUS".to_owned(), "partners".to_owned());
    account
        .create_function_with(
            "provided.al2023",
            "bootstrap",
            TIMEOUT,
            &package(),
            vec![bus],
        )
        .await;
    let keys = ["globex/b", "acme/a b+ü.csv", "acme/poison.csv"];
    for key in keys {
        account.upload(key, 5_000).await;
    }
    // A directory has the name of a file.
    let poison = account.sshd().home().join(keys[2]);
    fs::create_dir_all(poison).expect("the partner's own directory");
    let objects = keys.map(|key| format!("s3://{INBOX}/{key}"));
    let answer = invoke(&account, &json!(objects)).await;
    assert_eq!(answer["errorType"], "NameIsDirectory", "{answer}");

    let (kind, delivery) = the_receipt(&account, &deliveries).await;
    assert_eq!(kind, "File Delivered");
    assert_eq!(delivery["outcome"], "delivered", "{delivery}");
    assert_eq!(delivery["key"], keys[1], "{delivery}");
    assert_eq!(delivery["bytes"], 5_000, "{delivery}");
    assert_eq!(delivery["source"], "deleted", "{delivery}");
    let (kind, failure) = the_receipt(&account, &failures).await;
    assert_eq!(kind, "File Delivery Failed");
    assert_eq!(failure["outcome"], "failed", "{failure}");
    assert_eq!(failure["key"], keys[2], "{failure}");
    assert_eq!(failure["error_type"], "NameIsDirectory", "{failure}");
    assert_eq!(account.inbox().await, [keys[2]]);
}
