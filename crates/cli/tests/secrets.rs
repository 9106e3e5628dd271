//! Both commands fetch what the settings refer to.

use std::fs;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::json;
use testkit::aws_calls::{Answer, AwsCalls};
use testkit::s3::S3Server;
use testkit::secrets::{self, CANARY, PASSWORD};
use testkit::sftp::SftpServer;
use tokio::process::Command;
use tokio::time::timeout;

const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:acme";
const PARAMETER: &str = "arn:aws:ssm:eu-central-1:123456789012:parameter/acme";

/// Longer than anything here takes on a slow machine.
const SOON: Duration = Duration::from_secs(30);

struct World {
    s3: S3Server,
    aws: AwsCalls,
    sftp: SftpServer,
}

impl World {
    async fn new() -> Self {
        let world = Self {
            s3: S3Server::start().await,
            aws: AwsCalls::start().await,
            sftp: SftpServer::start().await,
        };
        world.s3.create_bucket("inbox");
        world.s3.put("inbox", "f", "content");
        let connector = json!({ "Username": "acme", "Password": PASSWORD }).to_string();
        world.aws.answer(move |call| match call.action.as_str() {
            "GetParameter" => Answer::Body(json!({ "Parameter": { "Value": PASSWORD } })),
            _ => Answer::Body(json!({ "SecretString": connector })),
        });
        world
    }

    /// Runs a command with a login of these settings alone.
    async fn run(&self, arguments: &[&str], login: &[(&str, &str)]) -> Output {
        let account = self.sftp.account();
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.s3.env())
            .envs(self.aws.env())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("SSH_HOST", account.host)
            .env("SSH_PORT", account.port.to_string())
            .env("SSH_HOST_KEY", account.host_key)
            .envs(login.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(SOON, command.output()).await.expect("in time");
        let output = output.expect("runs");
        secrets::output("s3-to-sftp", &output);
        let shown = format!("{output:?}");
        assert!(!shown.contains(CANARY), "{shown}");
        output
    }
}

#[tokio::test]
async fn send_and_clean_fetch_the_login_from_a_store() {
    let by_parameter = [("SSH_USERNAME", "acme"), ("SSH_PASSWORD", PARAMETER)];
    let by_field = format!("{SECRET}#Password");
    let by_field = [("SSH_USERNAME", "acme"), ("SSH_PASSWORD", &by_field)];
    let by_secret = [("SSH_SECRET", SECRET)];
    for login in [&by_parameter[..], &by_field, &by_secret] {
        let world = World::new().await;
        let sent = world.run(&["send", "s3://inbox/f"], login).await;
        assert!(sent.status.success(), "{login:?}: {sent:?}");
        let file = fs::read(world.sftp.home().join("f"));
        assert_eq!(file.expect("the file is there"), b"content");
        let cleaned = world.run(&["clean"], login).await;
        assert!(cleaned.status.success(), "{login:?}: {cleaned:?}");
        assert_eq!(world.sftp.credentials_sent(), 2);
    }
}

#[tokio::test]
async fn what_a_store_refuses_is_told() {
    let world = World::new().await;
    world
        .aws
        .answer(|_| Answer::Said(400, "AccessDeniedException", "no"));
    let login = [("SSH_SECRET", SECRET)];
    for arguments in [&["send", "s3://inbox/f"][..], &["clean"]] {
        let output = world.run(arguments, &login).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let permission = format!("secretsmanager:GetSecretValue on {SECRET}");
        assert!(stderr.contains(&permission), "{stderr}");
    }
    assert_eq!(world.sftp.identifications(), [""; 0]);
}
