//! Every form in which host keys are written, and what is trusted by it. Certificates have tests of their own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod certificates;
mod lines;

use proptest::prelude::*;

use super::*;

// Made by ssh-keygen for these tests; the fingerprints are what `ssh-keygen -l` says of them.
const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP9EQAkm/JCk4rCrdiCvt29HGSzTRcr6LTz+JLWzIQYP";
const ED25519_PRINT: &str = "SHA256:9UKdWn6jiUVBwGWo3gxZJSeFwkIFR1n5GLcGqR0NvDo";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC10Slcz8xvKJB8y71wzoqn9x2XM9e5v3BPQJYsXHmpmCfUNdiwY1jvZYhnZpVnMZb4cwLIoKCve1tRmuY6rih7lcsNRTx43CtjG+1ea1+zNtTmjWngTQwQVPzzAAZsPORTXYfnnaWw/5YYyDjkqJTF67rP2R4sXRTNRem99jI9Bd2084yh/xUH+BpA3crG3JAgsxOOSV+nMU8ak3h5LR37GR6wD2ckOidJ7tGccfOWuSxmm6yIN6aX+J/seiB0I3PZi7SAuv4Av3bhK4ijePYae6hSLfGFNe0gSqfr9ZV1slp/wNkpnbaIFaaEcpJBhTdBXzNdC3JCZTIgNUKZjBCj";
const RSA_PRINT: &str = "SHA256:kNYMdd2zp3pFjQuxn5UNAMlkADUSOtDHoijCG1o0vhQ";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMY5JcCHry6zKy3t9+DCnAbplu7F6ZQVf75aHc6Z24GLrN4YSM2LZpisx7c+yjdVFIcvZ1kuR2R+ChGRp/K5o3Y=";
const ECDSA_PRINT: &str = "SHA256:CAePfYSG4DRXsOGXCOYuQ4IirI8mfRRpD74zLYNVk80";

const HOST: &str = "sftp.example.com";

fn key(line: &str) -> PublicKey {
    PublicKey::from_openssh(line).unwrap()
}

fn pinned(text: &str) -> Pinned {
    Pinned::read(text, HOST, 22).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

fn problem(text: &str) -> HostKeyProblem {
    Pinned::read(text, HOST, 22).unwrap_err().problem
}

fn accepts(pinned: &Pinned, line: &str) -> bool {
    pinned.check(&key(line).into(), SystemTime::now()).is_ok()
}

#[test]
fn a_fingerprint_is_what_ssh_keygen_prints() {
    for (line, print) in [
        (ED25519, ED25519_PRINT),
        (RSA, RSA_PRINT),
        (ECDSA, ECDSA_PRINT),
    ] {
        assert_eq!(fingerprint(&key(line)), print);
    }
}

#[test]
fn accepts_what_is_pinned_and_nothing_else() {
    let line = format!("{HOST} {ED25519}");
    for text in [ED25519_PRINT, ED25519, &line] {
        let pinned = pinned(text);
        assert!(accepts(&pinned, ED25519), "{text}");
        for other in [RSA, ECDSA] {
            let refused = pinned.check(&key(other).into(), SystemTime::now());
            assert_eq!(refused, Err(Distrust::Unknown), "{text}");
        }
    }
}

#[test]
fn the_comment_of_a_key_is_no_part_of_it() {
    let pinned = pinned(&format!("{ED25519} sftp.example.com, since 2024"));
    assert!(accepts(&pinned, ED25519));
    assert_eq!(pinned.expected(), format!("ssh-ed25519 {ED25519_PRINT}"));
}

#[test]
fn several_are_separated_by_line_breaks_commas_or_blanks() {
    for separator in ["\n", "\r\n", ",", ", ", " ", "\\n", "\n\n", " ,\t"] {
        let text = format!("{ED25519_PRINT}{separator}{RSA_PRINT}{separator}{ECDSA}");
        let pinned = pinned(&text);
        for line in [ED25519, RSA, ECDSA] {
            assert!(accepts(&pinned, line), "{text:?}");
        }
    }
    let two_keys = pinned(&format!("{ED25519} first,{RSA} second"));
    assert!(accepts(&two_keys, RSA));
}

#[test]
fn expected_lists_all_of_them() {
    let text = format!("{ED25519}\n{RSA_PRINT}\n@cert-authority * {ECDSA}");
    assert_eq!(
        pinned(&text).expected(),
        format!(
            "ssh-ed25519 {ED25519_PRINT} or {RSA_PRINT} or a certificate signed by \
             ecdsa-sha2-nistp256 {ECDSA_PRINT}"
        )
    );
}

/// The order in which a server is asked for its keys, and whether for certificates.
fn asked(pinned: &Pinned) -> (Vec<String>, bool) {
    let mut algorithms = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384"]
        .into_iter()
        .chain(["ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256"])
        .map(|name| Algorithm::new(name).unwrap())
        .collect();
    let certificates = pinned.put_in_order(&mut algorithms);
    assert!(certificates.is_empty() || certificates == algorithms);
    let names = algorithms.iter().map(ToString::to_string).collect();
    (names, !certificates.is_empty())
}

#[test]
fn the_types_of_pinned_keys_are_asked_for_first() {
    let (usual, _) = asked(&pinned(ED25519_PRINT));
    assert_eq!(usual[0], "ssh-ed25519");
    let (names, _) = asked(&pinned(RSA));
    assert_eq!(names[..3], ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
    let (names, _) = asked(&pinned(&format!("{ECDSA}\n{RSA}\n{RSA}")));
    assert_eq!(
        names[..3],
        ["ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"]
    );
    assert_eq!(names.len(), usual.len());
}

#[test]
fn a_certificate_is_asked_for_where_an_authority_is_pinned() {
    assert!(!asked(&pinned(RSA)).1);
    let (names, certificates) = asked(&pinned(&format!("@cert-authority * {RSA}")));
    assert!(certificates);
    assert_eq!(
        names[0], "ssh-ed25519",
        "the type of the authority says nothing"
    );
}

#[test]
fn types_that_were_passed_over_are_not_asked_for() {
    let mut pinned = pinned(ED25519_PRINT);
    let rsa = Algorithm::Rsa { hash: None };
    pinned.pass_over(&[Algorithm::Ed25519, rsa]);
    assert!(
        asked(&pinned)
            .0
            .iter()
            .all(|name| name.starts_with("ecdsa"))
    );
}

/// What `ssh-keygen -l` prints, and what our own errors do, tells the type: it is asked for then.
#[test]
fn a_fingerprint_with_its_type_is_as_good_as_a_key() {
    for (text, name) in [
        (format!("ssh-ed25519 {ED25519_PRINT}"), "ssh-ed25519"),
        (
            format!("256 {ED25519_PRINT} root@sftp (ED25519)"),
            "ssh-ed25519",
        ),
        (format!("2048 {RSA_PRINT} no comment (RSA)"), "rsa-sha2-512"),
        (
            format!("256 {ECDSA_PRINT} a b (ECDSA)"),
            "ecdsa-sha2-nistp256",
        ),
        (format!("384 {ECDSA_PRINT} (ECDSA)"), "ecdsa-sha2-nistp384"),
        (format!("521 {ECDSA_PRINT} (ECDSA)"), "ecdsa-sha2-nistp521"),
    ] {
        let pinned = pinned(&text);
        assert_eq!(asked(&pinned).0[0], name, "{text}");
        assert!(!pinned.may_be_of_any_type(), "{text}");
    }
    let listing = format!("256 {ED25519_PRINT} a (ED25519)\n2048 {RSA_PRINT} b (RSA)");
    assert!(!pinned(&listing).may_be_of_any_type());
    let alone = pinned(&format!("2048 {RSA_PRINT} without a type"));
    assert!(alone.may_be_of_any_type() && accepts(&alone, RSA));
}

#[test]
fn padding_and_case_of_the_prefix_do_not_matter() {
    let pinned = pinned(&format!("{}=", ED25519_PRINT.replace("SHA", "sha")));
    assert!(accepts(&pinned, ED25519));
}

#[test]
fn fingerprints_are_checked() {
    let short = &ED25519_PRINT[..ED25519_PRINT.len() - 1];
    let long = format!("{ED25519_PRINT}A");
    let not_base64 = ED25519_PRINT
        .replace("SHA256:", "SHA256:!")
        .split_at(50)
        .0
        .to_owned();
    for text in [
        short,
        long.as_str(),
        not_base64.as_str(),
        "SHA256:",
        "SHA256:ä",
        "ssh-rsa SHA256:",
        "256 SHA256: (ED25519)",
    ] {
        assert_eq!(problem(text), HostKeyProblem::Fingerprint, "{text}");
    }
}

#[test]
fn md5_is_refused_with_the_way_to_sha256() {
    for text in [
        "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
        "16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
        "2048 MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48 a (RSA)",
    ] {
        assert_eq!(problem(text), HostKeyProblem::Md5, "{text}");
    }
    assert!(HostKeyProblem::Md5.to_string().contains("ssh-keygen -lf"));
}

#[test]
fn what_is_broken_or_foreign_says_what_is_expected() {
    for text in ["", " ,\n", "# a comment\n\n  # another", "\u{feff}"] {
        assert_eq!(problem(text), HostKeyProblem::Empty, "{text:?}");
    }
    for text in ["ssh-ed25519", "sftp.example.com ssh-ed25519"] {
        let missing = HostKeyProblem::KeyMissing("ssh-ed25519".to_owned());
        assert_eq!(problem(text), missing, "{text}");
    }
    let half = &ED25519[..ED25519.len() / 2];
    // The type written before the key has to be the type inside it.
    let swapped = ED25519.replace("ssh-ed25519", "ssh-rsa");
    for text in ["ssh-ed25519 AAAA", "ssh-ed25519 ,", half, &swapped] {
        for text in [text.to_owned(), format!("{HOST} {text}")] {
            let problem = problem(&text);
            assert!(
                matches!(
                    problem,
                    HostKeyProblem::Key { .. } | HostKeyProblem::KeyMissing(_)
                ),
                "{text}: {problem:?}"
            );
        }
    }
    let dsa = "AAAAB3NzaC1kc3MAAACBAJ";
    assert_eq!(problem(&format!("ssh-dss {dsa}")), HostKeyProblem::Dsa);
    assert_eq!(
        problem(&format!("{HOST} ssh-dss {dsa}")),
        HostKeyProblem::Dsa
    );
    for kind in ["sk-ssh-ed25519@openssh.com", "ssh-foo"] {
        let unknown = HostKeyProblem::UnknownType(kind.to_owned());
        assert_eq!(problem(&format!("{kind} AAAAGnNr")), unknown);
        assert_eq!(problem(&format!("{HOST} {kind} AAAAGnNr")), unknown);
    }
    let certificate = problem("ssh-ed25519-cert-v01@openssh.com AAAAIHNz root@sftp");
    assert!(
        certificate.to_string().contains("@cert-authority HOSTS"),
        "{certificate}"
    );
    for text in [
        "oops",
        "s3://bucket/known_hosts",
        &format!("{ED25519_PRINT} oops"),
    ] {
        assert_eq!(problem(text), HostKeyProblem::Unknown, "{text}");
    }
}

#[test]
fn the_line_is_told_where_there_are_several() {
    let error = HostKeys::parse(&format!("# comment\n{ED25519}\noops")).unwrap_err();
    assert!(error.to_string().starts_with("line 3: "), "{error}");
    let error = HostKeys::parse("oops").unwrap_err();
    assert!(error.to_string().starts_with("is neither"), "{error}");
}

/// What stands behind a reference, or in the wrong variable, may be a secret.
#[test]
fn an_error_shows_no_word_that_is_not_known() {
    for text in [
        "hunter2",
        "hunter2 hunter2 hunter2",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nhunter2",
        &format!("{ED25519_PRINT} hunter2"),
        "|1|hunter2|hunter2 ssh-ed25519 AAAA",
        "ssh-ed25519 hunter2",
        "@hunter2",
        "@hunter2 * ssh-rsa AAAA",
        "@revoked hunter2",
        "@revoked * hunter2",
        "SHA256:hunter2",
        "MD5:hunter2",
    ] {
        let error = HostKeys::parse(text)
            .and_then(|keys| keys.of(HOST, 22))
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let error = HostKeys::parse(&format!("{} AAAA", "ä".repeat(10_000))).unwrap_err();
    assert!(error.to_string().len() < 300);
}

#[test]
fn a_private_key_and_other_forms_of_public_keys_are_known() {
    assert_eq!(
        problem("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n"),
        HostKeyProblem::PrivateKey
    );
    assert_eq!(
        problem("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----"),
        HostKeyProblem::Rfc4716
    );
}

proptest! {
    #[test]
    fn parsing_never_panics(
        text in r"(SHA256:|MD5:|ssh-rsa|AAAA|@revoked|@cert-authority|\|1\||256|\(RSA\)|[ ,\n:!*?#]|\PC){0,10}",
    ) {
        if let Ok(pinned) = Pinned::read(&text, HOST, 22) {
            prop_assert!(!pinned.expected().is_empty());
        }
    }
}
