//! PuTTY's `.ppk`, versions 2 and 3 (appendix C of its manual).
//!
//! ssh-key reads it as well, but for one in 512 ed25519 keys: it takes their seed for a number (0.7.0-rc.11,
//! `decode_private_key_as`), and refuses one that begins with a needless zero. And it asks for as much memory as the file says.

use aes::Aes256;
use argon2::{Algorithm, Argon2, Params, Version};
use cbc::Decryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_encoding::base64::{Base64, Encoding};
use russh::keys::ssh_encoding::{Decode, Encode};
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair, RsaPrivateKey};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{self, Mpint};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::pem::hex;
use super::text::{lines, printable};
use super::{Effort, PrivateKeyError, numbers, public_half};

/// Reads a file of which `text` begins with the first line.
pub(super) fn read(
    text: &str,
    passphrase: Option<&str>,
    effort: Effort,
) -> Result<ssh_key::PrivateKey, PrivateKeyError> {
    let mut file = File::read(text)?;
    if file.key_type.ends_with("-cert-v01@openssh.com") {
        return Err(PrivateKeyError::Format(
            "PuTTY's format with a certificate in it",
        ));
    }
    let public = public_half(&file.public)?;
    let mac_key = match file.encryption {
        "none" => file.version.mac_key_of_none(),
        "aes256-cbc" => {
            let passphrase = passphrase.ok_or(PrivateKeyError::PassphraseMissing)?;
            let keys = file.keys(passphrase, effort)?;
            Decryptor::<Aes256>::new_from_slices(&keys.cipher, &keys.iv)
                .map_err(PrivateKeyError::damaged)?
                .decrypt_padded::<NoPadding>(&mut file.private)
                .map_err(|_| PrivateKeyError::CutShort("a part of the private part"))?;
            keys.mac
        }
        other => return Err(PrivateKeyError::Encryption(printable(other))),
    };
    if !file.fits(&mac_key) {
        return Err(match file.encryption {
            "none" => PrivateKeyError::Mac,
            _ => PrivateKeyError::PassphraseWrong,
        });
    }
    let pair = pair(&file.private, &public).map_err(PrivateKeyError::damaged)?;
    ssh_key::PrivateKey::new(pair, "").map_err(PrivateKeyError::damaged)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FileVersion {
    Two,
    Three,
}

/// The fields of a file.
struct File<'a> {
    version: FileVersion,
    key_type: &'a str,
    encryption: &'a str,
    comment: &'a str,
    public: Vec<u8>,
    private: Zeroizing<Vec<u8>>,
    mac: Vec<u8>,
    /// `Key-Derivation`, and what begins with `Argon2-`.
    derivation: Vec<(&'a str, &'a str)>,
}

struct Keys {
    cipher: Zeroizing<Vec<u8>>,
    iv: Zeroizing<Vec<u8>>,
    mac: Zeroizing<Vec<u8>>,
}

impl<'a> File<'a> {
    fn read(text: &'a str) -> Result<Self, PrivateKeyError> {
        let mut lines = lines(text);
        let (version, key_type) = field(lines.next().unwrap_or_default());
        let version = match version {
            "PuTTY-User-Key-File-2" => FileVersion::Two,
            "PuTTY-User-Key-File-3" => FileVersion::Three,
            _ => {
                return Err(PrivateKeyError::Format(
                    "another version of PuTTY's format than 2 and 3",
                ));
            }
        };
        let mut derivation = Vec::new();
        let (mut encryption, mut comment) = (None, "");
        let (mut public, mut private, mut mac) = (None, None, None);
        while let Some(line) = lines.next() {
            let (name, value) = field(line);
            match name {
                "Encryption" => encryption = Some(value.trim_end()),
                "Comment" => comment = value,
                "Public-Lines" => public = Some(block(value, &mut lines)?),
                "Private-Lines" => private = Some(block(value, &mut lines)?),
                "Private-MAC" => mac = hex(value.trim_end()),
                _ => derivation.push((name, value.trim_end())),
            }
        }
        let missing = PrivateKeyError::CutShort;
        Ok(Self {
            version,
            key_type: key_type.trim_end(),
            encryption: encryption.ok_or(missing("its line \"Encryption\""))?,
            comment,
            public: public.ok_or(missing("its public part"))?.to_vec(),
            private: private.ok_or(missing("its private part"))?,
            mac: mac.ok_or(missing("its last line \"Private-MAC\""))?,
            derivation,
        })
    }

    /// The keys that a passphrase gives.
    fn keys(&self, passphrase: &str, effort: Effort) -> Result<Keys, PrivateKeyError> {
        match self.version {
            FileVersion::Two => {
                let sha1 = |prefix: &[u8]| {
                    let digest = Sha1::new().chain_update(prefix).chain_update(passphrase);
                    Zeroizing::new(digest.finalize().to_vec())
                };
                let mut cipher = Zeroizing::new(Vec::with_capacity(40));
                cipher.extend_from_slice(&sha1(&[0, 0, 0, 0]));
                cipher.extend_from_slice(&sha1(&[0, 0, 0, 1]));
                cipher.truncate(32);
                Ok(Keys {
                    cipher,
                    iv: Zeroizing::new(vec![0; 16]),
                    mac: sha1(MAC_KEY_OF_VERSION_2),
                })
            }
            FileVersion::Three => {
                let mut keys = Zeroizing::new([0; 80]);
                self.derive(passphrase, effort, &mut *keys)?;
                let part = |range| Zeroizing::new(<[u8]>::to_vec(&keys[range]));
                Ok(Keys {
                    cipher: part(0..32),
                    iv: part(32..48),
                    mac: part(48..80),
                })
            }
        }
    }

    fn derive(
        &self,
        passphrase: &str,
        effort: Effort,
        keys: &mut [u8],
    ) -> Result<(), PrivateKeyError> {
        let find = |name| {
            let found = self.derivation.iter().find(|(it, _)| *it == name);
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| PrivateKeyError::damaged(format!("it has no line \"{name}\"")))
        };
        let number = |name| -> Result<u32, PrivateKeyError> {
            let parsed = find(name)?.parse();
            parsed.map_err(|_| PrivateKeyError::damaged(format!("\"{name}\" is no number")))
        };
        let algorithm = match find("Key-Derivation")? {
            "Argon2id" => Algorithm::Argon2id,
            "Argon2i" => Algorithm::Argon2i,
            "Argon2d" => Algorithm::Argon2d,
            other => return Err(PrivateKeyError::Encryption(printable(other))),
        };
        let memory = number("Argon2-Memory")?;
        let passes = number("Argon2-Passes")?;
        effort.allows_memory(1024 * u64::from(memory), passes.into())?;
        let parallelism = number("Argon2-Parallelism")?;
        let params = Params::new(memory, passes, parallelism, None);
        let salt = hex(find("Argon2-Salt")?)
            .ok_or_else(|| PrivateKeyError::damaged("\"Argon2-Salt\" is not hexadecimal"))?;
        params
            .map(|params| Argon2::new(algorithm, Version::V0x13, params))
            .and_then(|argon2| argon2.hash_password_into(passphrase.as_bytes(), &salt, keys))
            .map_err(|error| PrivateKeyError::damaged(error.to_string()))
    }

    /// Whether the sum over all that counts is the one in the file.
    fn fits(&self, mac_key: &[u8]) -> bool {
        // An editor may have taken the comment's trailing blanks.
        [self.comment, self.comment.trim_end()]
            .iter()
            .any(|comment| {
                let fields: [&[u8]; 5] = [
                    self.key_type.as_bytes(),
                    self.encryption.as_bytes(),
                    comment.as_bytes(),
                    &self.public,
                    &self.private,
                ];
                let mut summed = Zeroizing::new(Vec::with_capacity(
                    fields.iter().map(|field| field.len() + 4).sum(),
                ));
                for field in fields {
                    if field.encode(&mut *summed).is_err() {
                        return false;
                    }
                }
                match self.version {
                    FileVersion::Two => is_sum::<Hmac<Sha1>>(mac_key, &summed, &self.mac),
                    FileVersion::Three => is_sum::<Hmac<Sha256>>(mac_key, &summed, &self.mac),
                }
            })
    }
}

const MAC_KEY_OF_VERSION_2: &[u8] = b"putty-private-key-file-mac-key";

impl FileVersion {
    /// The key of the sum in a file that is not encrypted.
    fn mac_key_of_none(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Two => Sha1::digest(MAC_KEY_OF_VERSION_2).to_vec(),
            Self::Three => Vec::new(),
        })
    }
}

fn is_sum<M: Mac + KeyInit>(key: &[u8], summed: &[u8], expected: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(summed).verify_slice(expected).is_ok())
}

/// `Name: value`, of which an editor may have taken the blank.
fn field(line: &str) -> (&str, &str) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.trim(), value.strip_prefix(' ').unwrap_or(value))
}

/// As many lines of base64 as `count` says.
fn block<'a>(
    count: &str,
    lines: &mut impl Iterator<Item = &'a str>,
) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    let count: usize = count
        .trim()
        .parse()
        .map_err(|_| PrivateKeyError::damaged("a number of lines is none"))?;
    let parts: Vec<&str> = lines.take(count).map(str::trim).collect();
    if parts.len() < count {
        return Err(PrivateKeyError::CutShort("a part of its base64"));
    }
    let mut base64 = Zeroizing::new(String::with_capacity(
        parts.iter().map(|part| part.len()).sum(),
    ));
    parts.iter().for_each(|part| base64.push_str(part));
    let bytes = Base64::decode_vec(&base64).map_err(PrivateKeyError::damaged)?;
    Ok(Zeroizing::new(bytes))
}

/// The private part, without the padding behind it.
fn pair(private: &[u8], public: &KeyData) -> Result<KeypairData, ssh_key::Error> {
    let mut reader = private;
    let reader = &mut reader;
    let pair = match public {
        KeyData::Rsa(public) => {
            let (d, p, q) = (
                Mpint::decode(reader)?,
                Mpint::decode(reader)?,
                Mpint::decode(reader)?,
            );
            let private = RsaPrivateKey::new(d, Mpint::decode(reader)?, p, q)?;
            Some(RsaKeypair::new(public.clone(), private)?.into())
        }
        KeyData::Ecdsa(public) => {
            let number = Mpint::decode(reader)?;
            let number = number.as_positive_bytes();
            number.and_then(|number| numbers::ecdsa(public, number))
        }
        KeyData::Ed25519(public) => numbers::ed25519(public, &Zeroizing::new(Vec::decode(reader)?)),
        _ => None,
    };
    pair.ok_or(ssh_key::Error::PublicKey)
}
