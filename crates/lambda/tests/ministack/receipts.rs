//! Receipts for others: events that EventBridge's rules find, and objects. A function with `RECEIPT_BUS`, and a stack with
//! places for both.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use testkit::receipt;

use crate::account::{Account, INBOX, package};
use crate::backfill::invoke;
use crate::bus::{create_bus, create_rule_to_queue, the_receipt};
use crate::queue::{Queue, held};
use crate::stacks::{Walk, tell_where_aws_is};

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

/// The inline policies of the stack's role.
async fn policies(account: &Account) -> Vec<String> {
    let role = [
        "cloudformation",
        "describe-stack-resource",
        "--stack-name",
        "acme",
        "--logical-resource-id",
        "Role",
    ];
    let role = account.aws.run(&role).await;
    let role = role["StackResourceDetail"]["PhysicalResourceId"]
        .as_str()
        .expect("a role's name");
    let listed = account
        .aws
        .run(&["iam", "list-role-policies", "--role-name", role])
        .await;
    serde_json::from_value(listed["PolicyNames"].clone()).expect("names")
}

/// The bus by its ARN, and a bucket.
#[tokio::test]
async fn a_stack_gets_places_for_receipts_and_fills_them() {
    let account = Account::new().await;
    let walk = Walk::new(&account);
    for bucket in ["s3://my-code", "s3://receipts"] {
        account.aws.run(&["s3", "mb", bucket]).await;
    }
    let bus = create_bus(&account, "partners").await;
    let (deliveries, failures) = create_rules(&account, "partners").await;
    walk.command(1, "acme").await;
    walk.command(2, "acme").await;
    let acme = walk.deploy("acme", account.sshd(), "").await;
    let is_for_receipts = |name: &String| name.starts_with("receipt-");
    let before = policies(&account).await;
    assert!(!before.iter().any(is_for_receipts), "{before:?}");

    let [update] = &walk.commands("Receipts for others")[..] else {
        panic!("one command");
    };
    // MiniStack's account.
    let update = update.replace("123456789012", "000000000000");
    assert!(update.contains(&bus), "{bus} is not in {update}");
    walk.run(&update).await;
    tell_where_aws_is(&account, "acme").await;
    let mut after = policies(&account).await;
    after.retain(is_for_receipts);
    after.sort();
    assert_eq!(after, ["receipt-bus", "receipt-prefix"]);

    let poison = acme.home().join("poison.csv");
    fs::create_dir(&poison).expect("the partner's own directory");
    account.upload("acme/poison.csv", 3_000).await;
    let (_, failure) = the_receipt(&account, &failures).await;
    assert_eq!(failure["key"], "acme/poison.csv", "{failure}");
    account.upload("acme/orders.csv", 5_000).await;
    acme.assert_delivered("orders.csv", 5_000).await;
    let (_, delivery) = the_receipt(&account, &deliveries).await;
    assert_eq!(delivery["key"], "acme/orders.csv", "{delivery}");

    let mut keys = Vec::new();
    account
        .eventually("the receipt is an object", async || {
            keys = account.keys("receipts").await;
            !keys.is_empty()
        })
        .await;
    let [key] = &keys[..] else {
        panic!("one object for the one delivery, and not {keys:?}");
    };
    let time = delivery["time"].as_str().expect("a time");
    let day = time[..10].replace('-', "/");
    assert!(key.starts_with(&format!("acme/{day}/")), "{key}");
    let object = account.read(&format!("s3://receipts/{key}")).await;
    let object: Value = serde_json::from_slice(&object).expect("JSON");
    receipt::check(&object);
    assert_eq!(object, delivery);
    account
        .eventually("the queue is empty", async || {
            held(&account, acme.queue()).await == 0
        })
        .await;
}

/// Every upload would be taken for a receipt, or nothing would be written: no stack is made.
#[tokio::test]
async fn the_templates_refuse_receipts_that_cannot_be_meant() {
    let account = Account::new().await;
    let walk = Walk::new(&account);
    let direct = &walk.commands("The direct trigger")[0];
    let queue = &walk.commands("One partner in four commands")[2];
    let some = "Bucket=inbox Prefix=acme/ SshHost=sftp.example.com CodeBucket=my-code CodeKey=s3-to-sftp-1.zip";
    let queue = queue.replace("file://acme.json", some);
    for (deploy, (bucket, prefix, says)) in [direct, &queue].into_iter().flat_map(|deploy| {
        [
            ("inbox", "acme/", "it cannot be Prefix"),
            ("receipts", "", "go together"),
            ("", "acme/", "go together"),
            ("receipts", "acme", "ReceiptPrefix"),
        ]
        .map(|it| (deploy, it))
    }) {
        let host = "SshHost=sftp.example.com";
        let more = format!("{host} ReceiptBucket='{bucket}' ReceiptPrefix='{prefix}'");
        let (well, said) = walk.attempt(&deploy.replace(host, &more)).await;
        assert!(!well && said.contains(says), "{says:?} is not in {said}");
    }
}
