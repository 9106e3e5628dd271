use super::*;

fn warnings(more: &[(&str, &str)]) -> Vec<String> {
    load(more).unwrap().warnings
}

#[test]
fn near_misses_say_what_was_meant() {
    for (name, meant) in [
        ("SSH_HOSTNAME", "SSH_HOST?"),
        ("SSH_USER", "SSH_USERNAME?"),
        ("SSH_PASS", "SSH_PASSWORD?"),
        ("SSH_KEY", "SSH_PRIVATE_KEY?"),
        ("SSH_KEY_PASSPHRASE", "SSH_PASSPHRASE?"),
        ("SSH_CERT", "SSH_CERTIFICATE?"),
        ("SSH_DIRECTORY", "SSH_DIR?"),
        ("SSH_FILE_NAME", "SSH_FILENAME?"),
        ("SSH_KNOWN_HOSTS", "SSH_HOST_KEY?"),
        ("S3_PREFIX", "S3_STRIP_PREFIX?"),
        ("LOG_LEVEL", "LOGGING_LEVEL?"),
    ] {
        let warnings = warnings(&[(name, "TOPSECRET")]);
        assert_eq!(warnings.len(), 1, "{name}");
        assert!(
            warnings[0].starts_with(name) && warnings[0].ends_with(meant),
            "{}",
            warnings[0]
        );
        assert!(!warnings[0].contains("TOPSECRET"));
    }
    assert_eq!(warnings(&[("SSH_USER", "")]), [""; 0]);
}

#[test]
fn other_names_are_nobodys_business() {
    let sshd = [
        ("SSH_CONNECTION", "a"),
        ("SSH_TTY", "b"),
        ("SSH_AUTH_SOCK", "c"),
        ("SSH_CLIENT", "d"),
    ];
    assert_eq!(warnings(&sshd), [""; 0]);
}

#[test]
fn a_passphrase_without_a_key_does_nothing() {
    let passphrase = ("SSH_PASSPHRASE", "TOPSECRET");
    let told = warnings(&[passphrase]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("SSH_PASSPHRASE is set without SSH_PRIVATE_KEY"));
    assert!(!told[0].contains("TOPSECRET"));
    assert_eq!(
        warnings(&[passphrase, ("SSH_PRIVATE_KEY", "keys:id")]),
        [""; 0]
    );
}

#[test]
fn a_template_that_gives_all_one_name() {
    let warnings = warnings(&[("SSH_FILENAME", "{name}")]);
    assert!(warnings[0].contains("one name"), "{warnings:?}");
}

#[test]
fn what_direct_uploads_lose() {
    const DIRECT: (&str, &str) = ("SSH_UPLOAD", "direct");
    let alone = warnings(&[DIRECT]);
    assert_eq!(alone.len(), 1, "{alone:?}");
    assert!(alone[0].contains("half a file"), "{alone:?}");
    for choice in [
        ("SSH_ON_CONFLICT", "skip"),
        ("SSH_ON_CONFLICT", "fail"),
        ("SSH_VERIFY", "readback"),
    ] {
        assert_eq!(warnings(&[choice]), [""; 0]);
        let both = warnings(&[DIRECT, choice]);
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both[1].contains(choice.0), "{both:?}");
    }
    let all = [
        DIRECT,
        ("SSH_ON_CONFLICT", "skip"),
        ("SSH_VERIFY", "readback"),
    ];
    assert_eq!(warnings(&all).len(), 3);
}
