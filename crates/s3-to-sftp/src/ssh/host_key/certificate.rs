//! Host certificates: what else has to hold where the authority is trusted (OpenSSH's PROTOCOL.certkeys).

use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::{Certificate, Fingerprint};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// It is for a user's login.
    #[error("it is a user's certificate, not a host's")]
    OfUser,
    /// It begins later.
    #[error("it is valid from {0} on, and not now")]
    NotYetValid(String),
    /// It is over.
    #[error("it was valid until {0}")]
    Expired(String),
    /// It names nobody: whoever has one such could pose as any host.
    #[error("it names no host; a certificate for every host is not accepted")]
    ForEveryHost,
    /// It is somebody else's.
    #[error("it is for {names}, not for {host}")]
    ForOthers {
        /// The names in it.
        names: String,
        /// `SSH_HOST`.
        host: String,
    },
    /// Something in it has to be understood, and nothing is.
    #[error("it has the critical options {0}, and none is known for hosts")]
    CriticalOptions(String),
    /// Forged, or signed in a way that is not safe any more, such as by SHA-1.
    #[error("the authority's signature does not hold, or is by SHA-1")]
    Signature,
}

/// Whether a certificate proves `host` (in lower case) at this time. Its authority is one of `authorities`.
pub(super) fn check<'a>(
    certificate: &Certificate,
    authorities: impl IntoIterator<Item = &'a Fingerprint>,
    host: &str,
    now: SystemTime,
) -> Result<(), CertificateProblem> {
    if !certificate.cert_type().is_host() {
        return Err(CertificateProblem::OfUser);
    }
    // A clock before 1970 makes every certificate one of the future.
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    if now < certificate.valid_after() {
        return Err(CertificateProblem::NotYetValid(date(
            certificate.valid_after(),
        )));
    }
    if now >= certificate.valid_before() {
        return Err(CertificateProblem::Expired(date(
            certificate.valid_before(),
        )));
    }
    let names = certificate.valid_principals();
    if names.is_empty() {
        return Err(CertificateProblem::ForEveryHost);
    }
    // A `*` in a name is no wildcard, for ssh(1) neither.
    if !names.iter().any(|name| name.to_lowercase() == host) {
        return Err(CertificateProblem::ForOthers {
            names: shown(names.iter().map(String::as_str)),
            host: host.to_owned(),
        });
    }
    let options = certificate.critical_options();
    if !options.is_empty() {
        let names = options.keys().map(String::as_str);
        return Err(CertificateProblem::CriticalOptions(shown(names)));
    }
    // Last, as it has one answer for all: signature, authority and time.
    certificate
        .validate_at(now, authorities)
        .map_err(|_| CertificateProblem::Signature)
}

fn date(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("second {seconds}"))
}

/// Names that the server sent: some of them, cut and escaped.
fn shown<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 4;
    const LONGEST: usize = 60;
    let mut names = names.peekable();
    let mut all: Vec<String> = names
        .by_ref()
        .take(MOST)
        .map(|name| format!("{:?}", name.chars().take(LONGEST).collect::<String>()))
        .collect();
    if names.peek().is_some() {
        all.push("…".to_owned());
    }
    all.join(", ")
}
