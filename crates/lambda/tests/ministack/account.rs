//! An AWS account with buckets, and the server to deliver to.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::payload;
use testkit::servers::{MiniStack, Sshd};

use crate::aws::Aws;

/// What a function of this account may do is nobody's concern here.
const ROLE: &str = "arn:aws:iam::000000000000:role/s3-to-sftp";

/// Longer than an upload takes to arrive on a slow machine, a retry included.
const SOON: Duration = Duration::from_secs(90);

/// The bucket that files are uploaded to.
pub(crate) const INBOX: &str = "inbox";

/// The function.
pub(crate) const FUNCTION: &str = "s3-to-sftp";

pub(crate) struct Account {
    pub(crate) aws: Aws,
    ministack: MiniStack,
    sshd: Sshd,
    directory: TempDir,
}

impl Account {
    /// An account with an inbox, and the private key in a bucket of its own.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ministack = MiniStack::start()
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let sshd = Sshd::start()
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let account = Self {
            aws: Aws::new(&ministack, directory.path()),
            ministack,
            sshd,
            directory,
        };
        for bucket in [INBOX, "secrets"] {
            let bucket = format!("s3://{bucket}");
            account.aws.run(&["s3", "mb", &bucket]).await;
        }
        let key = account
            .sshd
            .account()
            .private_key
            .expect("a key to log in with");
        let key = account.write("id", key);
        account.copy(&key, "s3://secrets/id").await;
        account
    }

    /// Makes the function of a zip; its ARN.
    pub(crate) async fn create_function(
        &self,
        runtime: &str,
        handler: &str,
        timeout: u32,
        zip: &Path,
    ) -> String {
        self.create_function_with(runtime, handler, timeout, zip, Vec::new())
            .await
    }

    /// The same with further variables, which win.
    pub(crate) async fn create_function_with(
        &self,
        runtime: &str,
        handler: &str,
        timeout: u32,
        zip: &Path,
        more: Vec<(String, String)>,
    ) -> String {
        let environment = self.environment_with(more);
        let answer = self
            .aws
            .run(&[
                "lambda",
                "create-function",
                "--function-name",
                FUNCTION,
                "--runtime",
                runtime,
                "--handler",
                handler,
                "--architectures",
                architecture(),
                "--timeout",
                &timeout.to_string(),
                "--role",
                ROLE,
                "--environment",
                &format!("file://{}", text(&environment)),
                "--zip-file",
                &format!("fileb://{}", text(zip)),
            ])
            .await;
        answer["FunctionArn"].as_str().expect("an ARN").to_owned()
    }

    /// Gives the function another environment; its processes start anew.
    pub(crate) async fn set_environment(&self, more: Vec<(String, String)>) {
        let environment = self.environment_with(more);
        self.aws
            .run(&[
                "lambda",
                "update-function-configuration",
                "--function-name",
                FUNCTION,
                "--environment",
                &format!("file://{}", text(&environment)),
            ])
            .await;
    }

    /// The environment with further variables, which win, in a file.
    fn environment_with(&self, more: Vec<(String, String)>) -> PathBuf {
        let mut environment = self.environment();
        for (name, value) in more {
            environment["Variables"][name] = value.into();
        }
        self.write("environment.json", environment.to_string())
    }

    /// What users of the old function have set, and the address of this AWS.
    fn environment(&self) -> Value {
        let server = self.sshd.account();
        json!({ "Variables": {
            "AWS_ENDPOINT_URL": self.ministack.endpoint(),
            "SSH_HOST": server.host,
            "SSH_PORT": server.port.to_string(),
            "SSH_USERNAME": server.username,
            "SSH_PRIVATE_KEY": "secrets:id",
            "SSH_DIR": server.dir.expect("a directory of the test's"),
        } })
    }

    pub(crate) async fn configuration(&self) -> Value {
        let get = [
            "lambda",
            "get-function-configuration",
            "--function-name",
            FUNCTION,
        ];
        self.aws.run(&get).await
    }

    /// Has the inbox tell of every new object.
    pub(crate) async fn notify(&self, configuration: Value) {
        let configuration = configuration.to_string();
        self.aws
            .run(&[
                "s3api",
                "put-bucket-notification-configuration",
                "--bucket",
                INBOX,
                "--notification-configuration",
                &configuration,
            ])
            .await;
    }

    /// Has the inbox call the function for every new object.
    pub(crate) async fn notify_function(&self, arn: &str) {
        self.aws
            .run(&[
                "lambda",
                "add-permission",
                "--function-name",
                FUNCTION,
                "--statement-id",
                "inbox",
                "--action",
                "lambda:InvokeFunction",
                "--principal",
                "s3.amazonaws.com",
                "--source-arn",
                &format!("arn:aws:s3:::{INBOX}"),
            ])
            .await;
        self.notify(json!({ "LambdaFunctionConfigurations": [
            { "LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"] }
        ] }))
        .await;
    }

    /// Uploads `size` bytes of the ramp to the inbox.
    pub(crate) async fn upload(&self, key: &str, size: usize) {
        let file = self.write("upload", payload::ramp(size));
        self.copy(&file, &format!("s3://{INBOX}/{key}")).await;
    }

    /// Waits until an upload lies on the server and is gone from the inbox, and compares every byte.
    pub(crate) async fn assert_delivered(&self, key: &str, size: u64) {
        let path = self.sshd.home().join(key);
        self.eventually(&format!("{key} is on the server"), async || path.exists())
            .await;
        // The name appears with the whole file under it, or not at all.
        let difference = payload::first_difference_in_file(&path, size);
        assert_eq!(difference.expect("the file is there"), None, "{key}");
        self.eventually(&format!("{key} is gone from the inbox"), async || {
            !self.inbox().await.iter().any(|it| it == key)
        })
        .await;
    }

    /// The keys in the inbox.
    pub(crate) async fn inbox(&self) -> Vec<String> {
        self.keys(INBOX).await
    }

    /// The keys in a bucket.
    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let listing = self
            .aws
            .run(&["s3api", "list-objects-v2", "--bucket", bucket])
            .await;
        let objects = listing["Contents"].as_array().cloned().unwrap_or_default();
        let keys = objects.iter().filter_map(|object| object["Key"].as_str());
        keys.map(str::to_owned).collect()
    }

    /// The server to deliver to.
    pub(crate) fn sshd(&self) -> &Sshd {
        &self.sshd
    }

    /// AWS.
    pub(crate) fn ministack(&self) -> &MiniStack {
        &self.ministack
    }

    /// Waits for something that happens without a signal to wait for.
    pub(crate) async fn eventually(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let begin = Instant::now();
        while !holds().await {
            assert!(
                begin.elapsed() < SOON,
                "not within {SOON:?}: {what}\nMiniStack:\n{}\nsshd:\n{}",
                self.ministack.logs(),
                self.sshd.logs()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A file in a temporary directory.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// What an object holds.
    pub(crate) async fn read(&self, place: &str) -> Vec<u8> {
        let file = self.write("object", "");
        self.aws
            .run(&["s3", "cp", "--only-show-errors", place, text(&file)])
            .await;
        fs::read(&file).expect("a copy")
    }

    async fn copy(&self, file: &Path, to: &str) {
        self.aws
            .run(&["s3", "cp", "--only-show-errors", text(file), to])
            .await;
    }
}

/// The package that is uploaded to AWS.
pub(crate) fn package() -> PathBuf {
    let path = env::var_os("PACKAGE_ZIP").unwrap_or_else(|| {
        panic!(
            "PACKAGE_ZIP is not set: run `make test`, or `make package` and set it to package.zip"
        )
    });
    let path = PathBuf::from(path);
    assert!(
        path.is_file(),
        "there is no {}: run `make package`",
        path.display()
    );
    path
}

/// This machine's architecture, as AWS Lambda calls it: what runs here has to be of it.
pub(crate) fn architecture() -> &'static str {
    match env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}
