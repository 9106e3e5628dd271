//! `--function`: the settings of a function that is deployed, and the check that it runs itself.

use serde_json::{Value, json};
use testkit::aws_calls::{Answer, AwsCalls};
use testkit::program::Ended;
use testkit::secrets::PASSWORD;
use testkit::sftp::SftpServer;
use tokio::process::Command;

const NAME: &str = "arn:aws:lambda:eu-central-1:123456789012:function:acme";

/// In an environment whose settings lead elsewhere.
async fn run(aws: &AwsCalls, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
    command
        .args(arguments)
        .env_clear()
        .envs(aws.env())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SSH_HOST", "elsewhere.invalid")
        .env("SSH_DIR", "elsewhere");
    Ended::of(command).await
}

/// Lambda with one function, of these variables, which answers so.
async fn lambda(variables: Value, answer: Value) -> AwsCalls {
    let aws = AwsCalls::start().await;
    aws.answer(move |call| {
        if call.path.ends_with("/configuration") {
            Answer::Body(
                json!({ "FunctionName": "acme", "Environment": { "Variables": variables } }),
            )
        } else {
            Answer::Body(answer.clone())
        }
    });
    aws
}

fn variables(server: &SftpServer) -> Value {
    let account = server.account();
    json!({
        "SSH_HOST": account.host,
        "SSH_PORT": account.port.to_string(),
        "SSH_USERNAME": account.username,
        "SSH_PASSWORD": PASSWORD,
        "SSH_HOST_KEY": account.host_key,
    })
}

#[tokio::test]
async fn the_settings_of_a_function_are_its_own_alone() {
    let server = SftpServer::builder().password(Some(PASSWORD)).start().await;
    let aws = lambda(variables(&server), Value::Null).await;
    let ended = run(&aws, &["settings", "--function", NAME]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = |name: &str| {
        let mut lines = ended.stdout.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(line("SSH_HOST ").contains("127.0.0.1"), "{ended:?}");
    assert!(
        line("SSH_HOST ").ends_with(&format!("function {NAME}")),
        "{ended:?}"
    );
    assert!(
        line("SSH_DIR ").ends_with("not set"),
        "what is set here does not count: {ended:?}"
    );
    assert!(!ended.stdout.contains(PASSWORD));

    let ended = run(&aws, &["check", "--local", "--function", NAME]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(server.credentials_sent(), 1);
    assert!(ended.stdout.contains("ok    directory  "), "{ended:?}");
}

#[tokio::test]
async fn a_function_goes_the_way_itself() {
    let steps = json!({ "ok": false, "steps": [
        { "step": "settings", "ok": true, "found": "5 set" },
        { "step": "tcp", "ok": false, "error_type": "ConnectFailed", "error": "no address took it", "next": "ask" },
    ] });
    let aws = lambda(Value::Null, steps).await;
    let ended = run(
        &aws,
        &["check", "--function", NAME, "--write", "s3://inbox/in/"],
    )
    .await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = "ok    settings   5 set\nFAIL  tcp        no address took it\n      next: ask\n";
    assert_eq!(ended.stdout, expected);
    let calls = aws.of("Invoke");
    assert_eq!(calls.len(), 1);
    let asked = json!({ "check": { "prefix": "s3://inbox/in/", "write": true } });
    assert_eq!(calls[0].body, asked);

    let well =
        json!({ "ok": true, "steps": [{ "step": "settings", "ok": true, "found": "5 set" }] });
    let aws = lambda(Value::Null, well).await;
    let ended = run(&aws, &["check", "--function", NAME, "--json"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let record: Value = serde_json::from_str(ended.stdout.trim_end()).expect("JSON");
    assert_eq!(record["step"], "settings");
}

#[tokio::test]
async fn a_function_that_cannot_be_asked_is_named_with_the_next_step() {
    let aws = AwsCalls::start().await;
    for (code, of_settings, of_check) in [
        (
            "AccessDeniedException",
            "lambda:GetFunctionConfiguration",
            "lambda:InvokeFunction",
        ),
        (
            "ResourceNotFoundException",
            "check its name",
            "check its name",
        ),
    ] {
        aws.answer(move |_| Answer::Said(404, code, "no"));
        for (command, next) in [
            ("settings", of_settings),
            ("clean", of_settings),
            ("check", of_check),
        ] {
            let ended = run(&aws, &[command, "--function", NAME]).await;
            assert_eq!(ended.code, Some(2), "{command}: {ended:?}");
            assert_eq!(ended.stdout, "", "{command}");
            assert!(
                ended.stderr.contains(NAME) && ended.stderr.contains(next),
                "{command}: {ended:?}"
            );
            assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        }
    }
    // Another program, or an older release.
    let older = json!({ "delivered": 0 });
    let aws = lambda(json!({}), older).await;
    let ended = run(&aws, &["check", "--function", NAME]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("does not know a check"), "{ended:?}");
    // It has no settings at all.
    let ended = run(&aws, &["send", "--function", NAME, "s3://inbox/a"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("SSH_HOST"), "{ended:?}");
    let ended = run(&aws, &["check", "--local"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = run(&aws, &["check", "--function", NAME, "--env-file", "f"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
