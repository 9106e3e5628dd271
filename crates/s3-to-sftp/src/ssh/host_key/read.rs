//! Text becomes entries, in every form in which host keys are handed on.

use std::fmt;
use std::iter::Peekable;

use russh::keys::ssh_key::{Algorithm, EcdsaCurve, Fingerprint, HashAlg, PublicKey};

use super::error::{HostKeyError, HostKeyProblem};
use super::hosts::Hosts;
use crate::ssh::foreign::excerpt;

/// One key, with what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it stands, for an error about it.
    pub(super) line: Option<usize>,
    pub(super) role: Role,
    /// None is every server: there is one that the settings name.
    pub(super) hosts: Option<Hosts>,
    /// What cannot be read is an error only if it is for the server that is asked about: files of known hosts are old.
    pub(super) pin: Result<Pin, HostKeyProblem>,
}

/// What a key is listed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A host's own.
    Host,
    /// `@cert-authority`: it signs the certificates of hosts.
    Authority,
    /// `@revoked`: never accepted, as neither.
    Revoked,
}

/// A key by its fingerprint: equal ones are equal keys, whatever their comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) fingerprint: Fingerprint,
    /// Fingerprints alone do not tell.
    pub(super) algorithm: Option<Algorithm>,
}

impl Pin {
    pub(super) fn of(key: &PublicKey) -> Self {
        Self {
            fingerprint: key.fingerprint(HashAlg::Sha256),
            algorithm: Some(key.algorithm()),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(algorithm) = &self.algorithm {
            write!(f, "{algorithm} ")?;
        }
        write!(f, "{}", self.fingerprint)
    }
}

/// Reads all of them. A `\n` of two characters is a line break too, since consoles and templates hand it through like
/// that.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, HostKeyError> {
    let whole = |problem| HostKeyError {
        line: None,
        problem,
    };
    if text.contains("PRIVATE KEY") || text.contains("PuTTY-User-Key-File") {
        return Err(whole(HostKeyProblem::PrivateKey));
    }
    if text.contains("BEGIN SSH2 PUBLIC KEY") {
        return Err(whole(HostKeyProblem::Rfc4716));
    }
    let text = text.trim_start_matches('\u{feff}').replace("\\n", "\n");
    let has_several_lines = text.lines().filter(|line| !line.trim().is_empty()).count() > 1;
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let number = has_several_lines.then_some(index + 1);
        let fields: Vec<&str> = line.split_whitespace().collect();
        let read = if is_of_known_hosts(&fields) {
            known_hosts(&fields, number, &mut entries)
        } else {
            keys(line, number, &mut entries)
        };
        read.map_err(|problem| HostKeyError {
            line: number,
            problem,
        })?;
    }
    if entries.is_empty() {
        return Err(whole(HostKeyProblem::Empty));
    }
    Ok(entries)
}

const AUTHORITY: &str = "@cert-authority";
const REVOKED: &str = "@revoked";

/// The types of host keys that servers have. `ssh-dss` is here for its error: it is known, and not read.
const KEY_TYPES: [&str; 6] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-dss",
];

/// How every key begins in base64: with the length of its type's name, which is below 2^16.
const KEY_BEGINS: &str = "AAAA";

/// A marker, or names of hosts and then a type.
fn is_of_known_hosts(fields: &[&str]) -> bool {
    match fields {
        [first, ..] if first.starts_with('@') => true,
        [first, ..] if begins_keys(first) => false,
        [_, kind, ..] if KEY_TYPES.contains(kind) => true,
        [_, _, key, ..] => key.starts_with(KEY_BEGINS),
        _ => false,
    }
}

/// Whether a field begins fingerprints or keys without names before them.
fn begins_keys(field: &str) -> bool {
    let word = field.split(',').find(|word| !word.is_empty());
    word.is_none_or(|word| KEY_TYPES.contains(&word) || sha256(word).is_some() || is_md5(word))
}

/// `[@marker] hosts type key [comment]`, and perhaps more of them behind it: where a console takes one line only, it
/// makes blanks of the line breaks. A marker that is taken for a comment would be a revoked key that is accepted.
fn known_hosts(
    mut fields: &[&str],
    line: Option<usize>,
    entries: &mut Vec<Entry>,
) -> Result<(), HostKeyProblem> {
    while !fields.is_empty() {
        let marker = marker(fields[0])?;
        if marker.is_some() {
            fields = &fields[1..];
        }
        let name = marker.map(|(name, _)| name);
        let (hosts, kind) = match (fields, name) {
            ([kind, ..], Some(name)) if KEY_TYPES.contains(kind) => {
                return Err(HostKeyProblem::NoHosts(name));
            }
            ([] | [_], Some(name)) => return Err(HostKeyProblem::LineCutShort(name)),
            ([hosts, kind, ..], _) => (Hosts::parse(hosts)?, *kind),
            ([] | [_], None) => return Err(HostKeyProblem::Unknown),
        };
        let Some(key) = fields.get(2) else {
            return Err(if KEY_TYPES.contains(&kind) {
                HostKeyProblem::KeyMissing(kind.to_owned())
            } else {
                HostKeyProblem::Unknown
            });
        };
        entries.push(Entry {
            line,
            role: marker.map_or(Role::Host, |(_, role)| role),
            hosts: Some(hosts),
            pin: key_pin(kind, key),
        });
        let rest = &fields[3..];
        let begins = |at: &usize| {
            let is_marker = [AUTHORITY, REVOKED].contains(&rest[*at]);
            is_marker
                || matches!(&rest[*at..], [_, kind, key, ..]
                    if KEY_TYPES.contains(kind) && key.starts_with(KEY_BEGINS))
        };
        let next = (0..rest.len()).find(begins).unwrap_or(rest.len());
        fields = &rest[next..];
    }
    Ok(())
}

fn marker(field: &str) -> Result<Option<(&'static str, Role)>, HostKeyProblem> {
    match field {
        AUTHORITY => Ok(Some((AUTHORITY, Role::Authority))),
        REVOKED => Ok(Some((REVOKED, Role::Revoked))),
        _ if field.starts_with('@') => Err(HostKeyProblem::UnknownMarker),
        _ => Ok(None),
    }
}

/// `SHA256:…` fingerprints, alone, behind a type, or as `ssh-keygen -l` lists them; and keys with their comments.
/// Separated by commas or blanks.
fn keys(line: &str, number: Option<usize>, entries: &mut Vec<Entry>) -> Result<(), HostKeyProblem> {
    let separator = |c: char| c.is_whitespace() || c == ',';
    let words = line.split(separator).filter(|word| !word.is_empty());
    let mut words = words.peekable();
    // Whatever follows a key and begins no entry is its comment, which may hold blanks and commas.
    let mut in_comment = false;
    while let Some(word) = words.next() {
        let pin = if sha256(word).is_some() {
            in_comment = false;
            fingerprint(word, None)?
        } else if is_md5(word) {
            return Err(HostKeyProblem::Md5);
        } else if KEY_TYPES.contains(&word) {
            let next = words.next();
            let next = next.ok_or_else(|| HostKeyProblem::KeyMissing(word.to_owned()))?;
            in_comment = sha256(next).is_none();
            if in_comment {
                key_pin(word, next)?
            } else {
                fingerprint(next, Algorithm::new(word).ok())?
            }
        } else if let Some(marker) = [AUTHORITY, REVOKED].into_iter().find(|it| *it == word) {
            return Err(HostKeyProblem::MarkerInside(marker));
        } else if is_bits(word, &mut words) {
            in_comment = true;
            listed(word, &mut words)?
        } else if in_comment {
            continue;
        } else {
            return Err(match words.peek() {
                Some(key) if key.starts_with(KEY_BEGINS) => unknown_type(word),
                _ => HostKeyProblem::Unknown,
            });
        };
        entries.push(Entry {
            line: number,
            role: Role::Host,
            hosts: None,
            pin: Ok(pin),
        });
    }
    Ok(())
}

/// Whether a word is the length of a key, as `ssh-keygen -l` writes it before the fingerprint.
fn is_bits<'a>(word: &str, words: &mut Peekable<impl Iterator<Item = &'a str>>) -> bool {
    let is_fingerprint = |word: &&str| sha256(word).is_some() || is_md5(word);
    word.bytes().all(|byte| byte.is_ascii_digit()) && words.peek().is_some_and(is_fingerprint)
}

/// `256 SHA256:… comment (ED25519)`: what `ssh-keygen -l` lists tells the type as well.
fn listed<'a>(
    bits: &str,
    words: &mut Peekable<impl Iterator<Item = &'a str>>,
) -> Result<Pin, HostKeyProblem> {
    let Some(word) = words.next().filter(|word| !is_md5(word)) else {
        return Err(HostKeyProblem::Md5);
    };
    let mut algorithm = None;
    while algorithm.is_none()
        && let Some(word) = words.next_if(|it| !KEY_TYPES.contains(it) && sha256(it).is_none())
    {
        algorithm = match (word, bits) {
            ("(ED25519)", _) => Some(Algorithm::Ed25519),
            ("(RSA)", _) => Some(Algorithm::Rsa { hash: None }),
            ("(ECDSA)", "256") => {
                Some(EcdsaCurve::NistP256).map(|curve| Algorithm::Ecdsa { curve })
            }
            ("(ECDSA)", "384") => {
                Some(EcdsaCurve::NistP384).map(|curve| Algorithm::Ecdsa { curve })
            }
            ("(ECDSA)", "521") => {
                Some(EcdsaCurve::NistP521).map(|curve| Algorithm::Ecdsa { curve })
            }
            _ => None,
        };
    }
    fingerprint(word, algorithm)
}

fn fingerprint(word: &str, algorithm: Option<Algorithm>) -> Result<Pin, HostKeyProblem> {
    let digest = sha256(word).unwrap_or_default();
    // Go's and Java's tools print the base64 with its padding.
    let digest = digest.strip_suffix('=').unwrap_or(digest);
    let fingerprint = format!("SHA256:{digest}")
        .parse()
        .map_err(|_| HostKeyProblem::Fingerprint)?;
    Ok(Pin {
        fingerprint,
        algorithm,
    })
}

fn key_pin(kind: &str, key: &str) -> Result<Pin, HostKeyProblem> {
    if kind == "ssh-dss" {
        return Err(HostKeyProblem::Dsa);
    }
    if !KEY_TYPES.contains(&kind) {
        return Err(unknown_type(kind));
    }
    let key = PublicKey::from_openssh(&format!("{kind} {key}"));
    let key = key.map_err(|reason| HostKeyProblem::Key {
        algorithm: kind.to_owned(),
        reason,
    })?;
    Ok(Pin::of(&key))
}

fn unknown_type(kind: &str) -> HostKeyProblem {
    if kind.ends_with("-cert-v01@openssh.com") {
        HostKeyProblem::Certificate(excerpt(kind))
    } else {
        HostKeyProblem::UnknownType(excerpt(kind))
    }
}

/// What stands behind `SHA256:`.
fn sha256(word: &str) -> Option<&str> {
    strip_prefix_ignoring_case(word, "SHA256:")
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
