//! Which certificates are taken, refused, and refused before anything is sent. That one of each type of key logs in is
//! in the matrix.

use std::sync::Arc;

use testkit::servers::Sshd;
use testkit::sftp::SftpServer;

use super::made::{Kind, Workshop};
use super::matrix::trusting;
use crate::bad_input::failure;
use crate::promises::links::delivered;
use crate::world::World;

/// The key of an account, and who signs keys.
fn signed(options: &[&str]) -> Workshop {
    let workshop = Workshop::new();
    sign(&workshop, options);
    workshop
}

fn sign(workshop: &Workshop, options: &[&str]) {
    let public = workshop.openssh(Kind::Ed25519);
    workshop.write("id.pub", &public);
    workshop.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    let command = ["-q", "-s", "ca", "-I", "number seven"];
    workshop.run("ssh-keygen", &[&command[..], options, &["id.pub"]].concat());
}

async fn at_sshd(workshop: &Workshop, server: Sshd) -> World {
    let mut account = server.account();
    account.private_key = Some(workshop.read("id"));
    World::new(account, server).await
}

#[tokio::test]
async fn a_certificate_is_read_from_s3_and_from_the_setting() {
    let workshop = Workshop::new();
    workshop.run(
        "ssh-keygen",
        &["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "ca"],
    );
    let server = trusting(&workshop).await;
    let username = server.account().username;
    let public = workshop.openssh(Kind::Ed25519);
    workshop.write("id.pub", &public);
    // Signed by an RSA key this time.
    let sign = ["-q", "-s", "ca", "-I", "test", "-n", &username, "id.pub"];
    workshop.run("ssh-keygen", &sign);
    let certificate = workshop.read("id-cert.pub");
    let world = at_sshd(&workshop, server).await;
    world.s3.store().create_bucket("secrets");
    world
        .s3
        .store()
        .put("secrets", "certificate", certificate.clone());
    for (name, value) in [
        ("one", "secrets:certificate"),
        ("two", "s3://secrets/certificate"),
        ("three", certificate.as_str()),
        ("four", &format!("\r\n{}  \r\n", certificate.trim())),
    ] {
        world.put(name, "content");
        let deliverer = world.deliverer(&[("SSH_CERTIFICATE", value)]);
        delivered(world.deliver_by(&deliverer, name).await);
    }
}

/// A server may know its accounts by other names than a CA does.
#[tokio::test]
async fn a_certificate_for_another_principal_is_offered_and_told() {
    let workshop = signed(&["-n", "deploy,night\nshift"]);
    let server = trusting(&workshop).await;
    let username = server.account().username;
    let world = at_sshd(&workshop, server).await;
    let certificate = workshop.read("id-cert.pub");
    let extra = [("SSH_CERTIFICATE", certificate.as_str())];
    let (name, report) = failure(&world, &extra).await;
    assert_eq!(name, "LoginRefused");
    let told = format!(
        "ssh-ed25519-cert-v01@openssh.com \"number seven\" for deploy, night\\nshift and not for {username}"
    );
    assert!(report.contains(&told), "{report}");

    let principals = workshop.write("principals", "deploy\n");
    let server = super::matrix::sshd(&[
        &format!("TrustedUserCAKeys {}", workshop.path("ca.pub").display()),
        &format!("AuthorizedPrincipalsFile {}", principals.display()),
        "AuthorizedKeysFile none",
    ])
    .await;
    let world = at_sshd(&workshop, server).await;
    world.put("f", "content");
    delivered(world.deliver_by(&world.deliverer(&extra), "f").await);
}

/// The report of what nobody would take. The server is dialed meanwhile, and not a word is said to it.
async fn refused(workshop: &Workshop, certificate: &str) -> String {
    let server = Arc::new(SftpServer::builder().password(None).start().await);
    let mut account = server.account();
    account.private_key = Some(workshop.read("id"));
    let world = World::new(account, Arc::clone(&server)).await;
    world.s3.store().create_bucket("secrets");
    world
        .s3
        .store()
        .put("secrets", "certificate", certificate.to_owned());
    let (name, report) = failure(&world, &[("SSH_CERTIFICATE", "secrets:certificate")]).await;
    assert_eq!(name, "CertificateUnusable", "{report}");
    assert_eq!(server.identifications(), [""; 0], "{report}");
    assert!(
        report.contains("the certificate s3://secrets/certificate cannot be used")
            && report.contains("; next: ")
            && report.contains("SSH_"),
        "{report}"
    );
    report
}

#[tokio::test]
async fn a_certificate_that_has_expired() {
    let workshop = signed(&["-n", "acme", "-V", "20200101:20200102030405"]);
    let report = refused(&workshop, &workshop.read("id-cert.pub")).await;
    // ssh-keygen takes the times for local ones.
    assert!(report.contains("it was good until 2020-01-0"), "{report}");
}

#[tokio::test]
async fn a_certificate_whose_time_has_not_come() {
    let workshop = signed(&["-n", "acme", "-V", "+1d:+2d"]);
    let report = refused(&workshop, &workshop.read("id-cert.pub")).await;
    assert!(report.contains("is not valid before 2"), "{report}");
}

#[tokio::test]
async fn a_certificate_for_another_key() {
    let workshop = signed(&["-n", "acme"]);
    let certificate = workshop.read("id-cert.pub");
    workshop.openssh(Kind::Ecdsa(256));
    let report = refused(&workshop, &certificate).await;
    assert_eq!(report.matches("SHA256:").count(), 2, "{report}");
}

#[tokio::test]
async fn a_certificate_of_a_host() {
    let workshop = signed(&["-h", "-n", "sftp.example.com"]);
    let report = refused(&workshop, &workshop.read("id-cert.pub")).await;
    assert!(report.contains("a host's certificate"), "{report}");
}

#[tokio::test]
async fn a_certificate_that_is_cut_short() {
    let workshop = signed(&["-n", "acme"]);
    let whole = workshop.read("id-cert.pub");
    let report = refused(&workshop, &whole[..whole.len() / 2]).await;
    assert!(report.contains("cut short"), "{report}");
}

#[tokio::test]
async fn a_certificate_that_is_something_else() {
    let workshop = signed(&["-n", "acme"]);
    for (text, what) in [
        (
            workshop.read("id.pub"),
            "a public key that nobody has signed",
        ),
        (workshop.read("id"), "it is a private key"),
        (
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(),
            "X.509",
        ),
        ("hello".to_owned(), "no OpenSSH certificate"),
        (String::new(), "no OpenSSH certificate"),
    ] {
        let report = refused(&workshop, &text).await;
        assert!(report.contains(what), "{report}");
        let secret = workshop.read("id");
        let secret = secret.lines().nth(2).expect("a line of it");
        assert!(!report.contains(secret), "{report}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_missing() {
    let server = Arc::new(SftpServer::builder().password(None).start().await);
    let world = World::new(server.account(), Arc::clone(&server)).await;
    let (name, report) = failure(&world, &[("SSH_CERTIFICATE", "secrets:certificate")]).await;
    assert_eq!(name, "CertificateUnavailable", "{report}");
    assert!(
        report.contains("the certificate s3://secrets/certificate")
            && report.contains("SSH_CERTIFICATE"),
        "{report}"
    );
    assert_eq!(server.identifications(), [""; 0], "{report}");
}
