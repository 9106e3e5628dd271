//! The Runtime API, by the runtime that a `bootstrap` is made of.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};
use testkit::runtime_api::{Bootstrap, Invocation, Outcome, RuntimeApi};

/// Not a test: the function that the others start, this very executable once more. It does nothing unless Lambda's
/// variables are there.
#[tokio::test]
async fn function() {
    match std::env::var("AWS_LAMBDA_FUNCTION_NAME").as_deref() {
        Ok("broken") => panic!("cannot start"),
        Ok(_) => lambda_runtime::run(service_fn(handle)).await.expect("runs"),
        Err(_) => {}
    }
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    match event.payload["do"].as_str() {
        Some("fail") => Err(Diagnostic {
            error_type: "LoginRefused".into(),
            error_message: "no".into(),
        }),
        Some("exit") => std::process::exit(7),
        Some("hang") => std::future::pending().await,
        Some("much") => Ok(json!("x".repeat(7_000_000))),
        _ => {
            let left = event
                .context
                .deadline()
                .duration_since(SystemTime::now())
                .unwrap_or_default();
            let env: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            Ok(
                json!({ "event": event.payload, "id": event.context.request_id, "left": left.as_secs(), "env": env }),
            )
        }
    }
}

/// Has no arguments to pass, so the executable is a script.
struct Script {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Script {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("made");
        let path = directory.path().join("bootstrap");
        let test = std::env::current_exe().expect("known");
        fs::write(
            &path,
            format!(
                "#!/bin/sh\nexec '{}' --exact function --nocapture\n",
                test.display()
            ),
        )
        .expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        Self {
            path,
            _directory: directory,
        }
    }

    fn start(&self, api: &RuntimeApi) -> Bootstrap {
        Bootstrap::spawn(
            &self.path,
            api,
            [("SSH_HOST".to_owned(), "example.com".to_owned())],
        )
    }
}

#[tokio::test]
async fn an_event_is_answered_and_a_retry_keeps_its_id() {
    let (api, script) = (RuntimeApi::start().await, Script::new());
    let bootstrap = script.start(&api);
    assert!(api.polled().await >= 1);
    let invocation = Invocation::new(json!({ "key": "value" })).time(Duration::from_secs(100));
    let first = api.run(&invocation).await;
    let again = api.run(&invocation).await;
    assert_eq!(first.response()["event"], json!({ "key": "value" }));
    assert_eq!(first.response()["id"], json!(invocation.id()));
    assert_eq!(again.response()["id"], json!(invocation.id()));
    assert!((90..=100).contains(&first.response()["left"].as_u64().expect("a number")));
    assert_ne!(
        api.invoke(json!({})).await.response()["id"],
        json!(invocation.id())
    );

    let env = first.response()["env"].as_array().expect("a list").clone();
    assert!(env.contains(&json!("SSH_HOST")));
    assert!(
        !env.contains(&json!("HOME")),
        "nothing of this machine: {env:?}"
    );
    assert!(bootstrap.peak_memory() > 1_000_000);
}

#[tokio::test]
async fn errors_crashes_and_deadlines_are_told_apart() {
    let (api, script) = (RuntimeApi::start().await, Script::new());
    let bootstrap = script.start(&api);
    assert_eq!(
        api.invoke(json!({ "do": "fail" })).await.error(),
        ("LoginRefused", "no")
    );
    assert_eq!(
        api.invoke(json!({ "do": "much" })).await.error().0,
        "Function.ResponseSizeTooLarge"
    );
    // That was no crash: the process goes on.
    let exited = api.invoke(json!({ "do": "exit" })).await;
    assert!(
        matches!(exited, Outcome::Exited(status) if status.code() == Some(7)),
        "{exited:?}"
    );
    assert_eq!(bootstrap.wait_for_exit().await.code(), Some(7));
    assert!(
        bootstrap.logs().contains("running 1 test"),
        "{}",
        bootstrap.logs()
    );

    let bootstrap = script.start(&api);
    let hang = Invocation::new(json!({ "do": "hang" })).time(Duration::from_millis(100));
    assert_eq!(api.run(&hang).await, Outcome::TimedOut);
    assert_eq!(bootstrap.wait_for_exit().await.signal(), Some(9));
}

#[tokio::test]
async fn a_process_that_cannot_start_is_an_exit() {
    let (api, script) = (RuntimeApi::start().await, Script::new());
    let name = ("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "broken".to_owned());
    let bootstrap = Bootstrap::spawn(&script.path, &api, [name]);
    assert!(matches!(api.invoke(json!({})).await, Outcome::Exited(status) if !status.success()));
    bootstrap
        .wait_for_line(|line| line.contains("cannot start"))
        .await;
    assert_eq!(api.init_error(), None);
}
