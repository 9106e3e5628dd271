//! Lines of known_hosts: which servers they are for.

use super::*;

// Made by `ssh-keygen -H` of the plain names.
const HASHED: &str = "|1|JftTcyaxpeo63qNW4cj1FJPq/RY=|PcIVzns9XAE7ofAYOpJIXyqTwGk=";
const HASHED_2222: &str = "|1|Q96yvPypjE1HqNoJbwE2DlBjEEc=|Gk8mC4Pw0qoHyij5XfCtZxupZfM=";

fn counts(hosts: &str, host: &str, port: u16) -> bool {
    let read = Pinned::read(&format!("{hosts} {ED25519} comment"), host, port);
    match read {
        Ok(pinned) => accepts(&pinned, ED25519),
        Err(HostKeyError {
            problem: HostKeyProblem::NoneForHost { .. },
            ..
        }) => false,
        Err(error) => panic!("{error}: {hosts}"),
    }
}

#[test]
fn a_line_counts_for_the_servers_that_it_names() {
    for hosts in [
        HOST,
        "SFTP.Example.COM",
        "other.example.com,sftp.example.com,192.0.2.7",
        "*.example.com",
        "sftp.*",
        "*",
        "s?tp.example.com",
        "*.com,!www.example.com",
        "[sftp.example.com]:22",
        HASHED,
    ] {
        assert!(counts(hosts, HOST, 22), "{hosts}");
    }
    for hosts in [
        "example.com",
        "sftp.example.com.evil.example",
        "sftp",
        "sftpXexample.com",
        "192.0.2.7",
        "*.example.org",
        "s??tp.example.com",
        "*.example.com,!sftp.example.com",
        "!sftp.example.com,*",
        "!sftp.example.com",
        "[sftp.example.com]:2222",
        HASHED_2222,
    ] {
        assert!(!counts(hosts, HOST, 22), "{hosts}");
    }
}

#[test]
fn the_name_of_the_server_may_be_in_any_case() {
    assert!(counts(HOST, "SFTP.example.COM", 22));
    assert!(counts(HASHED, "SFTP.example.COM", 22));
}

#[test]
fn another_port_is_named_in_brackets() {
    for hosts in [
        "[sftp.example.com]:2222",
        "[*.example.com]:2222",
        "[sftp.example.com]:*",
        HASHED_2222,
        // Of the host alone: as ssh(1) does, where no line has the port.
        HOST,
        "*.example.com",
        HASHED,
    ] {
        assert!(counts(hosts, HOST, 2222), "{hosts}");
    }
    for hosts in [
        "[sftp.example.com]:22",
        "[sftp.example.com]:22222",
        "*,!sftp.example.com",
        "sftp.example.com,![sftp.example.com]:2222",
    ] {
        assert!(!counts(hosts, HOST, 2222), "{hosts}");
    }
    let both = format!("{HOST} {RSA}\n[{HOST}]:2222 {ED25519}");
    let pinned = Pinned::read(&both, HOST, 2222).unwrap();
    assert!(accepts(&pinned, ED25519));
    assert!(!accepts(&pinned, RSA), "a line has the port");
}

#[test]
fn addresses_are_names_too() {
    assert!(counts("2001:db8::1", "2001:db8::1", 22));
    assert!(counts("[2001:db8::1]:2222", "2001:DB8::1", 2222));
    assert!(counts("192.0.2.*", "192.0.2.7", 22));
}

/// Stars that could be taken in many ways take no time.
#[test]
fn patterns_are_matched_in_bounded_time() {
    let hosts = format!("{}x", "*a".repeat(200));
    assert!(!counts(&hosts, &"a".repeat(5_000), 22));
}

#[test]
fn nothing_for_this_server_says_for_whom_it_is() {
    let text = format!("a.example {ED25519}\n{HASHED_2222} {RSA}\n*.b.example,c {ECDSA}");
    let error = Pinned::read(&text, "sftp.example.org", 2022).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no line is for [sftp.example.org]:2022; the lines are for a.example, a hashed name, *.b.example,c. Correct \
         SSH_HOST or SSH_PORT, or the names before the keys"
    );
}

/// Files of known hosts are old, and hold what nobody reads any more.
#[test]
fn what_is_broken_in_lines_for_others_does_not_matter() {
    let others = "old.example ssh-dss AAAAB3NzaC1kc3M\nnew.example ssh-foo AAAAB3Nz\ncut.example ssh-rsa AAAA";
    let pinned = pinned(&format!("{others}\n{HOST} {ED25519}"));
    assert!(accepts(&pinned, ED25519));
    let error = Pinned::read(others, "cut.example", 22).unwrap_err();
    assert!(
        error.to_string().starts_with("line 3: the ssh-rsa key"),
        "{error}"
    );
}

#[test]
fn keys_without_names_are_for_the_server_of_the_settings() {
    let text = format!("other.example {RSA}\n{ED25519}");
    let pinned = pinned(&text);
    assert!(accepts(&pinned, ED25519) && !accepts(&pinned, RSA));
}

#[test]
fn a_revoked_key_is_refused_even_if_it_is_listed_elsewhere() {
    for text in [
        format!("{HOST} {ED25519}\n{RSA}\n@revoked * {ED25519}"),
        format!("@revoked {HOST} {ED25519}\n{ED25519}\n{RSA}"),
        format!("@revoked [{HOST}]:22 {ED25519}\n{ED25519_PRINT}\n{RSA}"),
        // A console that takes one line only.
        format!("{HOST} {RSA} a comment @revoked * {ED25519} another {HOST} {ED25519}"),
    ] {
        let pinned = pinned(&text);
        let refused = pinned.check(&key(ED25519).into(), SystemTime::now());
        assert_eq!(refused, Err(Distrust::Revoked), "{text}");
        assert!(accepts(&pinned, RSA), "{text}");
    }
    // For the host, whichever port is connected to.
    let text = format!("[{HOST}]:2222 {ED25519}\n@revoked {HOST} {ED25519}");
    let pinned = Pinned::read(&text, HOST, 2222).unwrap();
    assert!(!accepts(&pinned, ED25519));
    // And not for others.
    let text = format!("@revoked other.example {ED25519}\n{ED25519}");
    assert!(accepts(&super::pinned(&text), ED25519));
}

#[test]
fn nothing_but_revoked_keys_accepts_nothing() {
    let error = Pinned::read(&format!("@revoked * {ED25519}"), HOST, 22).unwrap_err();
    assert_eq!(
        error.to_string(),
        "all keys for sftp.example.com are `@revoked`; add the one that is accepted"
    );
}

#[test]
fn lines_that_a_console_has_joined_are_told_apart() {
    let text = format!("a.example {RSA} root@a {HOST} {ED25519} root@sftp b.example {ECDSA}");
    let pinned = pinned(&text);
    assert!(accepts(&pinned, ED25519));
    assert!(!accepts(&pinned, RSA) && !accepts(&pinned, ECDSA));
}

#[test]
fn markers_want_names_a_type_and_a_key() {
    for (text, expected) in [
        (
            format!("@cert-authority {ED25519}"),
            HostKeyProblem::NoHosts("@cert-authority"),
        ),
        (
            format!("@revoked {RSA}"),
            HostKeyProblem::NoHosts("@revoked"),
        ),
        (
            "@revoked".to_owned(),
            HostKeyProblem::LineCutShort("@revoked"),
        ),
        (
            "@revoked *".to_owned(),
            HostKeyProblem::LineCutShort("@revoked"),
        ),
        (
            "@revoked * ssh-rsa".to_owned(),
            HostKeyProblem::KeyMissing("ssh-rsa".to_owned()),
        ),
        (format!("@trusted * {RSA}"), HostKeyProblem::UnknownMarker),
        (
            format!("{ED25519} @revoked * {RSA}"),
            HostKeyProblem::MarkerInside("@revoked"),
        ),
        (
            format!("{ED25519_PRINT}, @cert-authority * {RSA}"),
            HostKeyProblem::MarkerInside("@cert-authority"),
        ),
    ] {
        assert_eq!(problem(&text), expected, "{text}");
    }
}

#[test]
fn a_hashed_name_that_is_cut_short_is_an_error() {
    for hosts in [
        "|1|",
        "|1|JftTcyaxpeo63qNW4cj1FJPq/RY=",
        "|2|a|b",
        "|1|a|",
        "|1|JftTcyaxpeo63qNW4cj1FJPq/RY=|AAAA",
        &HASHED[..59],
    ] {
        assert_eq!(
            problem(&format!("{hosts} {ED25519}")),
            HostKeyProblem::HashedName,
            "{hosts}"
        );
    }
}

/// An error is a line of a log, and a terminal must not obey it.
#[test]
fn no_error_holds_a_control_character_of_the_text() {
    let blob = "AAAAC3NzaC0bZDI1NTE5AAAAIP9EQAkm/JCk4rCrdiCvt29HGSzTRcr6LTz+JLWzIQYP";
    for text in [
        format!("evil\u{1b}[31m.example {ED25519}"),
        format!("{HOST} ssh\u{1b}[31m-cert-v01@openssh.com AAAA"),
        // Its own name of its type, inside.
        format!("{HOST} ssh-ed25519 {blob}"),
        format!("ssh-ed25519 {blob}"),
    ] {
        let error = Pinned::read(&text, HOST, 22).unwrap_err().to_string();
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}
