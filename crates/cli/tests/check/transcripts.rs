//! What `check` tells of each real server, right and wrong in each step, word by word: `transcripts/`.
//!
//! `WRITE_EXPECTED=1 cargo test -p s3-to-sftp-cli --features real-servers --test check transcripts` writes anew, to be looked
//! through. What differs from run to run is masked: ports, keys, times, versions, temporary directories.

use std::env;
use std::fmt::Write as _;
use std::path::Path;

use testkit::servers::asyncssh::{Logins, Serves};
use testkit::servers::{AsyncSsh, Missing, ProFtpd, Rclone, Sshd, Transfer};

use super::*;

const PLACE: &str = "s3://inbox/acme/";

/// No key has it.
const OTHER_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[track_caller]
fn there<T>(server: Result<T, Missing>) -> T {
    server.unwrap_or_else(|missing| panic!("{missing}"))
}

/// A title, the account, and what is wrong: with the settings, or in S3.
struct Case<'a> {
    title: &'a str,
    account: Account,
    wrong: Vec<(&'a str, String)>,
    place: &'a str,
    /// What S3 does not permit.
    denied: Option<&'static str>,
}

/// What is wrong whichever server it is.
fn usual<'a>(account: &Account, closed: u16, silent: u16) -> Vec<Case<'a>> {
    let cases = [
        ("all is right", vec![]),
        (
            "a setting that is none",
            vec![("SSH_PORT", "ssh".to_owned())],
        ),
        (
            "a name that nobody has",
            vec![("SSH_HOST", "no-such-host.invalid".to_owned())],
        ),
        (
            "a port where nobody listens",
            vec![("SSH_PORT", closed.to_string())],
        ),
        (
            "a port where nobody speaks",
            vec![("SSH_PORT", silent.to_string())],
        ),
        (
            "no cipher in common",
            vec![("SSH_CIPHERS", "3des-cbc".to_owned())],
        ),
        (
            "another host key",
            vec![("SSH_HOST_KEY", OTHER_KEY.to_owned())],
        ),
        ("no host key pinned", vec![("SSH_HOST_KEY", String::new())]),
        (
            "an account that nobody has",
            vec![("SSH_USERNAME", "nobody-of-this-name".to_owned())],
        ),
        (
            "a directory that is not there",
            vec![("SSH_DIR", "/no/such".to_owned())],
        ),
    ];
    let settings = cases.into_iter().map(|(title, wrong)| Case {
        wrong,
        ..case(title, account.clone())
    });
    let denials = [
        ("a bucket that may not be listed", "ListObjectsV2"),
        ("an object that may not be read", "GetObject"),
        ("sources that may not be deleted", "DeleteObject"),
    ];
    let denials = denials.map(|(title, operation)| Case {
        denied: Some(operation),
        ..case(title, account.clone())
    });
    let no_bucket = Case {
        place: "s3://no-such-bucket/",
        ..case("a bucket that is not there", account.clone())
    };
    settings.chain(denials).chain([no_bucket]).collect()
}

async fn said(case: &Case<'_>, s3: &S3Server) -> String {
    if let Some(denied) = case.denied {
        s3.hook(move |request| {
            if request.operation == denied {
                Action::access_denied()
            } else {
                Action::Pass
            }
        });
    }
    let mut command = command(&case.account, &["--write", case.place]);
    command.envs(s3.env()).env("SSH_CONNECT_TIMEOUT", "1s");
    for (name, value) in &case.wrong {
        command.env(name, value);
    }
    let output = timeout(SOON, command.output())
        .await
        .expect("in time")
        .expect("runs");
    testkit::secrets::output("s3-to-sftp", &output);
    s3.clear_hooks();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let mut said = format!("# {}\n", case.title);
    said += &text(output.stdout);
    said += &text(output.stderr);
    let status = output.status.code().expect("it ends by itself");
    writeln!(said, "exit status {status}\n").expect("text");
    said
}

/// Between `from` and the next of `to`, wherever that is.
fn masked(text: &str, from: &str, to: &[char], mask: impl Fn(&str) -> String) -> String {
    let mut parts = text.split(from);
    let mut done = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (own, rest) = part.split_at(part.find(to).unwrap_or(part.len()));
        done += from;
        done += &mask(own);
        done += rest;
    }
    done
}

fn without_digits(text: &str) -> String {
    let mut done = String::new();
    for character in text.chars() {
        if !character.is_ascii_digit() {
            done.push(character);
        } else if !done.ends_with('#') {
            done.push('#');
        }
    }
    done
}

fn comparable(said: &str, account: &Account) -> String {
    let key = account.host_key.split(' ').nth(1).unwrap_or_default();
    let mut said = said.replace(key, "KEY");
    // Others see their home as their root.
    if account.home != Path::new("/") {
        said = said.replace(account.home.to_str().expect("its name is text"), "HOME");
    }
    let said = if account.username == "acme" {
        said
    } else {
        said.replace(
            &format!("login      {}", account.username),
            "login      USER",
        )
        .replace(&format!("login of {}", account.username), "login of USER")
    };
    let said = masked(&said, "127.0.0.1:", &[' ', ',', ';', ':', '\n'], |_| {
        "PORT".to_owned()
    });
    let said = masked(&said, "SHA256:", &[' ', ',', ';', '"', '\n'], |own| {
        let is_other = OTHER_KEY.ends_with(own);
        if is_other {
            own.to_owned()
        } else {
            "FINGERPRINT".to_owned()
        }
    });
    let said = masked(&said, "SSH-2.0-", &['\n'], |own| {
        let (version, rest) = own.split_once(" at ").unwrap_or((own, ""));
        format!("{} at {rest}", without_digits(version))
    });
    let said = masked(&said, "s3-to-sftp-check.", &['.'], |_| "NONCE".to_owned());
    let said = masked(&said, "PORT in ", &[' '], |_| "#".to_owned());
    said.lines()
        .map(|line| match line.split_once(" bytes in a write, ") {
            Some((limits, handles)) => {
                format!("{limits} bytes in a write, {}\n", without_digits(handles))
            }
            None => format!("{line}\n"),
        })
        .collect()
}

/// Each case in turn, against what is expected of this server.
async fn assert_transcript(name: &str, cases: Vec<Case<'_>>) {
    let s3 = s3(&["acme/a"]).await;
    let mut found = String::new();
    for case in &cases {
        let before = names(&case.account.home);
        found += &comparable(&said(case, &s3).await, &case.account);
        assert_eq!(names(&case.account.home), before, "{}", case.title);
    }
    assert_eq!(s3.keys("inbox"), ["acme/a"]);
    let file = format!("tests/check/transcripts/{name}.txt");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("WRITE_EXPECTED").is_some() {
        fs::write(&path, &found).expect("it can be written");
    }
    let expected = fs::read_to_string(&path).expect("it is there");
    for (found, expected) in found.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

fn case(title: &str, account: Account) -> Case<'_> {
    Case {
        title,
        account,
        wrong: Vec::new(),
        place: PLACE,
        denied: None,
    }
}

/// Its private key, and the account of another.
fn wrong_key(account: Account, of: &Account) -> Case<'static> {
    let account = Account {
        private_key: of.private_key.clone(),
        ..account
    };
    case("a key that the server does not know", account)
}

fn wrong_password(account: Account) -> Case<'static> {
    Case {
        wrong: vec![("SSH_PASSWORD", WRONG.to_owned())],
        ..case("a wrong password", account)
    }
}

#[tokio::test]
async fn openssh() {
    let server = there(Sshd::start().await);
    let without = there(Sshd::start_with(&["Subsystem sftp /bin/false"]).await);
    let talks = there(Sshd::start_with(&["ForceCommand echo Welcome to Acme"]).await);
    let reads = there(Sshd::start_with(&["ForceCommand internal-sftp -R"]).await);
    let (closed, silent) = (closed_port(), silent());
    let mut cases = usual(&server.account(), closed.port(), silent.port());
    cases.extend([
        wrong_key(server.account(), &without.account()),
        case("an account without SFTP", without.account()),
        case("a shell that talks before SFTP", talks.account()),
        case("an account that may not write", reads.account()),
    ]);
    assert_transcript("openssh", cases).await;
}

#[tokio::test]
async fn proftpd() {
    let ciphers = "SFTPCiphers aes256-ctr";
    let server = there(ProFtpd::start_with(&[ciphers]).await);
    let without = there(ProFtpd::start_with(&[ciphers, "Protocols scp"]).await);
    let denies = "<Limit WRITE>\nDenyAll\n</Limit>";
    let reads = there(ProFtpd::start_with(&[ciphers, denies]).await);
    let (closed, silent) = (closed_port(), silent());
    let mut cases = usual(&server.account(), closed.port(), silent.port());
    cases.extend([
        wrong_password(server.account()),
        case("an account without SFTP", without.account()),
        case("an account that may not write", reads.account()),
    ]);
    assert_transcript("proftpd", cases).await;
}

#[tokio::test]
async fn rclone() {
    let server = there(Rclone::start().await);
    let reads = there(Rclone::start_read_only().await);
    let (closed, silent) = (closed_port(), silent());
    let mut cases = usual(&server.account(), closed.port(), silent.port());
    cases.extend([
        wrong_password(server.account()),
        case("an account that may not write", reads.account()),
    ]);
    assert_transcript("rclone", cases).await;
}

#[tokio::test]
async fn asyncssh() {
    let serving = async |serves| {
        let logins = Logins {
            serves,
            ..Logins::default()
        };
        there(AsyncSsh::start(logins).await)
    };
    let server = serving(Serves::Sftp).await;
    let without = serving(Serves::Nothing).await;
    let reads = serving(Serves::ReadOnly).await;
    let (closed, silent) = (closed_port(), silent());
    let mut cases = usual(&server.account(), closed.port(), silent.port());
    cases.extend([
        wrong_password(server.account()),
        case("an account without SFTP", without.account()),
        case("an account that may not write", reads.account()),
    ]);
    assert_transcript("asyncssh", cases).await;
}

#[tokio::test]
async fn transfer() {
    let server = there(Transfer::start().await);
    let (closed, silent) = (closed_port(), silent());
    let account = server.account();
    let other = there(Sshd::start().await);
    let mut cases = usual(&account, closed.port(), silent.port());
    cases.push(wrong_key(account, &other.account()));
    assert_transcript("transfer", cases).await;
    let (s3, bucket) = server.bucket();
    let left = s3.list_objects_v2().bucket(bucket).send().await;
    assert_eq!(left.expect("listed").contents(), [], "nothing is left");
}
