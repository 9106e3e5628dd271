//! Secrets Manager, SSM and S3 as MiniStack has them; the server is the embedded one, which counts log-ins.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use testkit::event::{self, ObjectRef};
use testkit::runtime_api::{Bootstrap, Outcome, RuntimeApi};
use testkit::secret;
use testkit::secrets::{self, PASSWORD};
use testkit::servers::MiniStack;
use testkit::sftp::SftpServer;
use tokio::process::Command;

use crate::account::INBOX;
use crate::aws::{Aws, finish};

const RIGHT: &str = PASSWORD;
const PASSPHRASE: &str = secret!("passphrase");

struct World {
    ministack: MiniStack,
    aws: Aws,
    api: RuntimeApi,
    sftp: SftpServer,
    directory: TempDir,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ministack = MiniStack::start()
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let world = Self {
            aws: Aws::new(&ministack, directory.path()),
            ministack,
            api: RuntimeApi::start().await,
            sftp: SftpServer::builder().password(Some(RIGHT)).start().await,
            directory,
        };
        for bucket in [INBOX, "secrets"] {
            world
                .aws
                .run(&["s3", "mb", &format!("s3://{bucket}")])
                .await;
        }
        world
    }

    /// A new secret; its ARN.
    async fn secret(&self, name: &str, value: &str) -> String {
        let create = ["secretsmanager", "create-secret", "--name", name];
        let create = [&create[..], &["--secret-string", value]].concat();
        let answer = self.aws.run(&create).await;
        answer["ARN"].as_str().expect("an ARN").to_owned()
    }

    /// What a rotation does: this is AWSCURRENT now, and what was it is AWSPREVIOUS.
    async fn rotate(&self, arn: &str, value: &str) {
        let put = ["secretsmanager", "put-secret-value", "--secret-id", arn];
        self.aws
            .run(&[&put[..], &["--secret-string", value]].concat())
            .await;
    }

    async fn put(&self, content: &str, url: &str) {
        let file = self.directory.path().join("file");
        fs::write(&file, content).expect("a file can be written");
        let file = file.to_str().expect("text");
        self.aws
            .run(&["s3", "cp", "--only-show-errors", file, url])
            .await;
    }

    /// A private key with a passphrase.
    async fn encrypt(&self, key: &str) -> String {
        let path = self.directory.path().join("encrypted");
        fs::write(&path, key).expect("a file can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("one's own file");
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f"]);
        command.arg(&path);
        let (well, _, stderr) = finish(command).await;
        assert!(well, "{stderr}");
        let encrypted = fs::read_to_string(&path).expect("the file is there");
        secrets::register(&encrypted);
        encrypted
    }

    /// A new environment of the function, which has no password but what `extra` says.
    fn start(&self, extra: &[(&str, &str)]) -> Bootstrap {
        let account = self.sftp.account();
        let mut env = self.ministack.env();
        let port = account.port.to_string();
        let ours = [
            ("SSH_HOST", account.host.as_str()),
            ("SSH_PORT", &port),
            ("SSH_USERNAME", &account.username),
            ("SSH_HOST_KEY", &account.host_key),
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        env.extend(ours.iter().chain(extra).map(owned));
        Bootstrap::spawn(executable(), &self.api, env)
    }

    async fn deliver(&self, key: &str) -> Outcome {
        self.put("content", &format!("s3://{INBOX}/{key}")).await;
        let object = ObjectRef::new(key, 7, "etag");
        self.api.invoke(event::notification(INBOX, &[object])).await
    }

    async fn assert_delivered(&self, key: &str) {
        let outcome = self.deliver(key).await;
        assert_eq!(outcome.response()["delivered"], 1, "{key}: {outcome:?}");
        let file = fs::read(self.sftp.home().join(key));
        assert_eq!(file.expect("the file is there"), b"content", "{key}");
    }
}

fn executable() -> PathBuf {
    env::var_os("BOOTSTRAP").map_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into(), PathBuf::from)
}

#[tokio::test]
async fn each_kind_of_reference_is_fetched() {
    let world = World::new().await;
    let key = world.sftp.account().private_key.expect("it takes keys");

    let text = world.secret("acme/password", RIGHT).await;
    let fields = json!({ "pw": RIGHT, "id": key }).to_string();
    let fields = world.secret("acme/fields", &fields).await;
    let by_password = json!({ "Username": "acme", "Password": RIGHT }).to_string();
    let by_password = world.secret("aws/transfer/one", &by_password).await;
    let by_key = json!({ "Username": "acme", "PrivateKey": key }).to_string();
    let by_key = world.secret("aws/transfer/two", &by_key).await;
    for (name, value) in [("/acme/password", RIGHT), ("/acme/id", &key)] {
        let put = [
            "ssm",
            "put-parameter",
            "--type",
            "SecureString",
            "--name",
            name,
        ];
        world
            .aws
            .run(&[&put[..], &["--value", value]].concat())
            .await;
    }
    let parameter = |name| format!("arn:aws:ssm:us-east-1:000000000000:parameter/acme/{name}");
    let encrypted = world.encrypt(&key).await;
    let all = json!({
        "Username": "acme",
        "PrivateKey": encrypted,
        "Passphrase": PASSPHRASE,
        "HostKey": world.sftp.account().host_key,
    });
    let all = world.secret("aws/transfer/three", &all.to_string()).await;
    let passphrase = ["ssm", "put-parameter", "--type", "SecureString", "--name"];
    let passphrase = [
        &passphrase[..],
        &["/acme/passphrase", "--value", PASSPHRASE],
    ]
    .concat();
    world.aws.run(&passphrase).await;
    world.put(&encrypted, "s3://secrets/acme/encrypted").await;
    world.put(RIGHT, "s3://secrets/acme/password").await;
    world.put(&key, "s3://secrets/acme/id").await;

    for (number, (setting, reference)) in [
        ("SSH_SECRET", all),
        ("SSH_PASSWORD", text),
        ("SSH_PASSWORD", format!("{fields}#pw")),
        ("SSH_PASSWORD", parameter("password")),
        ("SSH_PASSWORD", "s3://secrets/acme/password".to_owned()),
        ("SSH_PRIVATE_KEY", format!("{fields}#id")),
        ("SSH_PRIVATE_KEY", parameter("id")),
        ("SSH_PRIVATE_KEY", "s3://secrets/acme/id".to_owned()),
        ("SSH_PRIVATE_KEY", "secrets:acme/id".to_owned()),
        ("SSH_PRIVATE_KEY", "secrets:acme/encrypted".to_owned()),
        ("SSH_SECRET", by_password),
        ("SSH_SECRET", by_key),
    ]
    .into_iter()
    .enumerate()
    {
        // Set for all, and looked at by one: a key that is not encrypted needs none.
        let passphrase = parameter("passphrase");
        let mut login = vec![(setting, reference.as_str())];
        if setting == "SSH_PRIVATE_KEY" {
            login.push(("SSH_PASSPHRASE", &passphrase));
        }
        let bootstrap = world.start(&login);
        world.assert_delivered(&number.to_string()).await;
        assert_eq!(world.sftp.credentials_sent(), number + 1, "{reference}");
        bootstrap.kill();
        bootstrap.wait_for_exit().await;
    }
}

#[tokio::test]
async fn a_rotation_drops_no_file() {
    let world = World::new().await;
    let arn = world.secret("acme/password", RIGHT).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", &arn), ("SSH_KEEP_CONNECTION", "no")]);
    world.assert_delivered("before").await;
    assert_eq!(world.sftp.credentials_sent(), 1);

    // A new environment meets it half way.
    world.rotate(&arn, secret!("wrong 1")).await;
    let second = world.start(&[("SSH_PASSWORD", &arn)]);
    drop(_bootstrap);
    world.assert_delivered("meanwhile").await;
    assert_eq!(world.sftp.credentials_sent(), 3);
    let logs = second.logs();
    assert!(logs.contains("AWSPREVIOUS"), "{logs}");
    drop(second);

    // Neither of the two is the partner's.
    world.rotate(&arn, secret!("wrong 2")).await;
    let third = world.start(&[("SSH_PASSWORD", &arn)]);
    let outcome = world.deliver("after").await;
    assert_eq!(outcome.error().0, "LoginRefused", "{outcome:?}");
    assert_eq!(world.sftp.credentials_sent(), 5, "{}", third.logs());
    drop(third);

    let delete = ["secretsmanager", "delete-secret", "--secret-id", &arn];
    world.aws.run(&delete).await;
    let _fourth = world.start(&[("SSH_PASSWORD", &arn)]);
    let outcome = world.deliver("never").await;
    let (name, message) = outcome.error();
    assert_eq!(name, "SecretUnavailable");
    assert!(message.contains("marked for deletion"), "{message}");
}

/// What the emulator answers is what the errors are made for.
#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new().await;
    for (reference, part) in [
        (
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:none-AbCdEf",
            "there is none",
        ),
        (
            "arn:aws:ssm:us-east-1:000000000000:parameter/none",
            "there is none",
        ),
        ("s3://secrets/none", "there is no such object"),
    ] {
        let bootstrap = world.start(&[("SSH_PASSWORD", reference)]);
        let outcome = world.deliver("f").await;
        let (name, message) = outcome.error();
        assert_eq!(name, "SecretUnavailable");
        assert!(
            message.contains(part) && message.contains(reference),
            "{message}"
        );
        bootstrap.kill();
        bootstrap.wait_for_exit().await;
    }
    assert_eq!(world.sftp.identifications(), [""; 0]);
}
