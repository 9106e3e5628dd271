//! Armour, base64, and the encryption of old PEM files (`Proc-Type: 4,ENCRYPTED`, RFC 1421), which neither russh nor ssh-key
//! reads but for one cipher and one type.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::TdesEde3;
use md5::Context;
use russh::keys::ssh_encoding::base64::{Base64, Encoding};
use russh::keys::ssh_key;
use zeroize::Zeroizing;

use super::text::{Block, lines, printable};
use super::{Effort, PrivateKeyError, der, openssh};

/// Reads what the armour holds.
pub(super) fn read(
    block: &Block<'_>,
    passphrase: Option<&str>,
    effort: Effort,
) -> Result<ssh_key::PrivateKey, PrivateKeyError> {
    let (content, encryption) = open(block.body)?;
    let Some(encryption) = encryption else {
        return by_label(block.label, &content, passphrase, effort);
    };
    if block.label == "DSA PRIVATE KEY" {
        return Err(PrivateKeyError::Type("DSA".to_owned()));
    }
    let passphrase = passphrase.ok_or(PrivateKeyError::PassphraseMissing)?;
    let content = decrypt(encryption, &content, passphrase)?;
    by_label(block.label, &content, None, effort).map_err(PrivateKeyError::after_decryption)
}

fn by_label(
    label: &str,
    content: &[u8],
    passphrase: Option<&str>,
    effort: Effort,
) -> Result<ssh_key::PrivateKey, PrivateKeyError> {
    match label {
        "OPENSSH PRIVATE KEY" => openssh::read(content, passphrase, effort),
        "RSA PRIVATE KEY" => der::pkcs1(content),
        "EC PRIVATE KEY" | "PRIVATE KEY" => der::sec1_or_pkcs8(content),
        "ENCRYPTED PRIVATE KEY" => der::encrypted_pkcs8(content, passphrase, effort),
        "DSA PRIVATE KEY" => Err(PrivateKeyError::Type("DSA".to_owned())),
        _ => Err(PrivateKeyError::NoKey),
    }
}

/// The content of a block, and what its header `DEK-Info` says about its encryption.
fn open(body: &str) -> Result<(Zeroizing<Vec<u8>>, Option<&str>), PrivateKeyError> {
    let mut encryption = None;
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    for line in lines(body) {
        match line.split_once(':') {
            Some((name, value)) if name.trim() == "DEK-Info" => encryption = Some(value.trim()),
            Some(_) => {}
            None => base64.extend(line.chars().filter(|c| !c.is_whitespace())),
        }
    }
    let content = Base64::decode_vec(&base64).map_err(PrivateKeyError::damaged)?;
    Ok((Zeroizing::new(content), encryption))
}

/// `encryption` is `CIPHER,IV`, the second in hexadecimal digits.
fn decrypt(
    encryption: &str,
    content: &[u8],
    passphrase: &str,
) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    let (cipher, iv) = encryption.split_once(',').unwrap_or((encryption, ""));
    let iv = hex(iv).ok_or_else(|| PrivateKeyError::damaged("DEK-Info holds no hexadecimal IV"))?;
    match cipher {
        "AES-128-CBC" => decrypt_by::<Aes128, 16>(&iv, content, passphrase),
        "AES-192-CBC" => decrypt_by::<Aes192, 24>(&iv, content, passphrase),
        "AES-256-CBC" => decrypt_by::<Aes256, 32>(&iv, content, passphrase),
        "DES-EDE3-CBC" => decrypt_by::<TdesEde3, 24>(&iv, content, passphrase),
        other => Err(PrivateKeyError::Encryption(printable(other))),
    }
}

fn decrypt_by<C: BlockCipherDecrypt + KeyInit, const KEY: usize>(
    iv: &[u8],
    content: &[u8],
    passphrase: &str,
) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    let salt = iv
        .get(..8)
        .ok_or_else(|| PrivateKeyError::damaged("the IV of DEK-Info is too short"))?;
    let key = derive::<KEY>(passphrase, salt);
    let decryptor = Decryptor::<C>::new_from_slices(&*key, iv).map_err(PrivateKeyError::damaged)?;
    let mut buffer = Zeroizing::new(content.to_vec());
    let length = decryptor
        .decrypt_padded::<Pkcs7>(&mut buffer)
        .map_err(|_| PrivateKeyError::PassphraseWrong)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

/// OpenSSL's `EVP_BytesToKey`, with MD5 and one round: so little is why nobody should save keys this way any more.
fn derive<const KEY: usize>(passphrase: &str, salt: &[u8]) -> Zeroizing<[u8; KEY]> {
    let mut key = Zeroizing::new([0; KEY]);
    let mut digest = Zeroizing::new(Vec::new());
    for part in key.chunks_mut(16) {
        let mut context = Context::new();
        context.consume(digest.as_slice());
        context.consume(passphrase);
        context.consume(salt);
        digest = Zeroizing::new(context.finalize().0.to_vec());
        part.copy_from_slice(&digest[..part.len()]);
    }
    key
}

/// Bytes from hexadecimal digits.
pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok())
        .collect()
}
