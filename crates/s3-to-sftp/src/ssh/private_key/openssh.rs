//! OpenSSH's own format (its `PROTOCOL.key`).
//!
//! ssh-key reads it as well, but for one in 512 keys of P-256: their number is a byte shorter, and ssh-key 0.7.0-rc.11 asks
//! for 32 bytes (`EcdsaPrivateKey::decode`). So the container is opened here, and ssh-key reads what is in it.

use russh::keys::ssh_encoding::{Decode, Reader};
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{self, Cipher, Kdf, Mpint};
use zeroize::Zeroizing;

use super::{Effort, PrivateKeyError, numbers, public_half};

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// Of the ciphers that have one.
const TAG: usize = 16;

pub(super) fn read(
    content: &[u8],
    passphrase: Option<&str>,
    effort: Effort,
) -> Result<ssh_key::PrivateKey, PrivateKeyError> {
    let mut container = Container::read(content).map_err(PrivateKeyError::damaged)?;
    let public = public_half(&container.public)?;
    let plain = container.decrypt(passphrase, effort)?;
    let pair = pair(&plain, &public).map_err(PrivateKeyError::damaged)?;
    ssh_key::PrivateKey::new(pair, "").map_err(PrivateKeyError::damaged)
}

struct Container {
    cipher: Cipher,
    kdf: Kdf,
    public: Vec<u8>,
    private: Zeroizing<Vec<u8>>,
    tag: Option<[u8; TAG]>,
}

impl Container {
    fn read(content: &[u8]) -> Result<Self, ssh_key::Error> {
        let mut reader = content
            .strip_prefix(MAGIC)
            .ok_or(ssh_key::Error::FormatEncoding)?;
        let reader = &mut reader;
        let cipher = Cipher::decode(reader)?;
        let kdf = Kdf::decode(reader)?;
        if u32::decode(reader)? != 1 {
            return Err(ssh_key::Error::FormatEncoding);
        }
        let public = Vec::decode(reader)?;
        let private = Zeroizing::new(Vec::decode(reader)?);
        let mut tag = None;
        if cipher.has_tag() {
            reader.read(tag.insert([0; TAG]))?;
        }
        Ok(Self {
            cipher,
            kdf,
            public,
            private,
            tag,
        })
    }

    /// What is behind the two equal numbers that prove a passphrase.
    fn decrypt(
        &mut self,
        passphrase: Option<&str>,
        effort: Effort,
    ) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
        let wrong = if self.cipher.is_none() {
            PrivateKeyError::damaged("its two check numbers differ")
        } else {
            let passphrase = passphrase.ok_or(PrivateKeyError::PassphraseMissing)?;
            effort.allows_openssh(&self.kdf)?;
            let (key, iv) = self
                .kdf
                .derive_key_and_iv(self.cipher, passphrase)
                .map_err(PrivateKeyError::damaged)?;
            self.cipher
                .decrypt(&key, &iv, &mut self.private, self.tag.map(Into::into))
                .map_err(|error| match error {
                    ssh_key::cipher::Error::Crypto => PrivateKeyError::PassphraseWrong,
                    other => PrivateKeyError::damaged(other),
                })?;
            PrivateKeyError::PassphraseWrong
        };
        match self.private.split_first_chunk::<8>() {
            Some(([a, b, c, d, e, f, g, h], _)) if [a, b, c, d] == [e, f, g, h] => {
                self.private.drain(..8);
                Ok(std::mem::take(&mut self.private))
            }
            Some(_) => Err(wrong),
            None => Err(PrivateKeyError::CutShort("the private part")),
        }
    }
}

/// The pair in the private part, which has to be that of the public one.
fn pair(plain: &[u8], public: &KeyData) -> Result<KeypairData, ssh_key::Error> {
    let pair = match public {
        KeyData::Ecdsa(public) => {
            let mut reader = plain;
            let reader = &mut reader;
            let (_type, _curve) = (String::decode(reader)?, String::decode(reader)?);
            if Vec::<u8>::decode(reader)? != public.as_sec1_bytes() {
                return Err(ssh_key::Error::PublicKey);
            }
            let number = Mpint::decode(reader)?;
            let pair = number
                .as_positive_bytes()
                .and_then(|number| numbers::ecdsa(public, number));
            pair.ok_or(ssh_key::Error::FormatEncoding)?
        }
        _ => KeypairData::decode(&mut &*plain)?,
    };
    if KeyData::try_from(&pair)? == *public {
        Ok(pair)
    } else {
        Err(ssh_key::Error::PublicKey)
    }
}
