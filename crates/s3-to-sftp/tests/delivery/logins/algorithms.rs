//! Servers that have old algorithms only: refused with both lists, let in when they are asked for.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use s3_to_sftp::secret::Secret;
use s3_to_sftp::ssh::algorithms::{Kind, List};
use s3_to_sftp::ssh::{Algorithms, Connection, Credentials, Negotiated, PrivateKey, REKEY, Target};
use testkit::account::Account;
use testkit::servers::{ProFtpd, Rclone, Sshd};

use super::{BY_KEY, delivers};
use crate::bad_input::failure;
use crate::world::World;

async fn sshd(lines: &[&str]) -> (World, Arc<Sshd>) {
    let server = Sshd::start_with(lines).await;
    let server = Arc::new(server.unwrap_or_else(|missing| panic!("{missing}")));
    let world = World::new(server.account(), Arc::clone(&server)).await;
    (world, server)
}

/// A connection as a delivery makes it, by the account's key.
pub(super) fn target(account: &Account, algorithms: Algorithms) -> (Target, Credentials) {
    let target = Target {
        host: account.host.clone(),
        port: account.port,
        username: account.username.clone(),
        host_keys: None,
        algorithms,
        rekey_after: REKEY,
        connect_timeout: Duration::from_secs(10),
        stall_timeout: Duration::from_secs(30),
        inquiry: None,
    };
    let key = account.private_key.clone().expect("the account has a key");
    let credentials = Credentials {
        certificate: None,
        private_key: Some(PrivateKey::parse(&Secret::new(key), None).expect("a key")),
        password: None,
    };
    (target, credentials)
}

async fn negotiated(account: &Account, algorithms: Algorithms) -> Negotiated {
    let (target, credentials) = target(account, algorithms);
    let connection = Connection::open(&target, &credentials, None).await;
    let connection = connection.unwrap_or_else(|error| panic!("{error:?}"));
    connection.sftp().stat(".").await.expect("it answers");
    let negotiated = connection.negotiated();
    connection.close().await;
    negotiated
}

fn list(kind: Kind, text: &str) -> List {
    List::parse(kind, text).expect("a list")
}

/// Terrapin (CVE-2023-48795): both ends agree that no packet may be taken out. What is agreed on is what is fastest.
#[tokio::test]
async fn openssh_and_we_agree_on_the_best_with_a_strict_key_exchange() {
    let (world, server) = sshd(&["LogLevel DEBUG3"]).await;
    let negotiated = negotiated(&world.account, Algorithms::default()).await;
    assert!(negotiated.is_strict, "{negotiated:?}");
    assert!(
        server.logs().contains("will use strict KEX ordering"),
        "{}",
        server.logs()
    );
    assert_eq!(negotiated.cipher, "aes128-gcm@openssh.com");
    assert_eq!(negotiated.mac, None);
    assert_eq!(negotiated.host_key, "ssh-ed25519");
    assert!(
        ["mlkem768x25519-sha256", "curve25519-sha256"].contains(&&*negotiated.key_exchange),
        "{negotiated:?}"
    );
    assert_eq!(negotiated.exchanges, 1);
}

/// One by one, in a cipher that needs a MAC: nothing of the safe lists is there by name alone.
#[tokio::test]
async fn openssh_takes_every_safe_algorithm() {
    for kind in [Kind::KeyExchange, Kind::Ciphers, Kind::Macs] {
        // Debian's sshd has what OpenSSH 9.2 has.
        for name in kind.safe().iter().filter(|name| !is_missing(name)) {
            let mut algorithms = Algorithms {
                ciphers: list(Kind::Ciphers, "aes256-ctr"),
                ..Algorithms::default()
            };
            match kind {
                Kind::KeyExchange => algorithms.key_exchange = list(kind, name),
                Kind::Ciphers => algorithms.ciphers = list(kind, name),
                _ => algorithms.macs = list(kind, name),
            }
            let (world, _server) = sshd(&[]).await;
            let negotiated = negotiated(&world.account, algorithms).await;
            let found = match kind {
                Kind::KeyExchange => Some(negotiated.key_exchange),
                Kind::Ciphers => Some(negotiated.cipher),
                _ => negotiated.mac,
            };
            assert_eq!(found.as_deref(), Some(*name));
        }
    }
}

fn is_missing(name: &str) -> bool {
    let output = Command::new("ssh").args(["-Q", "kex"]).output();
    let kexes = String::from_utf8_lossy(&output.expect("ssh is there").stdout).into_owned();
    let is_exchange = Kind::KeyExchange.safe().contains(&name);
    is_exchange && !kexes.lines().any(|known| known == name)
}

#[tokio::test]
async fn openssh_with_old_algorithms_only_is_let_in_where_they_are_asked_for() {
    for (line, setting, value) in [
        (
            "KexAlgorithms diffie-hellman-group14-sha1",
            "SSH_KEX_ALGORITHMS",
            "+diffie-hellman-group14-sha1",
        ),
        (
            "KexAlgorithms diffie-hellman-group1-sha1",
            "SSH_KEX_ALGORITHMS",
            "+diffie-hellman-group1-sha1",
        ),
        (
            "KexAlgorithms diffie-hellman-group-exchange-sha1",
            "SSH_KEX_ALGORITHMS",
            "+diffie-hellman-group-exchange-sha1",
        ),
        ("Ciphers aes128-cbc", "SSH_CIPHERS", "+aes128-cbc"),
        ("Ciphers 3des-cbc", "SSH_CIPHERS", "+3des-cbc"),
        ("Ciphers aes256-cbc", "SSH_CIPHERS", "+aes256-cbc"),
    ] {
        let (world, _server) = sshd(&[line]).await;
        assert_refused_with_the_way_in(&world, setting, value).await;
        delivers(&world, &[BY_KEY, &[(setting, value)]].concat()).await;
    }
    // A MAC is used only with a cipher that has none.
    let lines = ["Ciphers aes128-ctr", "MACs hmac-sha1"];
    let (world, _server) = sshd(&lines).await;
    assert_refused_with_the_way_in(&world, "SSH_MACS", "+hmac-sha1").await;
    delivers(&world, &[BY_KEY, &[("SSH_MACS", "+hmac-sha1")]].concat()).await;
}

async fn assert_refused_with_the_way_in(world: &World, setting: &str, value: &str) {
    let (name, report) = failure(world, BY_KEY).await;
    assert_eq!(name, "NoCommonAlgorithm", "{report}");
    let theirs = value.trim_start_matches('+');
    assert!(report.contains(&format!("it offers {theirs};")), "{report}");
    assert!(
        report.contains(&format!("set {setting}={value}")),
        "{report}"
    );
    let ours = match setting {
        "SSH_CIPHERS" => Kind::Ciphers,
        "SSH_MACS" => Kind::Macs,
        "SSH_HOST_KEY_ALGORITHMS" => Kind::HostKeys,
        _ => Kind::KeyExchange,
    };
    assert!(report.contains(&ours.safe().join(", ")), "{report}");
}

/// The worst of them at once.
#[tokio::test]
async fn openssh_of_long_ago_is_let_in() {
    let directory = tempfile::tempdir().expect("a directory");
    let (host, public) = rsa_key(directory.path(), "host");
    let (user, _) = rsa_key(directory.path(), "user");
    let host_key = format!("HostKey {host}");
    let keys = format!("AuthorizedKeysFile {user}.pub");
    let lines = [
        host_key.as_str(),
        keys.as_str(),
        "HostKeyAlgorithms ssh-rsa",
        "PubkeyAcceptedAlgorithms ssh-rsa",
        "KexAlgorithms diffie-hellman-group14-sha1",
        "Ciphers 3des-cbc",
        "MACs hmac-sha1",
    ];
    let (mut world, server) = sshd(&lines).await;
    world.account.host_key = public;
    world.account.private_key = Some(fs::read_to_string(&user).expect("it was made"));
    let old = [
        ("SSH_KEX_ALGORITHMS", "+diffie-hellman-group14-sha1"),
        ("SSH_CIPHERS", "+3des-cbc"),
        ("SSH_MACS", "+hmac-sha1"),
    ];
    let without_host_keys = [BY_KEY, &old].concat();
    let (name, report) = failure(&world, &without_host_keys).await;
    assert_eq!(name, "NoCommonAlgorithm", "{report}");
    assert!(
        report.contains("set SSH_HOST_KEY_ALGORITHMS=+ssh-rsa"),
        "{report}"
    );
    let without_login = [
        &without_host_keys[..],
        &[("SSH_HOST_KEY_ALGORITHMS", "+ssh-rsa")],
    ]
    .concat();
    let (name, report) = failure(&world, &without_login).await;
    assert_eq!(name, "LoginRefused", "{report}");
    assert!(report.contains("publickey (rsa-sha2-512)"), "{report}");
    // This one says that it takes SHA-2, and does not: what comes first is what is used.
    let all = [&without_login[..], &[("SSH_PUBKEY_ALGORITHMS", "^ssh-rsa")]].concat();
    delivers(&world, &all).await;
    assert!(
        server.logs().contains("Accepted publickey"),
        "{}",
        server.logs()
    );
}

/// The path of a new key, and its public half.
pub(super) fn rsa_key(directory: &Path, name: &str) -> (String, String) {
    let path = directory.join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(&path)
        .status();
    assert!(made.expect("ssh-keygen is there").success());
    let public = fs::read_to_string(path.with_extension("pub")).expect("it was made");
    let key = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
    (path.to_str().expect("text").to_owned(), key)
}

/// A setting that takes the key's own type away is told without a login.
#[tokio::test]
async fn a_key_that_may_not_sign_is_not_offered() {
    let (world, server) = sshd(&[]).await;
    let rsa_only = [BY_KEY, &[("SSH_PUBKEY_ALGORITHMS", "rsa-sha2-512")]].concat();
    let (name, report) = failure(&world, &rsa_only).await;
    assert_eq!(name, "NoCommonAlgorithm", "{report}");
    assert!(
        report.contains("of type ssh-ed25519, and SSH_PUBKEY_ALGORITHMS allows rsa-sha2-512"),
        "{report}"
    );
    assert!(!server.logs().contains("Failed"), "{}", server.logs());
}

/// sshd says so where it has no group of the size that is asked for.
#[tokio::test]
async fn a_small_group_is_taken_where_group_exchange_is_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let moduli = directory.path().join("moduli");
    let known = fs::read_to_string("/etc/ssh/moduli").expect("openssh-server has it");
    // The fifth word is the size less one.
    let small = known
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("2047"));
    fs::write(&moduli, small.collect::<Vec<_>>().join("\n") + "\n").expect("written");
    let moduli = format!("ModuliFile {}", moduli.display());
    let lines = [
        moduli.as_str(),
        "KexAlgorithms diffie-hellman-group-exchange-sha256",
    ];
    let (world, server) = sshd(&lines).await;
    let asked = [(
        "SSH_KEX_ALGORITHMS",
        "^diffie-hellman-group-exchange-sha256",
    )];
    let refusals = || server.logs().matches("no suitable primes").count();
    delivers(&world, &[BY_KEY, &asked].concat()).await;
    assert_eq!(refusals(), 0, "{}", server.logs());
    // Without, sshd has no group, and takes the one that RFC 4253 has for such a case, of 8192 bits.
    delivers(&world, BY_KEY).await;
    assert_eq!(refusals(), 1, "{}", server.logs());
}

#[tokio::test]
async fn proftpd_and_go_agree_with_us() {
    let proftpd = ProFtpd::start_with(&[]).await;
    let proftpd = proftpd.unwrap_or_else(|missing| panic!("{missing}"));
    let found = negotiated(&proftpd.account(), Algorithms::default()).await;
    assert_eq!(found.key_exchange, "curve25519-sha256", "{found:?}");
    let rclone = Rclone::start().await;
    let rclone = rclone.unwrap_or_else(|missing| panic!("{missing}"));
    let found = negotiated(&rclone.account(), Algorithms::default()).await;
    assert!(found.cipher.contains("gcm"), "{found:?}");
}
