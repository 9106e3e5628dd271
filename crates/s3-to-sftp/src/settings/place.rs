//! A secret in its setting, or where it lies.

use super::value::{self, Unfit, unfit};
use crate::secret::Secret;
use crate::secrets::{Reference, SecretArn, SecretValue};

/// Any text, or where one lies.
pub(super) fn secret(value: &str) -> Result<SecretValue, Unfit> {
    let reference = reference(value)?.map(SecretValue::At);
    Ok(reference.unwrap_or_else(|| here(value)))
}

/// A private key, or where one lies. It is read when it is needed.
pub(super) fn private_key(value: &str) -> Result<SecretValue, Unfit> {
    let is_key = ["-----BEGIN", "---- BEGIN", "PuTTY-User-Key-File-"]
        .iter()
        .any(|it| value.contains(it));
    if is_key {
        return Ok(here(value));
    }
    if is_line_of_a_key(value) {
        return unfit("is a public key; give the private one, or `bucket:key` of it in S3");
    }
    reference_or_object(value)
}

/// A certificate, or where one lies.
pub(super) fn certificate(value: &str) -> Result<SecretValue, Unfit> {
    const FORM: &str =
        "give the line `ssh-…-cert-v01@openssh.com AAAA…`, or `bucket:key` of it in S3";
    if value.contains("-cert-v01@openssh.com ") {
        return Ok(here(value));
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
    reference_or_object(value)
}

/// A secret of several fields.
pub(super) fn secret_arn(value: &str) -> Result<SecretArn, Unfit> {
    SecretArn::parse(value).map_err(|error| Unfit(error.to_string()))
}

/// None where the text is the value itself.
pub(super) fn reference(value: &str) -> Result<Option<Reference>, Unfit> {
    let found = Reference::find(value).transpose();
    found.map_err(|error| Unfit(error.to_string()))
}

fn reference_or_object(value: &str) -> Result<SecretValue, Unfit> {
    Ok(SecretValue::At(match reference(value)? {
        Some(reference) => reference,
        None => Reference::Object(value::object(value)?),
    }))
}

fn here(value: &str) -> SecretValue {
    SecretValue::Here(Secret::new(value.to_owned()))
}

fn is_line_of_a_key(value: &str) -> bool {
    let kind = value.split_whitespace().next().unwrap_or_default();
    let begins = ["ssh-", "ecdsa-sha2-"]
        .iter()
        .any(|it| kind.starts_with(it));
    begins && !kind.contains(':')
}
