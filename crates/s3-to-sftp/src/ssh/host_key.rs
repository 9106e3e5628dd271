//! Host keys: which ones the settings pin, and whether the server's is one of them.

use std::fmt;

use russh::keys::ssh_key::{self, Algorithm, Fingerprint, HashAlg, PublicKey};

/// The host keys that `SSH_HOST_KEY` accepts. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKeys(Vec<Pin>);

impl HostKeys {
    /// Reads `SHA256:…` fingerprints and `ssh-ed25519 AAAA… [comment]` keys.
    ///
    /// Entries are separated by line breaks, commas or blanks; a `\n` of two characters is a line break
    /// too, since consoles and templates hand it through like that.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be read, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, HostKeyError> {
        let mut pins = Vec::new();
        for line in text.replace("\\n", "\n").lines() {
            parse_line(line, &mut pins)?;
        }
        if pins.is_empty() {
            return Err(HostKeyError::Empty);
        }
        Ok(Self(pins))
    }

    /// Whether the server's key is one of these.
    pub fn accepts(&self, key: &PublicKey) -> bool {
        let offered = sha256(key);
        self.0.iter().any(|pin| pin.fingerprint == offered)
    }

    /// The fingerprints that would have been accepted, for the error that shows them beside the server's.
    pub fn expected(&self) -> String {
        let all: Vec<String> = self.0.iter().map(Pin::to_string).collect();
        all.join(" or ")
    }

    /// The algorithms of the pinned keys, by the names that key exchange knows, to be preferred in it:
    /// a server with several keys else shows one that is not pinned. Fingerprints tell none.
    ///
    /// An RSA key stands for both of its SHA-2 signatures; SHA-1 (`ssh-rsa`) has to be asked for elsewhere.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let mut all = Vec::new();
        for algorithm in self.0.iter().filter_map(|pin| pin.algorithm.as_ref()) {
            for name in negotiated(algorithm) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
        all
    }
}

/// A key's fingerprint as `ssh-keygen -l` prints it, and as `SSH_HOST_KEY` takes it: `SHA256:…`.
pub fn fingerprint(key: &PublicKey) -> String {
    sha256(key).to_string()
}

/// Why `SSH_HOST_KEY` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyError {
    /// Nothing but separators.
    #[error("holds no host key; give `SHA256:…` fingerprints or keys like `ssh-ed25519 AAAA…`")]
    Empty,
    /// An MD5 fingerprint, which anybody can match with enough computers.
    #[error(
        "{0:?} is an MD5 fingerprint, which can be forged; \
         get the SHA256 one by `ssh-keyscan HOST | ssh-keygen -lf -`, and compare it with what your partner told you"
    )]
    Md5(String),
    /// Begins as a fingerprint and is none.
    #[error(
        "{0:?} is no fingerprint: after `SHA256:` come 43 characters of base64, as `ssh-keygen -l` prints them"
    )]
    Fingerprint(String),
    /// A line of a known_hosts file.
    #[error("leave out the host name {0:?}: begin with the key's type, like `ssh-ed25519 AAAA…`")]
    HostName(String),
    /// A type without its key.
    #[error("after {0:?} the key itself is missing: `{0} AAAA…`, all on one line")]
    KeyMissing(String),
    /// A type and something that is not its key.
    #[error(
        "the {algorithm} key cannot be read ({reason}); copy the whole line of the server's `.pub` file"
    )]
    Key {
        /// The type that stands before it.
        algorithm: String,
        /// What the parser found.
        reason: ssh_key::Error,
    },
    /// None of these.
    #[error("{0:?} is neither a `SHA256:…` fingerprint nor a key like `ssh-ed25519 AAAA…`")]
    Unknown(String),
}

/// One accepted key. A key is kept by its fingerprint: equal ones are equal keys, whatever their comments.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pin {
    fingerprint: Fingerprint,
    algorithm: Option<Algorithm>,
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.algorithm {
            Some(algorithm) => write!(f, "{algorithm} {}", self.fingerprint),
            None => write!(f, "{}", self.fingerprint),
        }
    }
}

fn parse_line(line: &str, pins: &mut Vec<Pin>) -> Result<(), HostKeyError> {
    let separator = |c: char| c.is_whitespace() || c == ',';
    let mut words = line
        .split(separator)
        .filter(|word| !word.is_empty())
        .peekable();
    // Whatever follows a key and begins no entry is its comment, which may hold blanks and commas.
    let mut in_comment = false;
    while let Some(word) = words.next() {
        if let Some(digest) = strip_prefix_ignoring_case(word, "SHA256:") {
            pins.push(parse_fingerprint(word, digest)?);
            in_comment = false;
        } else if is_md5(word) {
            return Err(HostKeyError::Md5(excerpt(word)));
        } else if KEY_TYPES.contains(&word) {
            let key = words
                .next()
                .ok_or_else(|| HostKeyError::KeyMissing(word.to_owned()))?;
            pins.push(parse_key(word, key)?);
            in_comment = true;
        } else if !in_comment {
            return Err(match words.peek() {
                Some(next) if KEY_TYPES.contains(next) => HostKeyError::HostName(excerpt(word)),
                _ => HostKeyError::Unknown(excerpt(word)),
            });
        }
    }
    Ok(())
}

/// The types of host keys that servers have. `ssh-dss` is here for its error: it is known, and not read.
const KEY_TYPES: [&str; 6] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-dss",
];

fn parse_fingerprint(word: &str, digest: &str) -> Result<Pin, HostKeyError> {
    // Go's and Java's tools print the base64 with its padding.
    let digest = digest.strip_suffix('=').unwrap_or(digest);
    let fingerprint = format!("SHA256:{digest}")
        .parse()
        .map_err(|_| HostKeyError::Fingerprint(excerpt(word)))?;
    Ok(Pin {
        fingerprint,
        algorithm: None,
    })
}

fn parse_key(algorithm: &str, key: &str) -> Result<Pin, HostKeyError> {
    let key = PublicKey::from_openssh(&format!("{algorithm} {key}")).map_err(|reason| {
        HostKeyError::Key {
            algorithm: algorithm.to_owned(),
            reason,
        }
    })?;
    Ok(Pin {
        fingerprint: sha256(&key),
        algorithm: Some(key.algorithm()),
    })
}

/// `MD5:16:27:…`, or the sixteen pairs alone, as OpenSSH printed them before 6.8.
fn is_md5(word: &str) -> bool {
    let digest = strip_prefix_ignoring_case(word, "MD5:");
    let mut pairs = digest.unwrap_or(word).split(':');
    digest.is_some()
        || (word.len() == 16 * 3 - 1
            && pairs.all(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit())))
}

fn strip_prefix_ignoring_case<'a>(word: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = word.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

fn negotiated(algorithm: &Algorithm) -> Vec<Algorithm> {
    match algorithm {
        Algorithm::Rsa { .. } => [HashAlg::Sha512, HashAlg::Sha256]
            .map(|hash| Algorithm::Rsa { hash: Some(hash) })
            .into(),
        other => vec![other.clone()],
    }
}

fn sha256(key: &PublicKey) -> Fingerprint {
    key.fingerprint(HashAlg::Sha256)
}

/// Enough of a word to find it again.
fn excerpt(word: &str) -> String {
    match word.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test that panics has failed, as it should"
    )]

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

    fn key(line: &str) -> PublicKey {
        PublicKey::from_openssh(line).unwrap()
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
        for text in [ED25519_PRINT, ED25519] {
            let keys = HostKeys::parse(text).unwrap();
            assert!(keys.accepts(&key(ED25519)), "{text}");
            assert!(!keys.accepts(&key(RSA)), "{text}");
            assert!(!keys.accepts(&key(ECDSA)), "{text}");
        }
    }

    #[test]
    fn the_comment_of_a_key_is_no_part_of_it() {
        let keys = HostKeys::parse(&format!("{ED25519} sftp.example.com, since 2024")).unwrap();
        assert!(keys.accepts(&key(ED25519)));
        assert_eq!(keys.expected(), format!("ssh-ed25519 {ED25519_PRINT}"));
    }

    #[test]
    fn several_are_separated_by_line_breaks_commas_or_blanks() {
        for separator in ["\n", "\r\n", ",", ", ", " ", "\\n", "\n\n", " ,\t"] {
            let text = format!("{ED25519_PRINT}{separator}{RSA_PRINT}{separator}{ECDSA}");
            let keys = HostKeys::parse(&text).unwrap();
            for line in [ED25519, RSA, ECDSA] {
                assert!(keys.accepts(&key(line)), "{text:?}");
            }
        }
        let two_keys = HostKeys::parse(&format!("{ED25519} first,{RSA} second")).unwrap();
        assert!(two_keys.accepts(&key(RSA)));
    }

    #[test]
    fn expected_lists_all_of_them() {
        let keys = HostKeys::parse(&format!("{ED25519}\n{RSA_PRINT}")).unwrap();
        assert_eq!(
            keys.expected(),
            format!("ssh-ed25519 {ED25519_PRINT} or {RSA_PRINT}")
        );
    }

    #[test]
    fn algorithms_come_from_keys_alone_and_once() {
        assert_eq!(HostKeys::parse(ED25519_PRINT).unwrap().algorithms(), []);
        let keys = HostKeys::parse(&format!("{RSA}\n{RSA}\n{ED25519}")).unwrap();
        let names: Vec<String> = keys.algorithms().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
    }

    #[test]
    fn padding_and_case_of_the_prefix_do_not_matter() {
        let keys = HostKeys::parse(&format!("{}=", ED25519_PRINT.replace("SHA", "sha"))).unwrap();
        assert!(keys.accepts(&key(ED25519)));
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
        ] {
            assert!(
                matches!(HostKeys::parse(text), Err(HostKeyError::Fingerprint(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn md5_is_refused_with_the_way_to_sha256() {
        for text in [
            "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
            "16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
        ] {
            let error = HostKeys::parse(text).unwrap_err();
            assert!(matches!(error, HostKeyError::Md5(_)), "{text}");
            assert!(error.to_string().contains("ssh-keygen -lf"), "{error}");
        }
    }

    #[test]
    fn a_known_hosts_line_is_refused_with_what_to_leave_out() {
        let error = HostKeys::parse(&format!("sftp.example.com {ED25519}")).unwrap_err();
        assert_eq!(error, HostKeyError::HostName("sftp.example.com".to_owned()));
        assert!(
            error.to_string().contains("leave out the host name"),
            "{error}"
        );
    }

    #[test]
    fn what_is_broken_or_foreign_says_what_is_expected() {
        for text in ["", " ,\n"] {
            assert_eq!(HostKeys::parse(text), Err(HostKeyError::Empty));
        }
        assert!(matches!(
            HostKeys::parse("ssh-ed25519"),
            Err(HostKeyError::KeyMissing(_))
        ));
        assert!(matches!(
            HostKeys::parse("ssh-ed25519 AAAA"),
            Err(HostKeyError::Key { .. })
        ));
        // The type written before the key has to be the type inside it.
        let swapped = ED25519.replace("ssh-ed25519", "ssh-rsa");
        assert!(matches!(
            HostKeys::parse(&swapped),
            Err(HostKeyError::Key { .. })
        ));
        let reference = HostKeys::parse("s3://bucket/known_hosts").unwrap_err();
        assert!(
            reference.to_string().contains("`SHA256:…` fingerprint"),
            "{reference}"
        );
        assert!(matches!(
            HostKeys::parse(&format!("{ED25519_PRINT} oops")),
            Err(HostKeyError::Unknown(_))
        ));
    }

    #[test]
    fn an_error_shows_an_excerpt_only() {
        let error = HostKeys::parse(&"ä".repeat(10_000)).unwrap_err();
        assert!(error.to_string().len() < 300);
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in r"(SHA256:|MD5:|ssh-rsa|AAAA|[ ,\n:]|\PC){0,8}") {
            if let Ok(keys) = HostKeys::parse(&text) {
                prop_assert!(!keys.expected().is_empty());
            }
        }
    }
}
