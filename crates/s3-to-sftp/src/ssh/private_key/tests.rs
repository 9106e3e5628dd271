//! What needs no program. Keys of other programs are read in `tests/delivery/keys/`.

use proptest::prelude::*;
use russh::keys::ssh_encoding::base64::{Base64, Encoding};
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

use super::*;

const ENCRYPTED: &str = include_str!("../../../tests/keys/encrypted_ed25519");

fn parse(text: &str, passphrase: &str) -> Result<PrivateKey, PrivateKeyError> {
    let passphrase = Secret::new(passphrase.to_owned());
    PrivateKey::parse(&Secret::new(text.to_owned()), Some(&passphrase))
}

fn pair() -> ssh_key::PrivateKey {
    let pair = Ed25519Keypair::from_seed(&[7; 32]);
    ssh_key::PrivateKey::new(KeypairData::Ed25519(pair), "a comment").expect("a pair")
}

fn openssh() -> String {
    let text = pair().to_openssh(LineEnding::LF).expect("it has a text");
    text.to_string()
}

#[test]
fn what_was_written_is_read() {
    let key = parse(&openssh(), "").expect("it is a key");
    assert_eq!(
        key.0.public_key().key_data(),
        pair().public_key().key_data()
    );
    assert_eq!(format!("{key:?}"), "PrivateKey(ssh-ed25519)");
}

#[test]
fn a_key_of_rsa_8192_is_read_and_signs() {
    use russh::keys::signature::Signer;
    let key = parse(include_str!("../../../tests/keys/rsa_8192"), "").expect("it is a key");
    assert!(key.0.key_data().try_sign(b"a message").is_ok());
}

#[test]
fn an_encrypted_key_is_opened_by_its_passphrase_alone() {
    assert!(parse(ENCRYPTED, "passphrase").is_ok());
    let error = parse(ENCRYPTED, "passphrase ").expect_err("another one");
    assert!(
        matches!(error, PrivateKeyError::PassphraseWrong),
        "{error:?}"
    );
    let error = PrivateKey::parse(&Secret::new(ENCRYPTED.to_owned()), None).expect_err("none");
    assert!(
        matches!(error, PrivateKeyError::PassphraseMissing),
        "{error:?}"
    );
}

#[test]
fn line_breaks_as_two_characters_become_line_breaks() {
    assert_eq!(*unescaped("a\\nb\\r\\nc"), "a\nb\nc\n");
    // Where there are real ones, a backslash is one: PuTTY's comments may hold it.
    assert_eq!(*unescaped("Comment: C:\\new\nb\n"), "Comment: C:\\new\nb");
    assert_eq!(*unescaped(" \u{feff}a "), "a");
}

#[test]
fn no_error_shows_a_part_of_the_key() {
    let text = openssh();
    let secret = text.lines().nth(3).expect("a line of the private part");
    for end in (0..text.len()).step_by(7) {
        let Err(error) = parse(&text[..end], "hunter2") else {
            continue;
        };
        let shown = shown(&error);
        assert!(
            !shown.contains(&secret[..8]) && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}

/// An error and its causes, in both forms.
fn shown(error: &PrivateKeyError) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        shown += &format!(" {error} {error:?}");
        source = error.source();
    }
    shown
}

/// OpenSSH's format, its content changed.
fn changed(text: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let mut content = Base64::decode_vec(&base64).expect("it is base64");
    change(&mut content);
    armoured("OPENSSH PRIVATE KEY", &Base64::encode_string(&content))
}

fn armoured(label: &str, base64: &str) -> String {
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

/// The libraries quote a type that they do not know. In the private part, whatever stands there is private.
#[test]
fn no_error_shows_what_stands_in_the_place_of_a_type() {
    let text = changed(&openssh(), |content| {
        let mut places = (0..content.len()).filter(|at| content[*at..].starts_with(b"ssh-ed25519"));
        let at = places.next_back().expect("the type in the private part");
        content[at..at + 11].copy_from_slice(b"hunter2-\x1b[m");
    });
    let error = parse(&text, "").expect_err("no such type");
    let shown = shown(&error);
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// Ed25519 in PKCS#8, encrypted by scrypt with N = 2^40: a pebibyte of memory.
const SCRYPT: &str = "MIGXMFMGCSqGSIb3DQEFDTBGMCUGCSsGAQQB2kcECzAYBAikOHLDGTUFWQIGAQAAAAAAAgEIAgEBMB0GCWCGSAFlAwQBKgQQ\
    i7C+qCYYOoXCQ+68Zw3/xQRAWIxQkNxoKPtN5iFYNqbSiyfsNJV/NnbSJAXPEnoYircfsimMXxF12O3mKgy+Gr2I4i/NcASDvWeSdS4pbKh5+Q==";

/// The same with N = 0.
const SCRYPT_0: &str = "MIGSME4GCSqGSIb3DQEFDTBBMCAGCSsGAQQB2kcECzATBAikOHLDGTUFWQIBAAIBCAIBATAdBglghkgBZQMEASoEEIuwvqgm\
    GDqFwkPuvGcN/8UEQFiMUJDcaCj7TeYhWDam0osn7DSVfzZ20iQFzxJ6GIq3H7IpjF8Rddjt5ioMvhq9iOIvzXAEg71nknUuKWyoefk=";

/// Memory that is not there ends the process, and with it all that is on its way.
#[test]
fn a_key_that_asks_for_too_much_memory_is_refused() {
    let error = parse(&armoured("ENCRYPTED PRIVATE KEY", SCRYPT), "hunter2").expect_err("so much");
    assert!(shown(&error).contains("MiB of memory"), "{error}");
}

/// Nobody waits for it, and it would go on behind the last delivery.
#[test]
fn a_key_that_asks_for_too_many_rounds_is_refused() {
    let openssh = changed(ENCRYPTED, |content| {
        let mut places = (0..content.len()).filter(|at| content[*at..].starts_with(b"bcrypt"));
        // Its name, the length of what follows, and a salt of 16 bytes behind its length.
        let rounds = places.next().expect("the derivation") + 6 + 4 + 4 + 16;
        content[rounds..rounds + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    });
    let putty = PUTTY.replace("Argon2-Passes: 1", "Argon2-Passes: 4294967295");
    for text in [openssh, putty] {
        let error = parse(&text, "hunter2").expect_err("so many");
        assert!(shown(&error).contains("go on for minutes"), "{error}");
    }
}

#[test]
fn scrypt_without_a_cost_is_no_panic() {
    let text = armoured("ENCRYPTED PRIVATE KEY", SCRYPT_0);
    let error = parse(&text, "hunter2").expect_err("nothing at all");
    assert!(matches!(error, PrivateKeyError::Damaged(_)), "{error:?}");
}

const PUTTY: &str = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\nComment: c\nPublic-Lines: 1\n\
    AAAAC3NzaC1lZDI1NTE5AAAAIOpKbBXlZn0WTOdTJTSlPQ5gkvlP5YVcXbGJ3Dfxz0Nh\n\n\
    Key-Derivation: Argon2id\nArgon2-Memory: 8192\nArgon2-Passes: 1\nArgon2-Parallelism: 1\nArgon2-Salt: 0011223344556677\n\
    Private-Lines: 1\nAAAA\nPrivate-MAC: 00\n";

proptest! {
    /// What is damaged is refused, or was not what counts; it never panics.
    #[test]
    fn damage_is_no_panic(at in 0_usize..10_000, with in any::<char>(), which in 0_usize..3) {
        let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\nComment: c\nPublic-Lines: 2\n\
             AAAAC3NzaC1lZDI1NTE5AAAAIOpKbBXlZn0WTOdTJTSlPQ5gkvlP5YVcXbGJ3Dfxz0Nh\n\n\
             Key-Derivation: Argon2id\nArgon2-Memory: 8\nArgon2-Passes: 1\nArgon2-Parallelism: 1\nArgon2-Salt: 00ff\n\
             Private-Lines: 1\nAAAA\nPrivate-MAC: 00\n";
        let text = [openssh(), ENCRYPTED.to_owned(), putty.to_owned()];
        let mut chars: Vec<char> = text[which].chars().collect();
        let at = at % chars.len();
        chars[at] = with;
        let damaged: String = chars.into_iter().collect();
        _ = PrivateKey::parse(&Secret::new(damaged), None);
    }
}
