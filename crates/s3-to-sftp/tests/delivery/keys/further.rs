//! What is not a cell of the table: other ciphers, keys whose numbers begin or end with zeros, odd line ends.

use russh::keys::PrivateKey as Pair;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use s3_to_sftp::secret::Secret;
use s3_to_sftp::ssh::PrivateKey;

use super::made::{Kind, Made, PASSPHRASE, Workshop};
use super::matrix::logs_in;

fn reads(text: &str) {
    let passphrase = Secret::new(PASSPHRASE.to_owned());
    let key = PrivateKey::parse(&Secret::new(text.to_owned()), Some(&passphrase));
    assert!(key.is_ok(), "{key:?} of\n{text}");
}

fn phrase() -> String {
    format!("pass:{PASSPHRASE}")
}

#[test]
fn every_cipher_of_an_encrypted_openssh_key_is_read() {
    for cipher in [
        "aes128-cbc",
        "aes192-cbc",
        "aes256-cbc",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ] {
        let workshop = Workshop::new();
        workshop.openssh(Kind::Ed25519);
        let options = [
            "-q", "-p", "-Z", cipher, "-P", "", "-N", PASSPHRASE, "-f", "id",
        ];
        workshop.run("ssh-keygen", &options);
        reads(&workshop.read("id"));
    }
}

/// Old PEM files say in a header how they are encrypted.
#[test]
fn every_cipher_of_an_old_pem_file_is_read() {
    for (kind, program) in [
        (Kind::Rsa(2048), &["rsa", "-traditional"][..]),
        (Kind::Ecdsa(256), &["ec"]),
    ] {
        for cipher in ["-aes128", "-aes192", "-aes256", "-des3"] {
            let workshop = Workshop::new();
            workshop.openssh(kind);
            workshop.rewrite("PEM", "");
            let options = [cipher, "-passout", &phrase()];
            workshop.by_openssl(&[program, &options].concat());
            let text = workshop.read("id");
            assert!(text.contains("Proc-Type: 4,ENCRYPTED"), "{text}");
            reads(&text);
        }
        // As ssh-keygen writes them, too.
        let workshop = Workshop::new();
        workshop.openssh(kind);
        workshop.rewrite("PEM", PASSPHRASE);
        reads(&workshop.read("id"));
    }
}

/// OpenSSL 1.0 took SHA-1 by itself, and guides of today still say `-v2 des3`.
#[test]
fn every_encryption_of_a_pkcs8_key_is_read() {
    for options in [
        &["-v2", "aes-128-cbc"][..],
        &["-v2", "aes-192-cbc"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"],
        &["-v2", "des3"],
        &["-v2", "des3", "-v2prf", "hmacWithSHA1"],
        &["-scrypt"],
    ] {
        let workshop = Workshop::new();
        workshop.openssh(Kind::Rsa(2048));
        workshop.rewrite("PKCS8", "");
        workshop.to_pkcs8(&[options, &["-passout", &phrase()]].concat());
        reads(&workshop.read("id"));
        // As ssh-keygen writes them, too.
        workshop.openssh(Kind::Ecdsa(384));
        workshop.rewrite("PKCS8", PASSPHRASE);
        reads(&workshop.read("id"));
    }
}

#[test]
fn every_way_to_derive_the_key_of_a_putty_file_is_read() {
    for kdf in ["argon2id", "argon2i", "argon2d"] {
        let workshop = Workshop::new();
        workshop.openssh(Kind::Ed25519);
        let phrase = workshop.write("phrase", PASSPHRASE);
        let phrase = phrase.to_str().expect("text");
        let parameters = format!("version=3,kdf={kdf},passes=2,memory=1024");
        workshop.to_putty(&["--ppk-param", &parameters, "--new-passphrase", phrase]);
        let text = workshop.read("id");
        assert!(text.to_lowercase().contains(kdf), "{text}");
        reads(&text);
    }
}

/// PuTTY writes a seed as it is; ssh-key takes it for a number, which does not begin with a needless zero.
#[tokio::test(flavor = "multi_thread")]
async fn ed25519_keys_with_zeros_at_their_ends_are_read_from_putty() {
    for (first, last) in [(0, 7), (7, 0), (0, 0), (0x80, 0xff)] {
        let mut seed = [7; 32];
        (seed[0], seed[31]) = (first, last);
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
        for version in ["version=2", "version=3"] {
            let workshop = Workshop::new();
            let public = put(&workshop, pair.clone());
            workshop.to_putty(&["--ppk-param", version]);
            let private = workshop.read("id");
            assert_eq!(
                russh::keys::decode_secret_key(&private, None).is_err(),
                first == 0,
                "where ssh-key reads them all, our own reading is not needed for this any more"
            );
            logs_in(&workshop, &Made { private, public }).await;
        }
    }
}

/// One in 512 keys of P-256 is a byte shorter in OpenSSH's format; ssh-key asks for all 32.
#[tokio::test(flavor = "multi_thread")]
async fn ecdsa_keys_whose_number_is_short_are_read() {
    // SEC1: version 1, the number, the curve; openssl adds the public half.
    let mut der = vec![0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
    der.extend_from_slice(&[0, 0]);
    der.extend_from_slice(&[7; 30]);
    der.extend_from_slice(&[0xa0, 0x0a, 0x06, 0x08]);
    der.extend_from_slice(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    let made = |by: &dyn Fn(&Workshop)| {
        let workshop = Workshop::new();
        workshop.write("id", "");
        std::fs::write(workshop.path("id"), &der).expect("it can be written");
        workshop.by_openssl(&["ec", "-inform", "DER"]);
        workshop.write("id", &workshop.read("id"));
        let public = workshop.run("ssh-keygen", &["-y", "-f", "id"]);
        by(&workshop);
        let private = workshop.read("id");
        let public = String::from_utf8(public).expect("text");
        (workshop, Made { private, public })
    };
    let (workshop, openssh) = made(&|it| it.rewrite("RFC4716", ""));
    assert!(
        russh::keys::decode_secret_key(&openssh.private, None).is_err(),
        "ssh-key reads it now: our own reading is not needed any more"
    );
    logs_in(&workshop, &openssh).await;
    let (workshop, encrypted) = made(&|it| it.rewrite("RFC4716", PASSPHRASE));
    logs_in(&workshop, &encrypted).await;
    for version in ["version=2", "version=3"] {
        let (workshop, putty) = made(&|it| it.to_putty(&["--ppk-param", version]));
        logs_in(&workshop, &putty).await;
    }
}

/// Puts a pair where programs convert it; gives the line of its public half.
fn put(workshop: &Workshop, pair: KeypairData) -> String {
    let pair = Pair::new(pair, "").expect("a pair");
    let text = pair.to_openssh(LineEnding::LF).expect("it has a text");
    workshop.write("id", &text);
    pair.public_key().to_openssh().expect("it has a text")
}

/// As editors, consoles and secret stores leave them.
#[test]
fn keys_are_read_whatever_their_line_ends() {
    for (kind, format) in [
        (Kind::Ed25519, "openssh"),
        (Kind::Ed25519, "openssh_encrypted"),
        (Kind::Rsa(2048), "pkcs1"),
        (Kind::Rsa(2048), "pkcs1_encrypted"),
        (Kind::Ecdsa(256), "sec1"),
        (Kind::Ecdsa(256), "pkcs8"),
        (Kind::Ecdsa(256), "pkcs8_encrypted"),
        (Kind::Ed25519, "ppk2"),
        (Kind::Ed25519, "ppk3_encrypted"),
    ] {
        let text = Workshop::new().make(kind, format).private;
        for odd in oddly(&text) {
            reads(&odd);
        }
    }
}

fn oddly(text: &str) -> Vec<String> {
    let trimmed = text.trim_end();
    let mut odd = vec![
        trimmed.to_owned(),
        format!("\n\n  \u{feff}{text}\n\n"),
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.replace('\n', "  \t\n"),
        text.replace('\n', "\n\n"),
        trimmed.replace('\n', "\\n"),
        text.replace('\n', "\\n"),
        text.replace('\n', "\\r\\n"),
        format!("\"{}\"", text.replace('\n', "\\n")),
        format!("'{trimmed}'"),
    ];
    // On one line, as a console makes it of what is pasted: where base64 alone stands between the two marks.
    if text.starts_with("-----") && !text.contains("Proc-Type") {
        odd.push(text.replace('\n', " "));
        odd.push(text.replace('\n', ""));
    }
    odd
}

/// `openssl ecparam` writes the curve before the key, and `openssl pkcs12` what it knows of it.
#[test]
fn what_stands_before_the_key_is_passed_over() {
    let workshop = Workshop::new();
    let options = ["ecparam", "-name", "prime256v1", "-genkey", "-out", "id"];
    workshop.run("openssl", &options);
    let text = workshop.read("id");
    assert!(text.contains("EC PARAMETERS"), "{text}");
    reads(&text);
    reads(&format!(
        "Bag Attributes\n    friendlyName: acme\nKey Attributes: <No Attributes>\n{text}"
    ));
}
