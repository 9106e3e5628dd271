//! `{"check":{}}` through the deployed function.

use std::fs;

use serde_json::json;

use crate::account::{Account, INBOX, package};
use crate::backfill::invoke;

/// No key has it.
const OTHER_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

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

    for (name, value, step, next) in [
        ("SSH_HOST", "no-such-host.invalid", "name", "check SSH_HOST"),
        ("SSH_CIPHERS", "3des-cbc", "ssh", "take it away"),
        ("SSH_HOST_KEY", OTHER_KEY, "host key", "ask the partner"),
        (
            "SSH_USERNAME",
            "nobody-of-this-name",
            "login",
            "check SSH_USERNAME",
        ),
        ("SSH_DIR", "/no/such", "directory", "make the directory"),
    ] {
        let wrong = vec![(name.to_owned(), value.to_owned())];
        account.set_environment(wrong).await;
        let answer = invoke(&account, &request).await;
        assert_eq!(answer["ok"], false, "{answer}");
        let steps = answer["steps"].as_array().expect("steps");
        let (last, before) = steps.split_last().expect("a step");
        assert_eq!((&last["step"], &last["ok"]), (&json!(step), &json!(false)));
        let told = last["next"].as_str().unwrap_or_default();
        assert!(told.contains(next), "{answer}");
        assert!(before.iter().all(|step| step["ok"] == true), "{answer}");
    }
}
