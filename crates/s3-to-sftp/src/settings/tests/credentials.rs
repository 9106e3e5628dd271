//! Passwords, keys, certificates, host keys, and where they may be taken from.

use super::*;

#[test]
fn passwords_are_taken_as_they_are() {
    for odd in [
        " p:w{}\\n ",
        "bucket:key",
        "arn:of:something",
        "s3:/x",
        "{\"Password\":\"x\"}",
        "-----BEGIN",
        "#",
        " ",
    ] {
        assert_eq!(here(settings(&[("SSH_PASSWORD", odd)]).password), odd);
    }
}

#[test]
fn a_password_may_be_a_reference_and_a_malformed_one_is_refused() {
    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme#Password";
    for reference in [
        SECRET,
        "s3://secrets/acme/password",
        "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/acme",
    ] {
        for name in ["SSH_PASSWORD", "SSH_PRIVATE_KEY"] {
            let read = settings(&[(name, reference)]);
            let value = if name == "SSH_PASSWORD" {
                read.password
            } else {
                read.private_key
            };
            let found = value.as_ref().and_then(SecretValue::reference);
            assert_eq!(found.map(ToString::to_string).as_deref(), Some(reference));
        }
    }
    for (value, hint) in [
        ("s3://secrets", "s3://bucket/key"),
        (
            "arn:aws:secretsmanager:us-east-1:123456789012:acme",
            "secret's name",
        ),
        ("arn:aws:ssm:us-east-1:1234:parameter/acme", "twelve digits"),
    ] {
        for name in ["SSH_PASSWORD", "SSH_PRIVATE_KEY", "SSH_SECRET"] {
            let text = problem(name, value);
            // It may be a password after all.
            assert!(text.contains(&format!("{name}=***: ")), "{text}");
            assert!(name == "SSH_SECRET" || text.contains(hint), "{text}");
        }
    }
}

#[test]
fn a_secret_fills_what_is_not_set() {
    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme";
    let alone = settings(&[
        ("SSH_SECRET", SECRET),
        ("SSH_USERNAME", ""),
        ("SSH_PASSWORD", ""),
    ]);
    assert_eq!(alone.secret.unwrap().as_str(), SECRET);
    assert!(alone.username.is_none() && alone.password.is_none());
    let beside = settings(&[("SSH_SECRET", SECRET)]);
    assert!(beside.secret.is_some() && beside.username.is_some() && beside.password.is_some());
    for value in ["acme", "{\"Password\":\"acme\"}"] {
        let text = problem("SSH_SECRET", value);
        assert!(
            text.contains("give `arn:") && !text.contains("acme"),
            "{text}"
        );
    }
    let text = problem("SSH_SECRET", &format!("{SECRET}#Password"));
    assert!(text.contains("leave out the `#`"), "{text}");
}

#[test]
fn private_keys_are_references_split_at_the_first_colon() {
    for (value, bucket, key) in [
        ("keys:id_ed25519", "keys", "id_ed25519"),
        ("keys:a:b/c:d", "keys", "a:b/c:d"),
        ("s3://keys/a/b", "keys", "a/b"),
    ] {
        let name = ObjectName {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        };
        let settings = settings(&[("SSH_PRIVATE_KEY", value), ("SSH_CERTIFICATE", value)]);
        for place in [settings.private_key, settings.certificate] {
            let found = place.as_ref().and_then(SecretValue::reference);
            assert_eq!(found, Some(&Reference::Object(name.clone())));
        }
    }
    for (value, hint) in [
        ("keys", "no `:`"),
        (":id", "empty"),
        ("keys:", "empty"),
        ("a/b:c", "cannot be a bucket"),
    ] {
        let text = problem("SSH_PRIVATE_KEY", value);
        assert!(
            text.contains(hint) && text.contains("give `bucket:key`"),
            "{value}: {text}"
        );
    }
    let text = problem("SSH_PRIVATE_KEY", "ssh-ed25519 AAAAC3 acme@example");
    assert!(text.contains("is a public key"), "{text}");
}

#[test]
fn keys_and_certificates_may_stand_in_the_setting_itself() {
    for value in [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nTOPSECRET",
        "-----BEGIN OPENSSH PRIVATE KEY-----\\nTOPSECRET\\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none",
    ] {
        let settings = settings(&[("SSH_PRIVATE_KEY", value)]);
        let place = settings.private_key;
        assert!(
            matches!(&place, Some(SecretValue::Here(text)) if text.expose() == value),
            "{place:?}"
        );
    }
    let line = "ssh-ed25519-cert-v01@openssh.com AAAAIHNz acme";
    let settings = settings(&[("SSH_PRIVATE_KEY", "keys:id"), ("SSH_CERTIFICATE", line)]);
    let place = settings.certificate;
    assert!(
        matches!(&place, Some(SecretValue::Here(text)) if text.expose() == line),
        "{place:?}"
    );
}

#[test]
fn what_is_no_certificate_is_told() {
    for (value, hint) in [
        ("ssh-ed25519 AAAAC3Nza acme", "nobody has signed"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nTOPSECRET",
            "is a private key",
        ),
        (
            "PuTTY-User-Key-File-3: ssh-rsa\nTOPSECRET",
            "is a private key",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nTOPSECRET",
            "no certificate of OpenSSH",
        ),
        ("TOPSECRET", "no `:`"),
    ] {
        let settings = [("SSH_PRIVATE_KEY", "keys:id"), ("SSH_CERTIFICATE", value)];
        let text = load(&settings).unwrap_err().to_string();
        assert!(text.contains(hint), "{text}");
        assert!(
            text.contains("SSH_CERTIFICATE=***") && !text.contains("TOPSECRET"),
            "{text}"
        );
    }
    let text = problem(
        "SSH_CERTIFICATE",
        "ssh-ed25519-cert-v01@openssh.com AAAAIHNz acme",
    );
    assert!(text.contains("without SSH_PRIVATE_KEY"), "{text}");
}

#[test]
fn a_key_in_the_place_of_its_reference_is_not_shown() {
    for value in ["ssh-ed25519 TOPSECRET", "TOPSECRET", "TOP/SECRET:x"] {
        let text = problem("SSH_PRIVATE_KEY", value);
        assert!(
            !text.contains("SECRET") && text.contains("SSH_PRIVATE_KEY=***"),
            "{text}"
        );
    }
}

const FINGERPRINT: &str = "SHA256:9UKdWn6jiUVBwGWo3gxZJSeFwkIFR1n5GLcGqR0NvDo";

const HOST_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP9EQAkm/JCk4rCrdiCvt29HGSzTRcr6LTz+JLWzIQYP";

#[test]
fn host_keys() {
    let expected = |more: &[(&str, &str)]| match settings(more).host_keys.unwrap() {
        TrustedHostKeys::Pinned(pinned) => pinned.expected(),
        at @ TrustedHostKeys::At(_) => panic!("{at:?}"),
    };
    assert_eq!(expected(&[("SSH_HOST_KEY", FINGERPRINT)]), FINGERPRINT);
    let line = format!("[sftp.example.com]:2222 {HOST_KEY}");
    assert_eq!(
        expected(&[("SSH_HOST_KEY", &line), ("SSH_PORT", "2222")]),
        format!("ssh-ed25519 {FINGERPRINT}")
    );
    assert!(problem("SSH_HOST_KEY", "MD5:16:27").contains("ssh-keygen"));
}

#[test]
fn host_keys_by_reference() {
    let at = |bucket: &str, key: &str| {
        Some(TrustedHostKeys::At(Reference::Object(ObjectName {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })))
    };
    for (value, expected) in [
        ("s3://keys/known_hosts", at("keys", "known_hosts")),
        (" s3://keys/a/b:c \n", at("keys", "a/b:c")),
    ] {
        assert_eq!(
            settings(&[("SSH_HOST_KEY", value)]).host_keys,
            expected,
            "{value}"
        );
    }
    for value in ["s3://keys", "s3://", "s3://keys/", "s3:///known_hosts"] {
        let text = problem("SSH_HOST_KEY", value);
        assert!(text.contains("s3://bucket/key"), "{text}");
    }
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:host-keys";
    let found = settings(&[("SSH_HOST_KEY", arn)]).host_keys;
    assert!(
        matches!(&found, Some(TrustedHostKeys::At(at)) if at.to_string() == arn),
        "{found:?}"
    );
}

#[test]
fn host_keys_of_another_server() {
    let line = format!("sftp.example.org {HOST_KEY}");
    let text = problem("SSH_HOST_KEY", &line);
    assert!(
        text.contains("no line is for sftp.example.com;") && text.contains("for sftp.example.org"),
        "{text}"
    );
    // It cannot be known for which server, where that is wrong itself; what cannot be read is told all the same.
    let wrong = |keys: &str| {
        let problems = load(&[("SSH_PORT", "0"), ("SSH_HOST_KEY", keys)]).unwrap_err();
        problems.iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(wrong(&line), ["SSH_PORT"]);
    assert_eq!(wrong("oops"), ["SSH_PORT", "SSH_HOST_KEY"]);
}

#[test]
fn a_private_key_for_a_host_key_is_not_shown() {
    let text = problem(
        "SSH_HOST_KEY",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----",
    );
    assert!(
        text.contains("is a private key") && !text.contains("c2VjcmV0"),
        "{text}"
    );
}
