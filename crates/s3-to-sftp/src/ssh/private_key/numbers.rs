//! The numbers that OpenSSH and PuTTY keep, as a key. Both drop the zeros that a number begins with.

use russh::keys::ssh_key::private::{EcdsaKeypair, Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey};
use zeroize::Zeroizing;

/// A key of an elliptic curve, of its private number, big-endian.
pub(super) fn ecdsa(public: &EcdsaPublicKey, number: &[u8]) -> Option<KeypairData> {
    let pair = match public {
        EcdsaPublicKey::NistP256(public) => EcdsaKeypair::NistP256 {
            public: *public,
            private: (*padded::<32>(number)?).into(),
        },
        EcdsaPublicKey::NistP384(public) => EcdsaKeypair::NistP384 {
            public: *public,
            private: (*padded::<48>(number)?).into(),
        },
        EcdsaPublicKey::NistP521(public) => EcdsaKeypair::NistP521 {
            public: *public,
            private: (*padded::<66>(number)?).into(),
        },
    };
    Some(KeypairData::Ecdsa(pair))
}

fn padded<const SIZE: usize>(number: &[u8]) -> Option<Zeroizing<[u8; SIZE]>> {
    let mut bytes = Zeroizing::new([0; SIZE]);
    let zeros = SIZE.checked_sub(number.len())?;
    bytes[zeros..].copy_from_slice(number);
    Some(bytes)
}

/// An ed25519 key of its seed, which is none of these numbers: it keeps its zeros.
pub(super) fn ed25519(public: &Ed25519PublicKey, seed: &[u8]) -> Option<KeypairData> {
    let pair = Ed25519Keypair::from_seed(seed.try_into().ok()?);
    (pair.public == *public).then_some(KeypairData::Ed25519(pair))
}
