//! The text of a private key becomes a key: OpenSSH and PEM formats, unencrypted.

use std::sync::Arc;

use russh::keys::{self, ssh_key};

use crate::secret::Secret;

/// A private key that can sign a login.
#[derive(Clone)]
pub struct PrivateKey(pub(super) Arc<ssh_key::PrivateKey>);

/// Why a text is no usable private key. Never holds a part of it.
#[derive(Debug, thiserror::Error)]
pub enum PrivateKeyError {
    /// No PEM armour at all.
    #[error("it is no private key: no line begins with \"-----BEGIN\"")]
    NoKey,
    /// The other half of the pair.
    #[error("it is a public key; the private one is asked for")]
    PublicKey,
    /// A passphrase would be needed.
    #[error("the key is encrypted; store it without a passphrase")]
    Encrypted,
    /// An armour is there, and what is in it cannot be read.
    #[error(
        "the key cannot be read; is it cut short, or of a type other than RSA, ECDSA or ed25519?"
    )]
    Unreadable(#[source] Box<keys::Error>),
}

impl PrivateKey {
    /// Reads a private key.
    ///
    /// # Errors
    ///
    /// Says what the text is instead.
    pub fn parse(text: &Secret<String>) -> Result<Self, PrivateKeyError> {
        let text = text.expose();
        if ["ssh-", "ecdsa-sha2-", "---- BEGIN SSH2 PUBLIC KEY"]
            .iter()
            .any(|it| text.trim_start().starts_with(it))
            || text.contains("-----BEGIN PUBLIC KEY-----")
        {
            return Err(PrivateKeyError::PublicKey);
        }
        if !text.contains("-----BEGIN ") {
            return Err(PrivateKeyError::NoKey);
        }
        // PKCS#8 and the old PEM format say so in their armour, OpenSSH's inside the key.
        if text.contains("-----BEGIN ENCRYPTED ") || text.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(PrivateKeyError::Encrypted);
        }
        // russh compares whole lines; a trailing blank or CR is no reason to refuse a key.
        let lines: Secret<String> = Secret::new(
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join("\n"),
        );
        match keys::decode_secret_key(lines.expose(), None) {
            Ok(key) if key.is_encrypted() => Err(PrivateKeyError::Encrypted),
            Ok(key) => Ok(Self(Arc::new(key))),
            Err(keys::Error::KeyIsEncrypted) => Err(PrivateKeyError::Encrypted),
            Err(error) => Err(PrivateKeyError::Unreadable(Box::new(error))),
        }
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.0.algorithm())
    }
}
