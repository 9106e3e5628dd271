//! The text of a private key becomes a key.
//!
//! | module | what it reads |
//! |---|---|
//! | `text` | what stands around a key, and what a text is that holds none |
//! | `pem` | armour, base64, and the encryption of old PEM files |
//! | `der` | PKCS#1, SEC1 and PKCS#8 |
//! | `openssh` | OpenSSH's own format |
//! | `putty` | PuTTY's `.ppk`, versions 2 and 3 |
//! | `numbers` | the numbers that OpenSSH and PuTTY keep → a key |
//! | `effort` | how much work a file may ask for before its passphrase is tried |
//! | `error` | why a text is no usable private key |

mod der;
mod effort;
mod error;
mod numbers;
mod openssh;
mod pem;
mod putty;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use russh::keys::Algorithm;
use russh::keys::ssh_encoding::Decode;
use russh::keys::ssh_key;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::public::KeyData;

pub use effort::Effort;
pub use error::PrivateKeyError;
pub(super) use text::unescaped;

use crate::secret::Secret;

/// RSA keys that are used. Below, many servers refuse them: Red Hat's and Amazon's among them; above, the libraries do.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// A private key that can sign a login.
#[derive(Clone)]
pub struct PrivateKey(pub(super) Arc<ssh_key::PrivateKey>);

impl PrivateKey {
    /// Reads a private key. The passphrase is looked at only where the key is encrypted, as `ssh` does.
    ///
    /// # Errors
    ///
    /// Says what the text is instead, or what does not fit.
    pub fn parse(
        text: &Secret<String>,
        passphrase: Option<&Secret<String>>,
    ) -> Result<Self, PrivateKeyError> {
        Self::parse_within(text, passphrase, Effort::MOST)
    }

    /// The same, for a passphrase that less work may be done for: fuzzing would try a few keys a minute with what a real
    /// one may ask for.
    #[doc(hidden)]
    pub fn parse_within(
        text: &Secret<String>,
        passphrase: Option<&Secret<String>>,
        effort: Effort,
    ) -> Result<Self, PrivateKeyError> {
        let text = unescaped(text.expose());
        let passphrase = passphrase.map(|it| it.expose().as_str());
        let key = if let Some(lines) = text::putty(&text) {
            putty::read(lines, passphrase, effort)?
        } else if let Some(block) = text::armoured(&text) {
            pem::read(&block?, passphrase, effort)?
        } else {
            return Err(text::instead(&text));
        };
        check(&key)?;
        Ok(Self(Arc::new(key)))
    }
}

/// Whether it is of a type and a size that can log in.
fn check(key: &ssh_key::PrivateKey) -> Result<(), PrivateKeyError> {
    check_type(&key.algorithm())?;
    match key.key_data() {
        KeypairData::Rsa(pair) if !RSA_BITS.contains(&pair.key_size()) => {
            Err(PrivateKeyError::RsaSize(pair.key_size()))
        }
        _ => Ok(()),
    }
}

/// The public half, as OpenSSH and PuTTY keep it beside the private one: in the clear, so that a type which is not used
/// is told before a passphrase is asked for.
fn public_half(blob: &[u8]) -> Result<KeyData, PrivateKeyError> {
    let name = String::decode(&mut &*blob).map_err(PrivateKeyError::damaged)?;
    if Algorithm::new(&name).is_err() {
        return Err(PrivateKeyError::Type(text::printable(&name)));
    }
    let public = KeyData::decode(&mut &*blob).map_err(PrivateKeyError::damaged)?;
    check_type(&public.algorithm())?;
    Ok(public)
}

fn check_type(algorithm: &Algorithm) -> Result<(), PrivateKeyError> {
    match algorithm {
        Algorithm::Rsa { .. } | Algorithm::Ecdsa { .. } | Algorithm::Ed25519 => Ok(()),
        Algorithm::Dsa => Err(PrivateKeyError::Type("DSA".to_owned())),
        Algorithm::SkEcdsaSha2NistP256 | Algorithm::SkEd25519 => Err(PrivateKeyError::SecurityKey),
        other => Err(PrivateKeyError::Type(text::printable(other.as_str()))),
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({})", self.0.algorithm())
    }
}
