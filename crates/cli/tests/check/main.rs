//! `s3-to-sftp check`: what is told of a way that works, and of each step that does not.

#[cfg(feature = "real-servers")]
mod transcripts;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use testkit::account::Account;
use testkit::s3::{Action, S3Server};
use testkit::secrets::WRONG;
use testkit::sftp::{self, Extensions, Operation, SftpServer, closed_port, every, silent, status};
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than anything here takes on a slow machine.
const SOON: Duration = Duration::from_secs(60);

/// What a check told: the exit status, and each step's name, whether it is well, and its text.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    steps: Vec<(String, bool, String)>,
    next: Option<String>,
}

impl Told {
    fn names(&self) -> Vec<&str> {
        self.steps.iter().map(|(name, ..)| name.as_str()).collect()
    }

    #[track_caller]
    fn of(&self, name: &str) -> &str {
        let step = self.steps.iter().find(|(known, ..)| known == name);
        let (_, is_well, text) = step.unwrap_or_else(|| panic!("no {name}: {self:?}"));
        assert!(is_well, "{self:?}");
        text
    }

    /// The last step has failed, with this type of error, and whoever reads it knows what to do.
    #[track_caller]
    fn assert_fails(&self, name: &str, texts: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let (last, is_well, text) = self.steps.last().expect("a step");
        assert_eq!((last.as_str(), *is_well), (name, false), "{self:?}");
        for part in texts {
            assert!(text.contains(part), "{part}: {self:?}");
        }
        assert!(
            self.steps[..self.steps.len() - 1]
                .iter()
                .all(|(_, is_well, _)| *is_well)
        );
    }
}

/// What lies in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory of the test's");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn command(account: &Account, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
    // The password alone, where there is one.
    let key = account
        .private_key
        .as_deref()
        .filter(|_| account.password.is_none());
    command
        .arg("check")
        .args(arguments)
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(account.env())
        .env("SSH_PRIVATE_KEY", key.unwrap_or_default())
        .env("SSH_DIR", account.dir.as_deref().unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn told(mut command: Command) -> Told {
    command.arg("--json");
    let output = timeout(SOON, command.output())
        .await
        .expect("in time")
        .expect("runs");
    testkit::secrets::output("s3-to-sftp", &output);
    let stdout = String::from_utf8(output.stdout).expect("text");
    let mut next = None;
    let steps = stdout.lines().map(|line| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        let is_well = record["ok"].as_bool().expect("ok");
        let text = if is_well { "found" } else { "error" };
        if let Some(text) = record["next"].as_str() {
            next = Some(text.to_owned());
        }
        let text = record[text].as_str().expect("text").to_owned();
        (
            record["step"].as_str().expect("a step").to_owned(),
            is_well,
            text,
        )
    });
    let steps = steps.collect();
    Told {
        code: output.status.code(),
        steps,
        next,
    }
}

async fn run(account: &Account, arguments: &[&str]) -> Told {
    told(command(account, arguments)).await
}

const WAY: [&str; 8] = [
    "settings",
    "name",
    "tcp",
    "ssh",
    "host key",
    "login",
    "sftp",
    "directory",
];

/// A way that works, with a probe; nothing is left.
async fn a_way_that_works(account: &Account) -> Told {
    let before = names(&account.home);
    let told = run(account, &["--write"]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let mut steps = told.names();
    // Of some servers.
    steps.retain(|step| *step != "quirks");
    assert_eq!(steps, [&WAY[..], &["probe", "write"]].concat());
    let probe = told.of("probe");
    assert!(
        probe.contains(".s3-to-sftp-check.") && probe.contains(".part"),
        "{probe}"
    );
    assert!(
        told.of("host key").contains("as SSH_HOST_KEY says"),
        "{told:?}"
    );
    assert_eq!(names(&account.home), before, "nothing is left");
    told
}

#[tokio::test]
async fn an_embedded_server() {
    let server = SftpServer::start().await;
    let told = a_way_that_works(&server.account()).await;
    assert!(
        told.of("write").contains("posix-rename@openssh.com"),
        "{told:?}"
    );
    assert!(told.of("sftp").contains("fsync@openssh.com"), "{told:?}");
    assert!(!told.names().contains(&"quirks"), "{told:?}");
    let plain = SftpServer::builder()
        .extensions(Extensions::NONE)
        .start()
        .await;
    let told = a_way_that_works(&plain.account()).await;
    assert!(
        told.of("sftp")
            .starts_with("no extensions; 32487 bytes in a write"),
        "{told:?}"
    );
    assert_eq!(told.of("quirks"), "no-posix-rename, no-fsync");
    assert!(
        told.of("write").contains("bytes written, renamed, removed"),
        "{told:?}"
    );
}

/// People read it on a terminal while somebody is on the phone.
#[tokio::test]
async fn people_get_a_line_for_each_step() {
    let server = SftpServer::start().await;
    let account = server.account();
    let mut people = command(&account, &[]);
    people.env("SSH_DIR", "no/such directory");
    let output = timeout(SOON, people.output())
        .await
        .expect("in time")
        .expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).expect("text");
    let beginnings = [
        "ok    settings   ",
        "ok    name       127.0.0.1 is 127.0.0.1",
        &format!("ok    tcp        127.0.0.1:{} in ", account.port),
        "ok    ssh        SSH-2.0-",
        "ok    host key   ssh-ed25519 SHA256:",
        &format!("ok    login      {}, by password", account.username),
        "ok    sftp       ",
        "FAIL  directory  the directory no/such directory does not exist on the server",
        "      next: make the directory on the server, or correct SSH_DIR",
    ];
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), beginnings.len(), "{stdout}");
    for (line, beginning) in lines.iter().zip(beginnings) {
        assert!(line.starts_with(beginning), "{beginning}: {stdout}");
    }
    assert_eq!(
        server.requests_of(Operation::Mkdir).len(),
        0,
        "it only reads"
    );
    assert_eq!(
        server.requests_of(Operation::Open).len(),
        0,
        "it only reads"
    );
}

#[tokio::test]
async fn each_step_that_fails_says_what_to_do() {
    let server = SftpServer::start().await;
    let right = server.account();
    let fails = async |name: &'static str, value: &str, step: &str, texts: &[&str]| {
        let mut wrong = command(&right, &["--write"]);
        wrong.env("SSH_CONNECT_TIMEOUT", "1s").env(name, value);
        let told = told(wrong).await;
        told.assert_fails(step, texts);
        assert!(told.next.is_some(), "{told:?}");
    };
    fails(
        "SSH_HOST",
        "no-such-host.invalid",
        "name",
        &["no-such-host.invalid"],
    )
    .await;
    let closed = closed_port();
    fails("SSH_PORT", &closed.port().to_string(), "tcp", &["refused"]).await;
    let nobody = silent();
    fails(
        "SSH_PORT",
        &nobody.port().to_string(),
        "ssh",
        &["sent no SSH banner"],
    )
    .await;
    let other = SftpServer::builder().host_key_seed(4711).start().await;
    fails(
        "SSH_HOST_KEY",
        other.fingerprint(),
        "host key",
        &[server.fingerprint()],
    )
    .await;
    assert_eq!(server.credentials_sent(), 0);
    fails(
        "SSH_PASSWORD",
        WRONG,
        "login",
        &["refused the login", "password"],
    )
    .await;
    assert_eq!(server.credentials_sent(), 1);
    let none = SftpServer::builder()
        .no_subsystem()
        .host_key_seed(1)
        .start()
        .await;
    let told = run(&none.account(), &[]).await;
    told.assert_fails("sftp", &["refused SFTP"]);
    fails("SSH_DIR", "no/such", "directory", &["does not exist"]).await;
}

#[tokio::test]
async fn a_probe_that_is_refused_is_removed() {
    for (operation, request) in [
        (Operation::Open, "OPEN"),
        (Operation::Write, "WRITE"),
        (Operation::PosixRename, "posix-rename"),
    ] {
        let server = SftpServer::start().await;
        server.hook(every(operation, || {
            sftp::Action::refuse(status::PERMISSION_DENIED)
        }));
        let told = run(&server.account(), &["--write"]).await;
        told.assert_fails("write", &[request, "s3-to-sftp-check"]);
        assert!(told.next.is_some_and(|next| next.contains("write access")));
        assert_eq!(names(server.home()), [""; 0], "{request}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_pinned_is_shown_with_the_line_to_set() {
    let server = SftpServer::start().await;
    let mut unpinned = command(&server.account(), &[]);
    unpinned.env_remove("SSH_HOST_KEY");
    let told = told(unpinned).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let host_key = told.of("host key");
    let (_, line) = host_key.split_once("set SSH_HOST_KEY=").expect("a line");
    assert!(server.account().host_key.starts_with(line), "{told:?}");
    assert!(host_key.contains(server.fingerprint()), "{told:?}");
    assert_eq!(told.names(), WAY, "no probe is written unasked");
    assert_eq!(server.requests_of(Operation::Open).len(), 0);
}

async fn s3(keys: &[&str]) -> S3Server {
    let s3 = S3Server::start().await;
    s3.create_bucket("inbox");
    for key in keys {
        s3.put("inbox", key, "12345");
    }
    s3
}

#[tokio::test]
async fn what_may_be_done_in_s3_is_told_step_by_step() {
    let server = SftpServer::start().await;
    let in_s3 = async |s3: &S3Server, extra: &[(&str, &str)]| {
        let mut command = command(&server.account(), &["s3://inbox/acme/"]);
        command.envs(s3.env()).envs(extra.iter().copied());
        told(command).await
    };
    let store = s3(&["acme/a", "acme/b", "other"]).await;
    let well = in_s3(&store, &[]).await;
    assert_eq!(well.code, Some(0), "{well:?}");
    assert_eq!(
        well.names(),
        [&["settings", "list", "read", "delete"], &WAY[1..]].concat()
    );
    assert_eq!(well.of("list"), "2 objects below s3://inbox/acme/");
    assert_eq!(well.of("read"), "s3://inbox/acme/a, 5 bytes");
    assert_eq!(well.of("delete"), "sources may be deleted");
    let keeps = in_s3(&store, &[("S3_AFTER_DELIVERY", "keep")]).await;
    assert!(keeps.of("delete").contains("sources stay"), "{keeps:?}");
    store.create_bucket("archive");
    let moves = in_s3(&store, &[("S3_AFTER_DELIVERY", "move:s3://archive/done")]).await;
    assert_eq!(moves.of("delete"), "sources may be moved into the archive");
    assert_eq!(store.keys("inbox"), ["acme/a", "acme/b", "other"]);
    assert_eq!(store.keys("archive"), [""; 0]);

    for (operation, step, permission) in [
        ("ListObjectsV2", "list", "s3:ListBucket"),
        ("GetObject", "read", "s3:GetObject"),
        ("DeleteObject", "delete", "s3:DeleteObject"),
    ] {
        let store = s3(&["acme/a"]).await;
        store.hook(move |request| {
            if request.operation == operation {
                Action::access_denied()
            } else {
                Action::Pass
            }
        });
        let told = in_s3(&store, &[]).await;
        assert_eq!(told.code, Some(1), "{told:?}");
        let failed: Vec<&str> = told
            .steps
            .iter()
            .filter(|it| !it.1)
            .map(|it| it.0.as_str())
            .collect();
        assert_eq!(failed, [step], "{told:?}");
        assert!(
            told.next
                .as_ref()
                .is_some_and(|next| next.contains(&format!("role {permission}"))),
            "{told:?}"
        );
        assert_eq!(
            told.names().last(),
            Some(&"directory"),
            "the rest is looked at all the same"
        );
        assert_eq!(store.keys("inbox"), ["acme/a"]);
    }

    let missing = S3Server::start().await;
    let told = in_s3(&missing, &[]).await;
    assert_eq!(told.code, Some(1), "{told:?}");
    let (name, is_well, text) = &told.steps[1];
    assert!(
        name == "list" && !is_well && text.contains("inbox"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_place_that_is_none_could_not_start() {
    let server = SftpServer::start().await;
    for place in ["s3:/typo", "inbox", "s3://"] {
        let output = command(&server.account(), &[place])
            .output()
            .await
            .expect("runs");
        assert_eq!(output.status.code(), Some(2), "{place}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("expected s3://BUCKET/PREFIX"));
    }
    assert_eq!(server.connections(), 0);
}

/// What loses messages and cannot be found out here is said where people look for it.
#[tokio::test]
async fn the_help_tells_what_no_step_can_see() {
    let output = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"))
        .args(["check", "--help"])
        .output()
        .await
        .expect("runs");
    let help = String::from_utf8_lossy(&output.stdout);
    assert!(help.contains("ReportBatchItemFailures"), "{help}");
}
