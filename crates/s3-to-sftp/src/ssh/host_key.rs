//! Host keys: which ones are pinned for a server, and whether what it shows is one of them.
//!
//! | module | what it does |
//! |---|---|
//! | `read` | text → entries, in every form in which host keys are handed on |
//! | `hosts` | which servers a line of known_hosts is for |
//! | [`certificate`] | what has to hold of a host certificate beside its authority |
//! | [`error`] | why a text cannot be used |

pub mod certificate;
pub mod error;
mod hosts;
mod read;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use russh::keys::ssh_key::{Algorithm, Fingerprint, HashAlg, PublicKey};
use russh::keys::{Certificate, PublicKeyOrCertificate};

use super::foreign::excerpt;
use certificate::CertificateProblem;
pub use error::{HostKeyError, HostKeyProblem};
use hosts::Server;
use read::{Entry, Pin, Role};

/// Host keys as they are written, for one server or for many. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKeys(Vec<Entry>);

/// What one server may show. At least one key or authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// In lower case: what a certificate has to name.
    host: String,
    keys: Vec<Pin>,
    authorities: Vec<Pin>,
    revoked: Vec<Fingerprint>,
    /// Types that are not asked for any more.
    passed_over: Vec<Algorithm>,
}

/// Why a server is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Distrust {
    /// Neither its key nor an authority of its certificate is pinned.
    Unknown,
    /// Its key, or its certificate's authority, is listed as revoked.
    Revoked,
    /// The authority is pinned, and its certificate proves nothing.
    Certificate(CertificateProblem),
}

impl HostKeys {
    /// Reads `SHA256:…` fingerprints, `ssh-ed25519 AAAA… [comment]` keys and lines of known_hosts, several of them on
    /// lines of their own; fingerprints and keys also behind commas or blanks.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be read, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, HostKeyError> {
        read::entries(text).map(Self)
    }

    /// What of them is for one server. Lines that name its port go before those that name the host alone, as with
    /// ssh(1).
    ///
    /// # Errors
    ///
    /// Nothing is for it, or what is cannot be read.
    pub fn of(&self, host: &str, port: u16) -> Result<Pinned, HostKeyError> {
        let server = Server::new(host, port);
        let names_port = |entry: &Entry| match &entry.hosts {
            Some(hosts) => entry.role != Role::Revoked && hosts.cover(&server),
            None => false,
        };
        let is_named = self.0.iter().any(names_port);
        let mut pinned = Pinned {
            host: server.host().to_owned(),
            keys: Vec::new(),
            authorities: Vec::new(),
            revoked: Vec::new(),
            passed_over: Vec::new(),
        };
        for entry in &self.0 {
            let counts = entry.hosts.as_ref().is_none_or(|hosts| {
                let any_port = !is_named || entry.role == Role::Revoked;
                hosts.cover(&server) || (any_port && hosts.cover_host(&server))
            });
            if !counts {
                continue;
            }
            let pin = entry.pin.clone().map_err(|problem| HostKeyError {
                line: entry.line,
                problem,
            })?;
            match entry.role {
                Role::Host => pinned.keys.push(pin),
                Role::Authority => pinned.authorities.push(pin),
                Role::Revoked => pinned.revoked.push(pin.fingerprint),
            }
        }
        let whole = |problem| HostKeyError {
            line: None,
            problem,
        };
        if !pinned.keys.is_empty() || !pinned.authorities.is_empty() {
            Ok(pinned)
        } else if pinned.revoked.is_empty() {
            Err(whole(HostKeyProblem::NoneForHost {
                name: server.name().to_owned(),
                others: self.names(),
            }))
        } else {
            Err(whole(HostKeyProblem::OnlyRevoked(server.name().to_owned())))
        }
    }

    /// Some of the names that the lines are for.
    fn names(&self) -> String {
        const MOST: usize = 4;
        let mut names: Vec<String> = Vec::new();
        for hosts in self.0.iter().filter_map(|entry| entry.hosts.as_ref()) {
            let name = excerpt(&hosts.to_string());
            if names.contains(&name) {
                continue;
            }
            if names.len() == MOST {
                names.push("others".to_owned());
                break;
            }
            names.push(name);
        }
        names.join(", ")
    }
}

impl Pinned {
    /// Reads a text and takes what is for one server.
    ///
    /// # Errors
    ///
    /// As [`HostKeys::parse`] and [`HostKeys::of`].
    pub fn read(text: &str, host: &str, port: u16) -> Result<Self, HostKeyError> {
        HostKeys::parse(text)?.of(host, port)
    }

    /// Whether what the server proved to have is trusted. A certificate is judged by its authority; the key inside it,
    /// if that is pinned itself, is enough.
    pub(super) fn check(
        &self,
        shown: &PublicKeyOrCertificate,
        now: SystemTime,
    ) -> Result<(), Distrust> {
        let key = sha256(&shown.public_key());
        let certificate = shown.certificate();
        let authority = certificate.map(authority);
        if self.revoked.contains(&key) || authority.is_some_and(|it| self.revoked.contains(&it)) {
            return Err(Distrust::Revoked);
        }
        if self.keys.iter().any(|pin| pin.fingerprint == key) {
            return Ok(());
        }
        let Some((certificate, authority)) = certificate.zip(authority) else {
            return Err(Distrust::Unknown);
        };
        let mut trusted = self.authorities.iter().map(|pin| &pin.fingerprint);
        if !trusted.clone().any(|it| *it == authority) {
            return Err(Distrust::Unknown);
        }
        certificate::check(certificate, trusted.by_ref(), &self.host, now)
            .map_err(Distrust::Certificate)
    }

    /// What would have been accepted, for the error that shows it beside what the server has.
    pub fn expected(&self) -> String {
        let keys = self.keys.iter().map(Pin::to_string);
        let authorities = self.authorities.iter();
        let authorities = authorities.map(|pin| format!("a certificate signed by {pin}"));
        keys.chain(authorities).collect::<Vec<_>>().join(" or ")
    }

    /// Puts the types of the pinned keys before all others: a server with several keys else shows one that is not pinned.
    /// Fingerprints tell none. What comes back are the types of which a certificate is to be asked for; a server that has
    /// none shows its key all the same.
    pub(super) fn put_in_order(&self, algorithms: &mut Vec<Algorithm>) -> Vec<Algorithm> {
        let is_pinned = |algorithm: &Algorithm| {
            let mut types = self.keys.iter().filter_map(|pin| pin.algorithm.as_ref());
            types.any(|it| is_same_type(it, algorithm))
        };
        // A stable sort: among the pinned and among the others the order stays.
        algorithms.sort_by_key(|algorithm| !is_pinned(algorithm));
        algorithms.retain(|algorithm| {
            !self
                .passed_over
                .iter()
                .any(|it| is_same_type(it, algorithm))
        });
        if self.authorities.is_empty() {
            Vec::new()
        } else {
            algorithms.clone()
        }
    }

    /// These types are not asked for any more: what the server has of them is not pinned.
    pub(super) fn pass_over(&mut self, types: &[Algorithm]) {
        self.passed_over = types.to_vec();
    }

    /// Whether a fingerprint is pinned of which nobody knows the type: the server may have the key, and show another.
    pub(super) fn may_be_of_any_type(&self) -> bool {
        self.keys.iter().any(|pin| pin.algorithm.is_none())
    }
}

/// A key's fingerprint as `ssh-keygen -l` prints it, and as `SSH_HOST_KEY` takes it: `SHA256:…`.
pub fn fingerprint(key: &PublicKey) -> String {
    sha256(key).to_string()
}

/// What a server has shown, for an error: `ssh-ed25519 SHA256:…`, and who signed its certificate.
pub(super) fn describe(shown: &PublicKeyOrCertificate) -> String {
    let key = Pin::of(&shown.public_key());
    match shown.certificate() {
        None => key.to_string(),
        Some(certificate) => {
            let algorithm = certificate.signature_key().algorithm();
            let authority = authority(certificate);
            format!("{key} with a certificate signed by {algorithm} {authority}")
        }
    }
}

fn authority(certificate: &Certificate) -> Fingerprint {
    certificate.signature_key().fingerprint(HashAlg::Sha256)
}

fn sha256(key: &PublicKey) -> Fingerprint {
    key.fingerprint(HashAlg::Sha256)
}

/// An RSA key stands for its signatures by any hash.
fn is_same_type(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        _ => one == other,
    }
}
