//! A test per cell of the table "formats × types" in docs/authentication.md; `authentication_in_docs.rs` compares the two.
//!
//! Each makes the key, and logs in with it to OpenSSH's sshd. The passphrase is set also where there is none to ask for:
//! it is ignored then, as by `ssh`.

use std::time::Duration;

use s3_to_sftp::secret::Secret;
use s3_to_sftp::ssh::{
    Algorithms, Certificate, Connection, Credentials, PrivateKey, REKEY, Target,
};
use testkit::account::Account;
use testkit::servers::Sshd;

use super::made::{Kind, Made, PASSPHRASE, Workshop};

macro_rules! cells {
    ($($module:ident of $kind:expr => $($format:ident)*;)*) => {
        $(mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $format() {
                    cell($kind, stringify!($format)).await;
                }
            )*
        })*
    };
}

cells! {
    rsa_2048 of Kind::Rsa(2048) => openssh openssh_encrypted pkcs1 pkcs1_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
    rsa_3072 of Kind::Rsa(3072) => openssh openssh_encrypted pkcs1 pkcs1_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
    rsa_4096 of Kind::Rsa(4096) => openssh openssh_encrypted pkcs1 pkcs1_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
    rsa_8192 of Kind::Rsa(8192) => openssh openssh_encrypted pkcs1 pkcs1_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
    ecdsa_256 of Kind::Ecdsa(256) => openssh openssh_encrypted sec1 sec1_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
    ecdsa_384 of Kind::Ecdsa(384) => openssh openssh_encrypted sec1 sec1_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
    ecdsa_521 of Kind::Ecdsa(521) => openssh openssh_encrypted sec1 sec1_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
    ed25519 of Kind::Ed25519 => openssh openssh_encrypted pkcs8 pkcs8_encrypted
        ppk2 ppk2_encrypted ppk3 ppk3_encrypted certificate;
}

async fn cell(kind: Kind, format: &str) {
    let workshop = Workshop::new();
    if format == "certificate" {
        let (credentials, server) = certified(&workshop, kind).await;
        log_in(&server.account(), &credentials).await;
        return;
    }
    let made = workshop.make(kind, format);
    let is_encrypted = PrivateKey::parse(&Secret::new(made.private.clone()), None).is_err();
    assert_eq!(is_encrypted, format.ends_with("_encrypted"), "{format}");
    logs_in(&workshop, &made).await;
}

/// The key is read, and OpenSSH's server takes it.
pub(super) async fn logs_in(workshop: &Workshop, made: &Made) {
    let passphrase = Secret::new(PASSPHRASE.to_owned());
    let key = PrivateKey::parse(&Secret::new(made.private.clone()), Some(&passphrase));
    let credentials = Credentials {
        private_key: Some(key.unwrap_or_else(|error| panic!("{error}: {error:?}"))),
        ..Credentials::default()
    };
    let taken = workshop.write("taken", &made.public);
    let server = sshd(&[&format!("AuthorizedKeysFile {}", taken.display())]).await;
    log_in(&server.account(), &credentials).await;
}

/// A key with a certificate, and a server that trusts who made it and knows no key.
async fn certified(workshop: &Workshop, kind: Kind) -> (Credentials, Sshd) {
    let public = workshop.openssh(kind);
    workshop.write("id.pub", &public);
    workshop.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    let server = trusting(workshop).await;
    let username = server.account().username;
    let sign = [
        "-q", "-s", "ca", "-I", "test", "-n", &username, "-V", "+1h", "id.pub",
    ];
    workshop.run("ssh-keygen", &sign);
    let certificate = Certificate::parse(&workshop.read("id-cert.pub"));
    let key = PrivateKey::parse(&Secret::new(workshop.read("id")), None);
    let credentials = Credentials {
        private_key: Some(key.expect("it is readable")),
        certificate: Some(certificate.expect("it is one")),
        password: None,
    };
    (credentials, server)
}

/// A server that lets in whom the key in `ca` has signed, and nobody else.
pub(super) async fn trusting(workshop: &Workshop) -> Sshd {
    let trusted = workshop.path("ca.pub");
    sshd(&[
        &format!("TrustedUserCAKeys {}", trusted.display()),
        "AuthorizedKeysFile none",
    ])
    .await
}

pub(super) async fn sshd(lines: &[&str]) -> Sshd {
    Sshd::start_with(lines)
        .await
        .unwrap_or_else(|missing| panic!("{missing}"))
}

async fn log_in(account: &Account, credentials: &Credentials) {
    let target = Target {
        algorithms: Algorithms::default(),
        rekey_after: REKEY,
        host: account.host.clone(),
        port: account.port,
        username: account.username.clone(),
        host_keys: None,
        connect_timeout: Duration::from_secs(20),
        stall_timeout: Duration::from_secs(60),
        inquiry: None,
    };
    match Connection::open(&target, credentials, None).await {
        Ok(connection) => connection.close().await,
        Err(error) => panic!("{error}: {error:?}"),
    }
}
