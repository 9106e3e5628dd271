//! Keys that no login can be made with, as programs make them: a test per row. What can be told without programs is in
//! `../bad_input/private_key.rs`.

use super::made::{Kind, PASSPHRASE, Workshop};
use crate::bad_input::private_key::with_key;

/// The report of what cannot be used. It names what was set, says what to do, and shows nothing of the key.
async fn unusable(text: &str, passphrase: &str) -> String {
    let (name, report, _world) = with_key(Some(text), &[("SSH_PASSPHRASE", passphrase)]).await;
    assert_eq!(name, "PrivateKeyUnusable", "{report}");
    let (_, next) = report
        .split_once("; next: ")
        .unwrap_or_else(|| panic!("{report}"));
    assert!(
        next.contains("SSH_") || next.contains("ssh-keygen"),
        "{next}"
    );
    let lines = text
        .lines()
        .filter(|line| line.len() > 20 && !line.contains("---"));
    for line in lines {
        assert!(!report.contains(line), "{line} is shown: {report}");
    }
    assert!(
        passphrase.is_empty() || !report.contains(passphrase),
        "{report}"
    );
    report
}

const ENCRYPTED: [(Kind, &str); 6] = [
    (Kind::Ed25519, "openssh_encrypted"),
    (Kind::Rsa(2048), "pkcs1_encrypted"),
    (Kind::Ecdsa(256), "sec1_encrypted"),
    (Kind::Ecdsa(256), "pkcs8_encrypted"),
    (Kind::Ed25519, "ppk2_encrypted"),
    (Kind::Ed25519, "ppk3_encrypted"),
];

#[tokio::test]
async fn a_passphrase_that_is_missing() {
    for (kind, format) in ENCRYPTED {
        let text = Workshop::new().make(kind, format).private;
        let report = unusable(&text, "").await;
        assert!(
            report.contains("is encrypted, and SSH_PASSPHRASE is not set"),
            "{format}: {report}"
        );
    }
}

#[tokio::test]
async fn a_passphrase_that_is_wrong() {
    for (kind, format) in ENCRYPTED {
        let text = Workshop::new().make(kind, format).private;
        let report = unusable(&text, "guessed wrongly").await;
        assert!(
            report.contains("the passphrase in SSH_PASSPHRASE does not fit"),
            "{format}: {report}"
        );
    }
}

/// Where a format proves a passphrase by padding alone, one wrong one in 256 goes through it.
#[test]
fn a_wrong_passphrase_is_wrong_also_where_the_padding_fits() {
    use s3_to_sftp::secret::Secret;
    use s3_to_sftp::ssh::PrivateKey;
    use s3_to_sftp::ssh::private_key::PrivateKeyError;

    let text = Secret::new(
        Workshop::new()
            .make(Kind::Rsa(2048), "pkcs1_encrypted")
            .private,
    );
    for number in 0..2000 {
        let passphrase = Secret::new(format!("guess {number}"));
        let error = PrivateKey::parse(&text, Some(&passphrase)).expect_err("it is wrong");
        assert!(
            matches!(error, PrivateKeyError::PassphraseWrong),
            "{number}: {error:?}"
        );
    }
}

/// Half of it, with its last line and without.
#[tokio::test]
async fn a_key_of_any_format_that_is_cut_short() {
    for (kind, format) in [
        (Kind::Ed25519, "openssh"),
        (Kind::Rsa(2048), "pkcs1"),
        (Kind::Ecdsa(256), "sec1"),
        (Kind::Rsa(2048), "pkcs8"),
        (Kind::Rsa(2048), "pkcs8_encrypted"),
        (Kind::Ed25519, "ppk3"),
    ] {
        let text = Workshop::new().make(kind, format).private;
        let half = &text[..text.len() / 2];
        let report = unusable(half, PASSPHRASE).await;
        assert!(report.contains("cut short"), "{format}: {report}");

        let lines: Vec<&str> = text.lines().collect();
        let mut without_one = lines.clone();
        without_one.remove(lines.len() - 2);
        let report = unusable(&without_one.join("\n"), PASSPHRASE).await;
        assert!(report.contains("cut short"), "{format}: {report}");
    }
}

#[tokio::test]
async fn a_public_key_in_place_of_the_private_one() {
    let workshop = Workshop::new();
    let openssh = workshop.openssh(Kind::Rsa(2048));
    workshop.write("id.pub", &openssh);
    let rfc4716 = workshop.run("ssh-keygen", &["-e", "-m", "RFC4716", "-f", "id.pub"]);
    let pkcs8 = workshop.run("ssh-keygen", &["-e", "-m", "PKCS8", "-f", "id.pub"]);
    let pem = workshop.run("ssh-keygen", &["-e", "-m", "PEM", "-f", "id.pub"]);
    for text in [openssh.into_bytes(), rfc4716, pkcs8, pem] {
        let text = String::from_utf8(text).expect("text");
        let report = unusable(&text, "").await;
        assert!(report.contains("it is a public key"), "{report}");
    }
}

#[tokio::test]
async fn a_key_of_a_type_that_is_not_used() {
    let workshop = Workshop::new();
    let made = |program: &str, arguments: &[&str]| {
        workshop.run(program, arguments);
        let text = workshop.read("out");
        std::fs::remove_file(workshop.path("out")).expect("it is there");
        text
    };
    let empty = workshop.write("empty", "");
    let empty = empty.to_str().expect("text");
    let puttygen = |kind: &str, size: &str, format: &str| {
        let options = ["-q", "-t", kind, "-b", size, "-O", format, "-o", "out"];
        made(
            "puttygen",
            &[&options[..], &["--new-passphrase", empty]].concat(),
        )
    };
    for (text, what) in [
        (puttygen("dsa", "1024", "private"), "DSA"),
        (puttygen("dsa", "1024", "private-openssh"), "DSA"),
        (puttygen("dsa", "1024", "private-openssh-new"), "DSA"),
        (puttygen("ed448", "448", "private"), "ssh-ed448"),
        (
            made(
                "openssl",
                &["genpkey", "-algorithm", "ed448", "-out", "out"],
            ),
            "ed448",
        ),
        (
            made(
                "openssl",
                &["genpkey", "-algorithm", "x25519", "-out", "out"],
            ),
            "X25519",
        ),
        (
            made(
                "openssl",
                &["ecparam", "-name", "secp256k1", "-genkey", "-out", "out"],
            ),
            "secp256k1",
        ),
    ] {
        let report = unusable(&text, "").await;
        assert!(
            report.contains(&format!("of the type {what}"))
                || report.contains(&format!("of the type ECDSA on the curve {what}")),
            "{what}: {report}"
        );
    }
}

/// What sshd takes from 1024 bits on by itself, and many take from 2048 on.
#[tokio::test]
async fn an_rsa_key_below_2048_bits() {
    let workshop = Workshop::new();
    workshop.run("openssl", &["genrsa", "-traditional", "-out", "id", "1024"]);
    std::fs::set_permissions(
        workshop.path("id"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .expect("one's own file");
    for format in ["PEM", "PKCS8", "RFC4716"] {
        workshop.rewrite(format, "");
        let report = unusable(&workshop.read("id"), "").await;
        assert!(
            report.contains("the RSA key has 1024 bits"),
            "{format}: {report}"
        );
    }
    workshop.to_putty(&["--ppk-param", "version=3"]);
    let report = unusable(&workshop.read("id"), "").await;
    assert!(report.contains("the RSA key has 1024 bits"), "{report}");
}

/// Its sum covers the comment, too.
#[tokio::test]
async fn a_putty_key_that_was_changed() {
    for format in ["ppk2", "ppk3"] {
        let text = Workshop::new().make(Kind::Ed25519, format).private;
        let report = unusable(&text.replace("Comment: ", "Comment: mine "), "").await;
        assert!(report.contains("Private-MAC does not fit"), "{report}");
    }
}

/// It would end the process.
#[tokio::test]
async fn a_putty_key_that_asks_for_too_much_memory() {
    let text = Workshop::new()
        .make(Kind::Ed25519, "ppk3_encrypted")
        .private;
    let text = text.replace("Argon2-Memory: 8192", "Argon2-Memory: 4000000");
    let report = unusable(&text, PASSPHRASE).await;
    assert!(report.contains("takes 3906 MiB of memory"), "{report}");
}

/// OpenSSL 1.0 wrote PKCS#8 so, where it was not told otherwise.
#[tokio::test]
async fn a_key_that_is_encrypted_in_a_way_that_is_not_read() {
    let phrase = format!("pass:{PASSPHRASE}");
    let workshop = Workshop::new();
    workshop.openssh(Kind::Rsa(2048));
    workshop.rewrite("PKCS8", "");
    workshop.to_pkcs8(&["-v1", "PBE-SHA1-3DES", "-passout", &phrase]);
    let report = unusable(&workshop.read("id"), PASSPHRASE).await;
    assert!(
        report.contains("is encrypted by a way of PKCS#8 (not by PBES2)"),
        "{report}"
    );
    workshop.openssh(Kind::Rsa(2048));
    workshop.rewrite("PEM", "");
    workshop.by_openssl(&["rsa", "-traditional", "-camellia256", "-passout", &phrase]);
    let report = unusable(&workshop.read("id"), PASSPHRASE).await;
    assert!(
        report.contains("is encrypted by CAMELLIA-256-CBC"),
        "{report}"
    );
}

#[tokio::test]
async fn a_key_of_another_program() {
    let workshop = Workshop::new();
    workshop.openssh(Kind::Rsa(2048));
    let options = ["id", "-q", "-O", "private-sshcom", "-o", "out"];
    workshop.run("puttygen", &options);
    let report = unusable(&workshop.read("out"), "").await;
    assert!(report.contains("the format of ssh.com"), "{report}");

    let public = workshop.openssh(Kind::Ed25519);
    workshop.write("id.pub", &public);
    workshop.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    workshop.run("ssh-keygen", &["-q", "-s", "ca", "-I", "test", "id.pub"]);
    workshop.to_putty(&["--certificate", "id-cert.pub"]);
    let report = unusable(&workshop.read("id"), "").await;
    assert!(report.contains("with a certificate in it"), "{report}");
}
