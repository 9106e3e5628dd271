//! `deploy/cloudformation.yaml`, by the commands of docs/deploy.md: two partners on one bucket. And `deploy/direct.yaml`.
//!
//! MiniStack's CloudFormation makes every resource of these templates. What it drops or gets wrong is made by API, in
//! [`finish`] and [`Partner::finish`], and named there. It checks no permissions.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::payload;
use testkit::servers::Sshd;
use tokio::process::Command;

use crate::account::{Account, INBOX, architecture, package, text};
use crate::aws::{self, Aws};
use crate::queue::{Queue, create_queue, delete, held, receive, send};

#[tokio::test]
async fn two_partners_on_one_bucket_and_what_one_of_them_cannot_take_is_sent_again_when_it_can() {
    let account = Account::new().await;
    let globex = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let walk = Walk::new(&account);
    account.aws.run(&["s3", "mb", "s3://my-code"]).await;
    // Somebody else has a notification on this bucket.
    let other = create_queue(&account, "other", &json!({})).await;
    account
        .notify(json!({ "QueueConfigurations": [
            { "Id": "other", "QueueArn": other.arn, "Events": ["s3:ObjectCreated:*"] }
        ] }))
        .await;

    walk.command(1, "acme").await;
    walk.command(2, "acme").await;
    let notification = account
        .aws
        .run(&[
            "s3api",
            "get-bucket-notification-configuration",
            "--bucket",
            INBOX,
        ])
        .await;
    assert_eq!(notification["QueueConfigurations"][0]["Id"], "other");
    assert_eq!(notification["EventBridgeConfiguration"], json!({}));

    let acme = walk.deploy("acme", account.sshd(), "").await;
    let globex = walk.deploy("globex", &globex, ".csv").await;

    // A sweep would send what the suffix of the other one leaves out.
    let schedules = account.aws.run(&["scheduler", "list-schedules"]).await;
    let names = schedules["Schedules"].as_array().expect("a list");
    assert_eq!(names.len(), 1, "{names:?}");
    let schedule = account
        .aws
        .run(&["scheduler", "get-schedule", "--name", "acme"])
        .await;
    let input = schedule["Target"]["Input"].as_str().expect("an event");
    let sweep = json!({ "sweep": "s3://inbox/acme/", "older_than": "2d" });
    assert_eq!(serde_json::from_str::<Value>(input).expect("JSON"), sweep);

    // Each upload goes to whom it is for, and to nobody else.
    let key = "acme/in/Jahresabschluß 2026 + Anhänge (ä) 100%.csv";
    account.upload(key, 700_001).await;
    account.upload("globex/orders.csv", 5_000).await;
    account.upload("globex/notes.txt", 10).await;
    account.upload("elsewhere/orders.csv", 10).await;
    let remote = key.strip_prefix("acme/").expect("its prefix");
    acme.assert_delivered(remote, 700_001).await;
    globex.assert_delivered("orders.csv", 5_000).await;
    account
        .eventually("the sources are gone, and nothing else", async || {
            let mut left = account.inbox().await;
            left.sort();
            left == ["elsewhere/orders.csv", "globex/notes.txt"]
        })
        .await;
    assert_eq!(acme.names(), ["in"]);
    assert_eq!(globex.names(), ["orders.csv"]);

    // A directory has the name of a file: no further attempt can deliver it.
    let poison = acme.home().join("poison.csv");
    fs::create_dir(&poison).expect("the partner's own directory");
    account.upload("acme/poison.csv", 3_000).await;
    let mut letters = Vec::new();
    account
        .eventually("the poison is in the dead-letter queue", async || {
            letters.extend(receive(&account, &acme.dead).await);
            !letters.is_empty()
        })
        .await;
    let [letter] = &letters[..] else {
        panic!("one letter, not {letters:?}");
    };
    let attribute = |name: &str| letter["MessageAttributes"][name]["StringValue"].clone();
    assert_eq!(attribute("ErrorType"), "NameIsDirectory");
    assert_eq!(attribute("SourceQueueArn"), acme.queue().arn);
    let reason = attribute("ErrorMessage").to_string();
    assert!(reason.contains("s3://inbox/acme/poison.csv"), "{reason}");
    assert!(
        account
            .inbox()
            .await
            .contains(&"acme/poison.csv".to_owned())
    );
    account
        .eventually("nothing is left in the queues", async || {
            held(&account, acme.queue()).await == 0 && held(&account, globex.queue()).await == 0
        })
        .await;
    assert_eq!(held(&account, &globex.dead).await, 0);

    // The cause is mended. On AWS `start-message-move-task` does the rest; MiniStack does not have it, so the message is
    // taken from one queue to the other here.
    fs::remove_dir(&poison).expect("it is empty");
    let body = letter["Body"].as_str().expect("a body");
    send(&account, acme.queue(), body).await;
    delete(&account, &acme.dead, letter).await;
    acme.assert_delivered("poison.csv", 3_000).await;
    account
        .eventually("all of it is over", async || {
            held(&account, acme.queue()).await == 0
                && !account
                    .inbox()
                    .await
                    .contains(&"acme/poison.csv".to_owned())
        })
        .await;
    assert_eq!(held(&account, &acme.dead).await, 0);
}

#[tokio::test]
async fn the_direct_trigger_keeps_what_failed_and_takes_it_again() {
    let account = Account::new().await;
    let server = account.sshd();
    let walk = Walk::new(&account);
    account.aws.run(&["s3", "mb", "s3://my-code"]).await;
    walk.command(1, "acme").await;

    let [deploy, again] = &walk.commands("The direct trigger")[..] else {
        panic!("two commands");
    };
    let login = server.account();
    let dir = login.dir.as_deref().expect("a directory of the test's");
    // What the docs have no reason to say.
    let more = format!(
        "SshHost={} SshPort={} SshDir='{dir}' SshHostKey='{}' Architecture={}",
        login.host,
        login.port,
        login.host_key,
        architecture()
    );
    let example = "SshHost=sftp.example.com";
    assert!(deploy.contains(example));
    walk.run(&deploy.replace(example, &more)).await;
    walk.write_login("acme", server);
    walk.command(4, "acme").await;
    finish(&account, "acme").await;
    let [notify] = &walk.commands("A bucket has one notification configuration")[..] else {
        panic!("one command");
    };
    // MiniStack's account.
    walk.run(&notify.replace("123456789012", "000000000000"))
        .await;

    let acme = Partner::of(&account, "acme", server).await;
    account.upload("acme/orders.csv", 5_000).await;
    acme.assert_delivered("orders.csv", 5_000).await;
    let poison = acme.home().join("poison.csv");
    fs::create_dir(&poison).expect("the partner's own directory");
    account.upload("acme/poison.csv", 3_000).await;
    account
        .eventually("the poison is in the dead-letter queue", async || {
            held(&account, &acme.dead).await == 1
        })
        .await;
    fs::remove_dir(&poison).expect("it is empty");
    walk.run(again).await;
    acme.assert_delivered("poison.csv", 3_000).await;
    account
        .eventually("the sources are gone", async || {
            account.inbox().await.is_empty()
        })
        .await;
    assert_eq!(held(&account, &acme.dead).await, 0);
}

/// Somebody who walks through docs/deploy.md.
pub(crate) struct Walk<'a> {
    account: &'a Account,
    docs: String,
    directory: TempDir,
}

impl<'a> Walk<'a> {
    /// In a directory where all is as in a checkout: the templates, and a `make` that has made the package already.
    pub(crate) fn new(account: &'a Account) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        symlink(root.join("deploy"), at("deploy")).expect("a link in a new directory");
        symlink(package(), at("package.zip")).expect("a link in a new directory");
        fs::create_dir(at("bin")).expect("a directory in a new one");
        program(
            &at("bin/make"),
            "test \"$*\" = package && test -s package.zip",
        );
        let aws = Aws::program();
        let aws = aws.to_str().expect("a path that is text");
        let endpoint = account.ministack().endpoint();
        // Not all of the AWS command line's commands look at the variable.
        program(
            &at("bin/aws"),
            &format!("exec '{aws}' --endpoint-url '{endpoint}' \"$@\""),
        );
        let docs = fs::read_to_string(root.join("docs/deploy.md")).expect("docs/deploy.md");
        Self {
            account,
            docs,
            directory,
        }
    }

    /// The commands of a section.
    pub(crate) fn commands(&self, title: &str) -> Vec<String> {
        let mut sections = self.docs.split("\n## ");
        let section = sections
            .find(|it| it.starts_with(&format!("{title}\n")))
            .unwrap_or_else(|| panic!("no section {title}"));
        let blocks = section.split("```shell\n").skip(1);
        let commands = blocks.filter_map(|it| it.split("```").next());
        commands.map(str::to_owned).collect()
    }

    /// Runs the n-th of the four commands as it is written, for a partner of this name.
    pub(crate) async fn command(&self, number: usize, partner: &str) {
        let commands = self.commands("One partner in four commands");
        assert_eq!(commands.len(), 4, "{commands:?}");
        self.run(&commands[number - 1].replace("acme", partner))
            .await;
    }

    pub(crate) async fn run(&self, line: &str) {
        let (well, said) = self.attempt(line).await;
        assert!(well, "{line}\nfailed:\n{said}");
    }

    /// Whether a command goes well, and what it says.
    pub(crate) async fn attempt(&self, line: &str) -> (bool, String) {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", line]);
        command.current_dir(self.directory.path());
        self.account.aws.configure(&mut command);
        let bin = self.directory.path().join("bin");
        let path = std::env::var("PATH").expect("a PATH");
        command.env("PATH", format!("{}:{path}", text(&bin)));
        let (well, stdout, stderr) = aws::finish(command).await;
        (well, format!("{stdout}\n{stderr}"))
    }

    fn write(&self, name: &str, content: &Value) {
        fs::write(self.directory.path().join(name), content.to_string()).expect("a file");
    }

    fn write_login(&self, name: &str, server: &Sshd) {
        let login = server.account();
        let key = login.private_key.expect("a key to log in with");
        self.write(
            &format!("{name}-login.json"),
            &json!({ "Username": login.username, "PrivateKey": key }),
        );
    }

    pub(crate) async fn deploy(
        &self,
        name: &'a str,
        server: &'a Sshd,
        suffix: &str,
    ) -> Partner<'a> {
        let login = server.account();
        let dir = login.dir.as_deref().expect("a directory of the test's");
        self.write(
            &format!("{name}.json"),
            &json!([
                format!("Bucket={INBOX}"),
                format!("Prefix={name}/"),
                format!("Suffix={suffix}"),
                format!("StripPrefix={name}/"),
                format!("SshHost={}", login.host),
                format!("SshPort={}", login.port),
                format!("SshHostKey={}", login.host_key),
                format!("SshDir={dir}"),
                "MaximumConcurrency=2",
                "Timeout=60",
                format!("Architecture={}", architecture()),
                "CodeBucket=my-code",
                "CodeKey=s3-to-sftp-1.zip",
            ]),
        );
        self.write_login(name, server);
        self.command(3, name).await;
        self.command(4, name).await;
        let partner = Partner::of(self.account, name, server).await;
        partner.finish().await;
        partner
    }
}

/// A stack, and the server that it delivers to.
pub(crate) struct Partner<'a> {
    account: &'a Account,
    name: &'a str,
    server: &'a Sshd,
    /// The direct trigger has none.
    queue: Option<Queue>,
    dead: Queue,
}

impl<'a> Partner<'a> {
    async fn of(account: &'a Account, name: &'a str, server: &'a Sshd) -> Self {
        let stack = account
            .aws
            .run(&["cloudformation", "describe-stacks", "--stack-name", name])
            .await;
        let stack = &stack["Stacks"][0];
        assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{stack}");
        let output = |key: &str| {
            let outputs = stack["Outputs"].as_array().expect("outputs");
            let output = outputs.iter().find(|it| it["OutputKey"] == key);
            output?["OutputValue"].as_str().map(str::to_owned)
        };
        let queue = |name: &str| {
            Some(Queue {
                url: output(name)?,
                arn: output(&format!("{name}Arn"))?,
            })
        };
        Self {
            account,
            name,
            server,
            queue: queue("Queue"),
            dead: queue("DeadLetterQueue").expect("a dead-letter queue"),
        }
    }

    pub(crate) fn queue(&self) -> &Queue {
        self.queue.as_ref().expect("a queue")
    }

    /// Makes by API what MiniStack's CloudFormation gets wrong.
    async fn finish(&self) {
        finish(self.account, self.name).await;
        let aws = &self.account.aws;
        // A Number parameter is text, and is not made a number in ScalingConfig; nothing is read from the queue then.
        let list = ["lambda", "list-event-source-mappings"];
        let mappings = aws
            .run(&[&list[..], &["--function-name", self.name]].concat())
            .await;
        let mapping = &mappings["EventSourceMappings"][0];
        assert_eq!(
            mapping["FunctionResponseTypes"],
            json!(["ReportBatchItemFailures"])
        );
        let uuid = mapping["UUID"].as_str().expect("a mapping");
        let scaling = ["--uuid", uuid, "--scaling-config", "MaximumConcurrency=2"];
        let update = ["lambda", "update-event-source-mapping"];
        aws.run(&[&update[..], &scaling].concat()).await;
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.server.home().to_owned()
    }

    /// What lies in the partner's directory.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home()).expect("the partner's directory");
        let names = entries.map(|it| it.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|it| it.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub(crate) async fn assert_delivered(&self, path: &str, size: u64) {
        let file = self.home().join(path);
        let what = format!("{path} is at {}", self.name);
        self.account
            .eventually(&what, async || file.is_file())
            .await;
        let difference = payload::first_difference_in_file(&file, size);
        assert_eq!(difference.expect("the file is there"), None, "{path}");
    }
}

/// Makes by API what MiniStack's CloudFormation drops, and tells the function where this AWS is.
async fn finish(account: &Account, name: &str) {
    // RecursiveLoop of a function. Where MiniStack has learned it, this fails, and can go.
    let of = ["--function-name", name];
    let get = ["lambda", "get-function-recursion-config"];
    let loops = account.aws.run(&[get, of].concat()).await;
    assert_eq!(loops["RecursiveLoop"], "Terminate");
    let put = ["lambda", "put-function-recursion-config"];
    let allow = ["--recursive-loop", "Allow"];
    account.aws.run(&[put, of, allow].concat()).await;
    tell_where_aws_is(account, name).await;
}

/// Nothing that CloudFormation lacks: on AWS the function finds AWS by itself. A deployment forgets it.
pub(crate) async fn tell_where_aws_is(account: &Account, name: &str) {
    let of = ["--function-name", name];
    let get = ["lambda", "get-function-configuration"];
    let configuration = account.aws.run(&[get, of].concat()).await;
    let mut environment = configuration["Environment"].clone();
    environment["Variables"]["AWS_ENDPOINT_URL"] = account.ministack().endpoint().into();
    let file = account.write("environment", environment.to_string());
    let file = format!("file://{}", text(&file));
    let update = ["lambda", "update-function-configuration"];
    let more = ["--environment", &file];
    account.aws.run(&[update, of, more].concat()).await;
}

/// A program for the commands to find.
fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("a new file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("one's own file");
}
