//! PKCS#1, SEC1 and PKCS#8.

use pkcs5::EncryptionScheme;
use russh::keys::{self, ssh_key};
use zeroize::Zeroizing;

use super::{Effort, PrivateKeyError};

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;

/// What PKCS#8 puts before an RSA key: version 0, and the algorithm `rsaEncryption` without parameters.
const RSA_IN_PKCS8: [u8; 18] = [
    0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00,
];

/// An RSA key as PKCS#1 writes it, which is what PKCS#8 holds of one.
pub(super) fn pkcs1(content: &[u8]) -> Result<ssh_key::PrivateKey, PrivateKeyError> {
    let mut inner = Zeroizing::new(Vec::with_capacity(content.len() + 32));
    inner.extend_from_slice(&RSA_IN_PKCS8);
    put(&mut inner, OCTET_STRING, content);
    let mut outer = Zeroizing::new(Vec::with_capacity(inner.len() + 8));
    put(&mut outer, SEQUENCE, &inner);
    sec1_or_pkcs8(&outer)
}

/// An elliptic curve's key as SEC1 writes it, or any unencrypted one in PKCS#8.
pub(super) fn sec1_or_pkcs8(content: &[u8]) -> Result<ssh_key::PrivateKey, PrivateKeyError> {
    keys::pkcs8::decode_pkcs8(content, None).map_err(|error| match error {
        keys::Error::UnknownAlgorithm(id) => PrivateKeyError::Type(type_of(&id.to_string())),
        other => PrivateKeyError::damaged(other),
    })
}

/// An encrypted one in PKCS#8 (RFC 8018): how it is encrypted, and the ciphertext.
pub(super) fn encrypted_pkcs8(
    content: &[u8],
    passphrase: Option<&str>,
    effort: Effort,
) -> Result<ssh_key::PrivateKey, PrivateKeyError> {
    let damaged = || PrivateKeyError::damaged("it is no EncryptedPrivateKeyInfo");
    let (sequence, _) = take(SEQUENCE, content).ok_or_else(damaged)?;
    let (_, rest) = take(SEQUENCE, sequence).ok_or_else(damaged)?;
    let (ciphertext, _) = take(OCTET_STRING, rest).ok_or_else(damaged)?;
    let passphrase = passphrase.ok_or(PrivateKeyError::PassphraseMissing)?;
    let not_read = |why: String| PrivateKeyError::Encryption(format!("a way of PKCS#8 ({why})"));
    let scheme = &sequence[..sequence.len() - rest.len()];
    let scheme =
        EncryptionScheme::try_from(scheme).map_err(|_| not_read("not by PBES2".to_owned()))?;
    if let Some(params) = scheme.pbes2() {
        effort.allows_pkcs8(&params.kdf)?;
    }
    let plain = match scheme.decrypt(passphrase, ciphertext) {
        Ok(plain) => Zeroizing::new(plain),
        Err(pkcs5::Error::DecryptFailed) => return Err(PrivateKeyError::PassphraseWrong),
        Err(other) => return Err(not_read(other.to_string())),
    };
    sec1_or_pkcs8(&plain).map_err(PrivateKeyError::after_decryption)
}

/// Writes tag, length and content (X.690 section 8.1).
fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|byte| *byte != 0);
    let length = &length[significant.unwrap_or(length.len() - 1)..];
    match length {
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
}

/// What a tag holds, and what stands behind it.
fn take(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match usize::from(*first) {
        short if short < 0x80 => (short, rest),
        long => {
            // A key is no larger than three bytes tell.
            let (digits, rest) = rest.split_at_checked((long - 0x80).min(4))?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest)
        }
    };
    rest.split_at_checked(length)
}

/// Types that people have, by their object identifiers.
fn type_of(id: &str) -> String {
    let name = match id {
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.113549.1.3.1" => "Diffie-Hellman",
        "1.3.101.110" => "X25519",
        "1.3.101.111" => "X448",
        "1.3.101.113" => "ed448",
        "1.2.840.10045.3.1.1" => "ECDSA on the curve P-192",
        "1.3.132.0.10" => "ECDSA on the curve secp256k1",
        "1.3.132.0.33" => "ECDSA on the curve P-224",
        "1.3.36.3.3.2.8.1.1.7" => "ECDSA on the curve brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "ECDSA on the curve brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "ECDSA on the curve brainpoolP512r1",
        other => return format!("with the object identifier {other}"),
    };
    name.to_owned()
}
