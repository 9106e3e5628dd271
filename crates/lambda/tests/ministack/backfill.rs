//! What lies in the bucket already: a listing, and an invocation for each of its lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::account::{Account, FUNCTION, INBOX, package, text};
use crate::aws::{Aws, finish};

const ROLE: &str = "arn:aws:iam::000000000000:role/backfill";

/// An AWS command line that keeps what is asked of S3 Batch Operations, which MiniStack has not, and passes on all else.
fn command_line(account: &Account, asked: &Path) -> std::path::PathBuf {
    let aws = Aws::program();
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = s3control ]; then\n  printf '%s\\n' \"$@\" >'{}'\n  echo job-1\nelse\n  exec '{}' \"$@\"\nfi\n",
        text(asked),
        text(Path::new(&aws))
    );
    let path = account.write("aws", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

async fn backfill(account: &Account, aws: &Path, arguments: &[&str]) -> (bool, String, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/backfill.sh");
    let mut command = Command::new(script);
    account.aws.configure(&mut command);
    command.env("AWS_CLI", aws).args(arguments);
    finish(command).await
}

/// Invokes the function as S3 Batch Operations does, and waits for its answer.
pub(crate) async fn invoke(account: &Account, event: &Value) -> Value {
    let payload = account.write("event", event.to_string());
    let answer = account.write("answer", "");
    account
        .aws
        .run(&[
            "lambda",
            "invoke",
            "--function-name",
            FUNCTION,
            "--payload",
            &format!("fileb://{}", text(&payload)),
            text(&answer),
        ])
        .await;
    let answer = fs::read(&answer).expect("an answer");
    serde_json::from_slice(&answer).expect("JSON")
}

#[tokio::test]
async fn a_listing_is_backfilled_task_by_task() {
    let account = Account::new().await;
    account.aws.run(&["s3", "mb", "s3://jobs"]).await;
    let arn = account
        .create_function("provided.al2023", "bootstrap", 60, &package())
        .await;
    let keys = ["in/a b+ü%20,\"x\".csv", "in/plain"];
    for key in keys {
        account.upload(key, 10_000).await;
    }
    account.upload("out/not listed", 10).await;
    let marker = [
        "s3api",
        "put-object",
        "--bucket",
        INBOX,
        "--key",
        "in/folder/",
    ];
    account.aws.run(&marker).await;

    let asked = account.write("asked", "");
    let aws = command_line(&account, &asked);
    let arguments = [arn.as_str(), "s3://inbox/in/", "s3://jobs/acme/", ROLE];
    let (well, stdout, stderr) = backfill(&account, &aws, &arguments).await;
    assert!(well, "{stderr}");
    assert!(
        stdout.contains("job job-1: 2 objects of s3://inbox/in/"),
        "{stdout}"
    );

    let asked = fs::read_to_string(&asked).expect("a job was asked for");
    let asked: Vec<&str> = asked.lines().collect();
    let argument = |name: &str| {
        let at = asked.iter().position(|it| *it == name);
        asked[at.unwrap_or_else(|| panic!("no {name} in {asked:?}")) + 1]
    };
    let structure = |name: &str| -> Value { serde_json::from_str(argument(name)).expect("JSON") };
    assert_eq!(asked[1], "create-job");
    assert_eq!(argument("--account-id"), "000000000000");
    assert_eq!(argument("--role-arn"), ROLE);
    let operation =
        json!({ "LambdaInvoke": { "FunctionArn": arn, "InvocationSchemaVersion": "2.0" } });
    assert_eq!(structure("--operation"), operation);
    assert_eq!(structure("--report")["ReportScope"], "AllTasks");
    let location = &structure("--manifest")["Location"];
    let place = location["ObjectArn"].as_str().expect("text");
    let place = place
        .strip_prefix("arn:aws:s3:::")
        .expect("an object's ARN");
    assert!(place.starts_with("jobs/acme/backfill-"), "{place}");

    let copy = account.write("manifest", "");
    let from = format!("s3://{place}");
    account
        .aws
        .run(&["s3", "cp", "--only-show-errors", &from, text(&copy)])
        .await;
    let manifest = fs::read_to_string(&copy).expect("the manifest");
    let mut lines: Vec<&str> = manifest.lines().collect();
    lines.sort_unstable();
    let expected = [
        "inbox,in/a%20b%2B%C3%BC%2520%2C%22x%22.csv",
        "inbox,in/plain",
    ];
    assert_eq!(lines, expected);

    for (number, line) in lines.iter().enumerate() {
        let (bucket, key) = line.split_once(',').expect("two columns");
        let id = number.to_string();
        let event = json!({
            "invocationSchemaVersion": "2.0",
            "invocationId": "i",
            "job": { "id": "job-1" },
            "tasks": [{ "taskId": id, "s3Bucket": bucket, "s3Key": key, "s3VersionId": null }],
        });
        let answer = invoke(&account, &event).await;
        assert_eq!(answer["results"][0]["taskId"], id, "{answer}");
        assert_eq!(answer["results"][0]["resultCode"], "Succeeded", "{answer}");
    }
    for key in keys {
        account.assert_delivered(key, 10_000).await;
    }
    assert_eq!(account.inbox().await, ["in/folder/", "out/not listed"]);

    // What would be wrong is refused before anything is asked of AWS.
    for (arguments, text) in [
        (
            [arn.as_str(), "s3://inbox/in/", "s3://inbox/in/jobs/", ROLE],
            "would be sent to the partner",
        ),
        (
            [arn.as_str(), "inbox/in/", "s3://jobs/acme/", ROLE],
            "is not s3://BUCKET/PREFIX/",
        ),
        (
            ["acme", "s3://inbox/in/", "s3://jobs/acme/", ROLE],
            "is no function's ARN",
        ),
        (
            [arn.as_str(), "s3://inbox/in/", "s3://jobs/acme/", "acme"],
            "is no role's ARN",
        ),
        (
            [arn.as_str(), "s3://inbox/nothing/", "s3://jobs/acme/", ROLE],
            "nothing lies below",
        ),
    ] {
        let (well, _, stderr) = backfill(&account, &aws, &arguments).await;
        assert!(!well && stderr.contains(text), "{stderr}");
    }
}
