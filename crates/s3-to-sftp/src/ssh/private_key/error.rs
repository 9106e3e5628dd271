//! Why a text is no usable private key. What to do about it is said in `error/advice.rs`.

use std::time::Duration;

use crate::ssh::foreign::unquoted;

/// Why a text is no usable private key. Never holds a part of it.
#[derive(Debug, thiserror::Error)]
pub enum PrivateKeyError {
    /// Nothing that looks like a key.
    #[error(
        "it is no private key: there is neither a line \"-----BEGIN … PRIVATE KEY-----\" nor one \
         \"PuTTY-User-Key-File-…\""
    )]
    NoKey,
    /// Nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// The other half of the pair.
    #[error("it is a public key; the private one is asked for")]
    PublicKey,
    /// A certificate is public, too.
    #[error("it is an OpenSSH certificate; the private key that it belongs to is asked for")]
    Certificate,
    /// Another kind of file.
    #[error("it is {0}, which is no SSH key")]
    OtherFile(&'static str),
    /// A key in a format that only other programs read.
    #[error("it is a key in {0}, which is not read here")]
    Format(&'static str),
    /// A type that servers, or the libraries, do not take any more.
    #[error("it is a key of the type {0}; RSA, ECDSA (P-256, P-384, P-521) and ed25519 are used")]
    Type(String),
    /// It signs only while somebody touches it.
    #[error("the key lies on a security key (FIDO), which nobody can touch here")]
    SecurityKey,
    /// Too short, or too long.
    #[error("the RSA key has {0} bits; 2048 to 8192 are used")]
    RsaSize(u32),
    /// Its end is missing.
    #[error("the key is cut short: {0} is missing")]
    CutShort(&'static str),
    /// A passphrase would be needed.
    #[error("the key is encrypted, and SSH_PASSPHRASE is not set")]
    PassphraseMissing,
    /// Another passphrase would be needed.
    #[error("the passphrase in SSH_PASSPHRASE does not fit the key")]
    PassphraseWrong,
    /// A way of encrypting that is not read.
    #[error("the key is encrypted by {0}, which is not read here")]
    Encryption(String),
    /// Decrypting it takes more memory than a function has.
    #[error("decrypting the key takes {0} MiB of memory")]
    Memory(u64),
    /// Decrypting it goes on for minutes.
    #[error("decrypting the key takes {0}, which go on for minutes")]
    Effort(String),
    /// Decrypting it takes longer than anything may.
    #[error("decrypting the key took more than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// An unencrypted PuTTY key whose sum is another one.
    #[error("the key was changed or damaged after PuTTY saved it: its Private-MAC does not fit")]
    Mac,
    /// The framing is there, and what is in it cannot be read.
    #[error("the key is cut short or damaged")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PrivateKeyError {
    /// What cannot be read, and why.
    pub(super) fn damaged(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged(unquoted(source))
    }

    /// What was decrypted is no key: another passphrase would have given one.
    pub(super) fn after_decryption(self) -> Self {
        match self {
            Self::Damaged(_) | Self::CutShort(_) => Self::PassphraseWrong,
            other => other,
        }
    }
}
