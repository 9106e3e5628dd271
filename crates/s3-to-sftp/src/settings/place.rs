//! Where the text of a private key or a certificate stands.

use super::value::{self, Unfit, unfit};
use crate::object::ObjectName;
use crate::secret::Secret;

/// Where a text stands.
#[derive(Debug, Clone)]
pub enum Place {
    /// In the setting itself.
    Setting(Secret<String>),
    /// In S3.
    Object(ObjectName),
}

impl Place {
    /// As an error names it.
    pub fn named(&self, setting: &str) -> String {
        match self {
            Self::Setting(_) => format!("in {setting}"),
            Self::Object(name) => name.to_string(),
        }
    }

    pub(super) fn is(&self, object: &ObjectName) -> bool {
        matches!(self, Self::Object(name) if name == object)
    }
}

/// A private key, or where one lies. It is read when it is needed.
pub(super) fn private_key(value: &str) -> Result<Place, Unfit> {
    let is_key = ["-----BEGIN", "---- BEGIN", "PuTTY-User-Key-File-"]
        .iter()
        .any(|it| value.contains(it));
    if is_key {
        return Ok(Place::Setting(Secret::new(value.to_owned())));
    }
    if is_line_of_a_key(value) {
        return unfit("is a public key; give the private one, or `bucket:key` of it in S3");
    }
    value::object(value).map(Place::Object)
}

/// A certificate, or where one lies.
pub(super) fn certificate(value: &str) -> Result<Place, Unfit> {
    const FORM: &str =
        "give the line `ssh-…-cert-v01@openssh.com AAAA…`, or `bucket:key` of it in S3";
    if value.contains("-cert-v01@openssh.com ") {
        return Ok(Place::Setting(Secret::new(value.to_owned())));
    }
    if value.contains("PRIVATE KEY") || value.contains("PuTTY-User-Key-File-") {
        return unfit(format!(
            "is a private key, which belongs into SSH_PRIVATE_KEY; {FORM}"
        ));
    }
    if value.contains("-----BEGIN") {
        return unfit(format!("is no certificate of OpenSSH; {FORM}"));
    }
    if is_line_of_a_key(value) {
        return unfit(format!(
            "is a public key that nobody has signed (`ssh-keygen -s`); {FORM}"
        ));
    }
    value::object(value).map(Place::Object)
}

fn is_line_of_a_key(value: &str) -> bool {
    let kind = value.split_whitespace().next().unwrap_or_default();
    let begins = ["ssh-", "ecdsa-sha2-"]
        .iter()
        .any(|it| kind.starts_with(it));
    begins && !kind.contains(':')
}
