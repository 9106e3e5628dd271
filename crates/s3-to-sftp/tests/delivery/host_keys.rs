//! Host keys and certificates as `ssh-keygen` makes them, shown by OpenSSH's sshd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use s3_to_sftp::error::Error;
use s3_to_sftp::receipt::Outcome;
use tempfile::TempDir;
use testkit::servers::Sshd;

use crate::promises::links::delivered;
use crate::world::World;

/// What an sshd of the last years has.
const TYPES: [(&str, &str); 5] = [
    ("ed25519", "256"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
    ("rsa", "2048"),
];

/// Every form in which a key is handed on, for each type, on a server that has a key of each type: it shows the one that
/// is pinned.
#[tokio::test]
async fn every_type_is_pinned_in_every_form() {
    let keys = Keygen::new();
    let hosts = TYPES.map(|(kind, bits)| keys.make(kind, bits));
    let lines: Vec<String> = hosts.iter().map(Key::line).collect();
    let world = world(&lines).await;
    let port = world.account.port;
    for key in &hosts {
        let line = format!("[127.0.0.1]:{port} {}", key.public());
        let forms = [
            key.fingerprint(),
            key.listing(),
            key.public(),
            key.public_without_comment(),
            line.clone(),
            keys.hashed(&line),
        ];
        for form in forms {
            assert_eq!(shown(&world, &form).await, key.fingerprint(), "{form}");
        }
    }
}

/// A partner announces the next key, or has a farm of servers behind one name.
#[tokio::test]
async fn two_keys_at_once_are_a_rotation() {
    let keys = Keygen::new();
    let [old, new, other] = [(); 3].map(|()| keys.make("ed25519", "256"));
    let both = format!("{}\n{}", old.public(), new.public());
    for key in [&old, &new] {
        let world = world(&[key.line()]).await;
        assert_eq!(shown(&world, &both).await, key.fingerprint());
    }
    let world = world(&[other.line()]).await;
    let error = refusal(&world, &both).await;
    assert_eq!(error.name(), "HostKeyMismatch");
    for key in [&old, &new, &other] {
        let report = error.report();
        assert!(report.contains(&key.fingerprint()), "{report}");
    }
}

#[tokio::test]
async fn a_line_for_another_host_does_not_count() {
    let keys = Keygen::new();
    let key = keys.make("ed25519", "256");
    let world = world(&[key.line()]).await;
    let (port, public) = (world.account.port, key.public());
    let line = format!("sftp.example.com,[127.0.0.1]:{} {public}", port ^ 1);
    for line in [keys.hashed(&line), line] {
        let problems = world.problems(&[("SSH_HOST_KEY", &line)]);
        assert!(
            problems.contains(&format!("no line is for [127.0.0.1]:{port}")),
            "{problems}"
        );
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused() {
    let keys = Keygen::new();
    let [stolen, other] = [(); 2].map(|()| keys.make("ed25519", "256"));
    let world = world(&[stolen.line()]).await;
    let public = stolen.public();
    let listed = format!("{public}\n* {}\n@revoked * {public}", other.public());
    let error = refusal(&world, &listed).await;
    assert_eq!(error.name(), "HostKeyRevoked");
    let report = error.report();
    assert!(
        report.contains(&stolen.fingerprint()) && report.contains("@revoked"),
        "{report}"
    );
}

#[tokio::test]
async fn a_host_certificate_of_a_pinned_authority_is_accepted() {
    let keys = Keygen::new();
    for (authority, kind) in [
        (("ed25519", "256"), ("ed25519", "256")),
        (("rsa", "2048"), ("rsa", "2048")),
        (("ecdsa", "384"), ("ecdsa", "521")),
    ] {
        let authority = keys.make(authority.0, authority.1);
        let key = keys.make(kind.0, kind.1);
        let certificate = keys.sign(
            &authority,
            &key,
            &["-h", "-n", "sftp.example.com,127.0.0.1"],
        );
        let world = world(&[key.line(), certificate]).await;
        let port = world.account.port;
        let pinned = format!("@cert-authority [127.0.0.1]:{port} {}", authority.public());
        assert_eq!(shown(&world, &pinned).await, key.fingerprint(), "{kind:?}");
        // The key of the authority is none of a host.
        let error = refusal(&world, &authority.public()).await;
        assert_eq!(error.name(), "HostKeyMismatch", "{kind:?}");
    }
}

#[tokio::test]
async fn a_host_certificate_that_proves_nothing_is_refused() {
    let keys = Keygen::new();
    let authority = keys.make("ed25519", "256");
    let here = ["-h", "-n", "127.0.0.1"];
    let expired = [&here[..], &["-V", "20200101:20200102"]].concat();
    let later = [&here[..], &["-V", "20990101:20990102"]].concat();
    for (arguments, expected) in [
        (&expired[..], "it was valid until 2020-01-02T"),
        (&later[..], "it is valid from 2099-01-01T"),
        (
            &["-h", "-n", "sftp.example.com"][..],
            "it is for \"sftp.example.com\", not for 127.0.0.1",
        ),
        (
            &["-h", "-n", "127.0.0.*"][..],
            "it is for \"127.0.0.*\", not for 127.0.0.1",
        ),
        (&["-h"][..], "it names no host"),
        (&["-n", "127.0.0.1"][..], "it is a user's certificate"),
    ] {
        let key = keys.make("ed25519", "256");
        let certificate = keys.sign(&authority, &key, arguments);
        let world = world(&[key.line(), certificate]).await;
        let pinned = format!("@cert-authority * {}", authority.public());
        let error = refusal(&world, &pinned).await;
        let report = error.report();
        assert_eq!(error.name(), "HostCertificateRefused", "{report}");
        assert!(report.contains(expected), "{expected}: {report}");
        assert!(report.contains(&authority.fingerprint()), "{report}");
        // The key is as good as ever where it is pinned itself.
        let both = format!("{pinned}\n{}", key.public());
        assert_eq!(shown(&world, &both).await, key.fingerprint(), "{report}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_none_is_refused() {
    let keys = Keygen::new();
    let [authority, foreign, key] = [(); 3].map(|()| keys.make("ed25519", "256"));
    let pinned = format!("@cert-authority * {}", authority.public());
    let certificate = keys.sign(&foreign, &key, &["-h", "-n", "127.0.0.1"]);
    for lines in [vec![key.line(), certificate], vec![key.line()]] {
        let world = world(&lines).await;
        let error = refusal(&world, &pinned).await;
        let report = error.report();
        assert_eq!(error.name(), "HostKeyMismatch", "{report}");
        let expected = format!(
            "expects a certificate signed by ssh-ed25519 {}",
            authority.fingerprint()
        );
        assert!(report.contains(&expected), "{report}");
        assert_eq!(
            report.contains(&foreign.fingerprint()),
            lines.len() == 2,
            "{report}"
        );
    }
}

/// What sshd itself has seen: the key exchange, and then the end. Not even the user's name was sent.
#[tokio::test]
async fn no_login_is_begun_with_an_openssh_that_has_another_key() {
    let keys = Keygen::new();
    let [pinned, other] = [(); 2].map(|()| keys.make("ed25519", "256"));
    let server = Sshd::start_with(&[&other.line(), "LogLevel DEBUG3"])
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let account = server.account();
    let world = World::new(account, ()).await;
    // By a key, over one connection; by a fingerprint, over two.
    for pin in [pinned.public(), pinned.fingerprint()] {
        let error = refusal(&world, &pin).await;
        assert_eq!(error.name(), "HostKeyMismatch");
    }
    let ended =
        |line: &str| line.contains("Connection closed by") || line.contains("Connection reset by");
    let waited = server
        .process()
        .wait_for_line(Duration::from_secs(20), ended)
        .await;
    waited.unwrap_or_else(|waited| panic!("{waited:?}\n{}", server.logs()));
    let logs = server.logs();
    assert!(
        logs.contains("SSH2_MSG_NEWKEYS sent"),
        "the key exchange was whole: {logs}"
    );
    for word in ["userauth-request", "SSH2_MSG_SERVICE", "ssh-userauth"] {
        assert!(!logs.contains(word), "{word}: {logs}");
    }
    // The same server tells of a login where there is one.
    assert_eq!(shown(&world, &other.public()).await, other.fingerprint());
    let logs = server.logs();
    assert!(logs.contains("userauth-request for user"), "{logs}");
}

async fn world(lines: &[String]) -> World {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let server = Sshd::start_with(&lines)
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    World::new(server.account(), server).await
}

/// The fingerprint of the key that the server has shown to a delivery that succeeded.
async fn shown(world: &World, pinned: &str) -> String {
    world.put("f", "content");
    let deliverer = world.deliverer(&[("SSH_HOST_KEY", pinned)]);
    delivered(world.deliver_by(&deliverer, "f").await)
        .server
        .host_key
}

async fn refusal(world: &World, pinned: &str) -> Error {
    world.put("f", "content");
    let deliverer = world.deliverer(&[("SSH_HOST_KEY", pinned)]);
    let Outcome::Failed(error) = world.deliver_by(&deliverer, "f").await else {
        panic!("{pinned} was accepted")
    };
    assert!(world.has_source("f"));
    error
}

/// `ssh-keygen`, and a directory for what it makes.
struct Keygen {
    directory: TempDir,
}

/// A pair: the private half is the file, the public one has `.pub` behind its name.
struct Key(PathBuf);

impl Keygen {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        let number = fs::read_dir(self.directory.path())
            .expect("it is there")
            .count();
        self.directory.path().join(format!("key-{number}"))
    }

    fn make(&self, kind: &str, bits: &str) -> Key {
        let path = self.path();
        ssh_keygen(
            &[
                "-q",
                "-t",
                kind,
                "-b",
                bits,
                "-N",
                "",
                "-C",
                "root at sftp",
                "-f",
            ],
            &path,
        );
        Key(path)
    }

    /// Makes a certificate, and gives sshd's line for it.
    fn sign(&self, authority: &Key, key: &Key, arguments: &[&str]) -> String {
        let authority = authority.0.to_str().expect("it is text");
        let arguments = [&["-q", "-s", authority, "-I", "test"], arguments].concat();
        ssh_keygen(&arguments, &key.file(".pub"));
        format!("HostCertificate {}", key.file("-cert.pub").display())
    }

    fn hashed(&self, line: &str) -> String {
        let path = self.path();
        fs::write(&path, format!("{line}\n")).expect("a new file can be written");
        ssh_keygen(&["-q", "-H", "-f"], &path);
        let hashed = fs::read_to_string(&path).expect("it is there");
        assert!(hashed.starts_with("|1|"), "{hashed}");
        hashed
    }
}

impl Key {
    fn line(&self) -> String {
        format!("HostKey {}", self.0.display())
    }

    fn file(&self, end: &str) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(end);
        name.into()
    }

    fn public(&self) -> String {
        let text = fs::read_to_string(self.file(".pub")).expect("it was made");
        text.trim_end().to_owned()
    }

    fn public_without_comment(&self) -> String {
        let public = self.public();
        public.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    fn listing(&self) -> String {
        ssh_keygen(&["-l", "-f"], &self.file(".pub"))
    }

    fn fingerprint(&self) -> String {
        let listing = self.listing();
        listing
            .split(' ')
            .nth(1)
            .expect("it is the second word")
            .to_owned()
    }
}

fn ssh_keygen(arguments: &[&str], path: &Path) -> String {
    let output = Command::new("ssh-keygen")
        .args(arguments)
        .arg(path)
        .output()
        .expect("ssh-keygen is there: apt-get install openssh-client");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("it writes text")
}
