#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const KINDS: [Kind; 5] = [
    Kind::KeyExchange,
    Kind::HostKeys,
    Kind::Ciphers,
    Kind::Macs,
    Kind::PublicKeys,
];

fn names(kind: Kind, text: &str) -> Vec<&'static str> {
    List::parse(kind, text).unwrap().names().to_vec()
}

fn all(kind: Kind) -> BTreeSet<&'static str> {
    kind.safe().iter().chain(kind.old()).copied().collect()
}

/// A name that russh does not know would be left out of an offer without a word; one that it has and we do not could
/// not be asked for.
#[test]
fn russh_has_exactly_what_the_lists_name() {
    let less = |russh: &[&'static str], not: &[&str]| -> BTreeSet<&'static str> {
        let names = russh.iter().copied();
        names.filter(|name| !not.contains(name)).collect()
    };
    let kexes: Vec<_> = kex::ALL_KEX_ALGORITHMS.iter().map(|it| name(*it)).collect();
    assert_eq!(all(Kind::KeyExchange), less(&kexes, &["none"]));
    let ciphers: Vec<_> = cipher::ALL_CIPHERS.iter().map(|it| name(*it)).collect();
    assert_eq!(all(Kind::Ciphers), less(&ciphers, &["none", "clear"]));
    let macs: Vec<_> = mac::ALL_MAC_ALGORITHMS.iter().map(|it| name(*it)).collect();
    assert_eq!(all(Kind::Macs), less(&macs, &["none"]));
    for name in all(Kind::HostKeys) {
        let algorithm: Algorithm = name.parse().unwrap();
        assert_eq!(algorithm.to_string(), name);
        assert!(all(Kind::PublicKeys).contains(name));
    }
}

fn name<N: AsRef<str>>(name: &'static N) -> &'static str {
    name.as_ref()
}

#[test]
fn the_safe_lists_are_offered_whole_and_with_strict_key_exchange() {
    let preferred = Algorithms::default().preferred();
    assert_eq!(preferred.kex.len(), KEY_EXCHANGE.len() + 2);
    assert!(
        preferred
            .kex
            .contains(&kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT)
    );
    assert_eq!(preferred.key.len(), HOST_KEYS.len());
    assert_eq!(preferred.cipher.len(), CIPHERS.len());
    assert_eq!(preferred.mac.len(), MACS.len());
    assert_eq!(preferred.cipher[0], cipher::AES_128_GCM);
    for kind in KINDS {
        for old in kind.old() {
            assert!(!kind.safe().contains(old), "{old}");
        }
    }
}

#[test]
fn the_four_forms_of_a_list() {
    assert_eq!(names(Kind::Macs, "hmac-sha1"), ["hmac-sha1"]);
    let more = names(Kind::Ciphers, "+aes128-cbc, 3des-cbc,aes128-cbc");
    assert_eq!(more[..6], *CIPHERS);
    assert_eq!(more[6..], ["aes128-cbc", "3des-cbc"]);
    let first = names(Kind::Ciphers, "^aes128-ctr,3des-cbc");
    assert_eq!(first[..2], ["aes128-ctr", "3des-cbc"]);
    assert_eq!(first.len(), 7, "none twice");
    assert_eq!(names(Kind::Macs, "-*-etm@*,hmac-sha1"), MACS[2..]);
    assert_eq!(names(Kind::Ciphers, " -aes???-ctr "), CIPHERS[..3]);
    assert_eq!(names(Kind::HostKeys, "+ssh-rsa").last(), Some(&"ssh-rsa"));
}

#[test]
fn an_unknown_name_is_told_with_those_that_there_are() {
    for text in ["aes128-gcm", "+aes128-gcm", "-aes128-gcm", "^aes128-gcm"] {
        let error = List::parse(Kind::Ciphers, text).unwrap_err().to_string();
        assert!(
            error.contains("did you mean aes128-gcm@openssh.com?"),
            "{error}"
        );
        for name in all(Kind::Ciphers) {
            assert!(error.contains(name), "{error}");
        }
    }
    for (kind, text, meant) in [
        (Kind::Macs, "hmac-sha256", "hmac-sha2-256"),
        (Kind::Macs, "HMAC-SHA1", "hmac-sha1"),
        (Kind::Ciphers, "aes-128-cbc", "aes128-cbc"),
        (Kind::Ciphers, "3des", "3des-cbc"),
        (Kind::HostKeys, "rsa-sha-256", "rsa-sha2-256"),
        (Kind::PublicKeys, "ssh_rsa", "ssh-rsa"),
        (
            Kind::KeyExchange,
            "diffie-hellman-group14",
            "diffie-hellman-group14-sha1",
        ),
        (Kind::KeyExchange, "curve25519-sha265", "curve25519-sha256"),
    ] {
        let error = List::parse(kind, text).unwrap_err();
        let ListError::Unknown { meant: found, .. } = &error else {
            panic!("{error}");
        };
        assert!(found.contains(&meant), "{text}: {found:?}");
    }
    let error = List::parse(Kind::Ciphers, "none").unwrap_err().to_string();
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn what_is_no_list_says_why() {
    for text in ["+", "-", "^", ",", " + , "] {
        assert_eq!(List::parse(Kind::Macs, text), Err(ListError::Empty));
    }
    for text in ["hmac-*", "+*", "^aes*-cbc"] {
        let error = List::parse(Kind::Ciphers, text).unwrap_err();
        assert!(matches!(error, ListError::Pattern(_)), "{text}: {error}");
    }
    assert_eq!(List::parse(Kind::Macs, "-*"), Err(ListError::NothingLeft));
    let long = "x".repeat(100_000);
    let error = List::parse(Kind::Macs, &long).unwrap_err().to_string();
    assert!(error.len() < 500, "{}", error.len());
}

#[test]
fn whoever_names_group_exchange_accepts_the_smallest_group() {
    let smallest = |text: Option<&str>| {
        let mut algorithms = Algorithms::default();
        if let Some(text) = text {
            algorithms.key_exchange = List::parse(Kind::KeyExchange, text).unwrap();
        }
        let asked = format!("{:?}", algorithms.group_exchange());
        let smallest = algorithms.smallest_group();
        assert!(
            asked.contains(&format!("min_group_size: {smallest}")),
            "{asked}"
        );
        smallest
    };
    assert_eq!(smallest(None), 3072);
    assert_eq!(smallest(Some("+diffie-hellman-group14-sha1")), 3072);
    assert_eq!(smallest(Some("-curve*")), 3072);
    for sign in ["", "+", "^"] {
        for hash in ["sha256", "sha1"] {
            let text = format!("{sign}diffie-hellman-group-exchange-{hash}");
            assert_eq!(smallest(Some(&text)), 2048, "{text}");
        }
    }
}

#[test]
fn an_rsa_key_signs_with_sha_1_only_where_that_is_asked_for() {
    let (sha512, sha256) = (Some(HashAlg::Sha512), Some(HashAlg::Sha256));
    let with = |text: &str| Algorithms {
        public_keys: List::parse(Kind::PublicKeys, text).unwrap(),
        ..Algorithms::default()
    };
    let safe = Algorithms::default();
    assert_eq!(safe.rsa_hash(None), Some(sha512));
    assert_eq!(safe.rsa_hash(Some(sha512)), Some(sha512));
    assert_eq!(safe.rsa_hash(Some(sha256)), Some(sha256));
    assert_eq!(safe.rsa_hash(Some(None)), None);
    let old = with("+ssh-rsa");
    assert_eq!(old.rsa_hash(None), Some(None), "a server that says nothing");
    assert_eq!(old.rsa_hash(Some(sha512)), Some(sha512));
    assert_eq!(old.rsa_hash(Some(None)), Some(None));
    assert_eq!(with("rsa-sha2-256").rsa_hash(Some(sha512)), Some(sha256));
    assert_eq!(with("rsa-sha2-512").rsa_hash(Some(sha256)), None);
    for text in ["ssh-rsa", "^ssh-rsa"] {
        // A server that lists more than it takes.
        assert_eq!(with(text).rsa_hash(Some(sha512)), Some(None));
    }
    assert_eq!(with("ssh-ed25519").rsa_hash(None), None);
    let rsa = Algorithm::Rsa { hash: None };
    assert!(safe.allows(&rsa) && safe.allows(&Algorithm::Ed25519));
    assert!(!with("ssh-ed25519").allows(&rsa));
    assert!(!with("-*ed25519").allows(&Algorithm::Ed25519));
}

proptest! {
    #[test]
    fn a_list_is_never_empty_and_holds_none_twice(text in r"[+^-]?([a-z0-9*?,@.-]|aes128-ctr|hmac-sha1|ssh-rsa|\PC){0,12}") {
        for kind in KINDS {
            if let Ok(list) = List::parse(kind, &text) {
                let unique: BTreeSet<_> = list.names().iter().collect();
                prop_assert!(!unique.is_empty());
                prop_assert_eq!(unique.len(), list.names().len());
            }
        }
    }
}
