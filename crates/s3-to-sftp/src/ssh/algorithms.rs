//! Which algorithms are offered: safe lists, and what the settings make of them in OpenSSH's syntax.

mod disagreement;
mod list;
mod near;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use russh::client::GexParams;
use russh::keys::{Algorithm, HashAlg};
use russh::{Preferred, cipher, kex, mac};

pub(super) use disagreement::nothing_in_common;
pub use list::{List, ListError};

/// The five lists, one for each of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    /// `SSH_KEX_ALGORITHMS`.
    pub key_exchange: List,
    /// `SSH_HOST_KEY_ALGORITHMS`.
    pub host_keys: List,
    /// `SSH_CIPHERS`.
    pub ciphers: List,
    /// `SSH_MACS`.
    pub macs: List,
    /// `SSH_PUBKEY_ALGORITHMS`: by what a login's key may sign.
    pub public_keys: List,
}

/// What a list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Key exchange.
    KeyExchange,
    /// Signatures of the server's key.
    HostKeys,
    /// Ciphers.
    Ciphers,
    /// Message authentication codes.
    Macs,
    /// Signatures of a login's key.
    PublicKeys,
}

/// Elliptic curves first: their exchange is short and fast. Group exchange last: it takes a round trip more, and
/// what it asks for (`group_exchange`) some servers do not have, which then offer a fixed group as well.
const KEY_EXCHANGE: &[&str] = &[
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group15-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group17-sha512",
    "diffie-hellman-group14-sha256",
    GROUP_EXCHANGE,
];
const OLD_KEY_EXCHANGE: &[&str] = &[
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group1-sha1",
];
const GROUP_EXCHANGE: &str = "diffie-hellman-group-exchange-sha256";

/// Without SHA-1, by which a signature can be forged.
const HOST_KEYS: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];
const OLD_HOST_KEYS: &[&str] = &["ssh-rsa"];

/// AES-GCM first: with AES in the CPU, as on Lambda, it is the fastest, and Terrapin does not concern it. Of its two
/// the one with fewer rounds, as OpenSSH has them.
const CIPHERS: &[&str] = &[
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
];
const OLD_CIPHERS: &[&str] = &["aes256-cbc", "aes192-cbc", "aes128-cbc", "3des-cbc"];

/// Those of the encrypted text first. SHA-256 before SHA-512: CPUs compute it themselves.
const MACS: &[&str] = &[
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
];
const OLD_MACS: &[&str] = &["hmac-sha1-etm@openssh.com", "hmac-sha1"];

const PUBLIC_KEYS: &[&str] = &[
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];
const OLD_PUBLIC_KEYS: &[&str] = &["ssh-rsa", "ssh-rsa-cert-v01@openssh.com"];

/// Bits of a group that the server chooses: at least, best, at most. The fixed groups have 3072 and 4096 for the same.
const GROUP: [usize; 3] = [3072, 4096, 8192];
/// The least that RFC 8270 allows, and russh.
const SMALLEST_GROUP: usize = 2048;

impl Kind {
    /// The setting.
    pub fn setting(self) -> &'static str {
        match self {
            Self::KeyExchange => "SSH_KEX_ALGORITHMS",
            Self::HostKeys => "SSH_HOST_KEY_ALGORITHMS",
            Self::Ciphers => "SSH_CIPHERS",
            Self::Macs => "SSH_MACS",
            Self::PublicKeys => "SSH_PUBKEY_ALGORITHMS",
        }
    }

    /// What is offered unless the setting says otherwise, in this order.
    pub fn safe(self) -> &'static [&'static str] {
        match self {
            Self::KeyExchange => KEY_EXCHANGE,
            Self::HostKeys => HOST_KEYS,
            Self::Ciphers => CIPHERS,
            Self::Macs => MACS,
            Self::PublicKeys => PUBLIC_KEYS,
        }
    }

    /// What is offered only where the setting names it: old servers need it.
    pub fn old(self) -> &'static [&'static str] {
        match self {
            Self::KeyExchange => OLD_KEY_EXCHANGE,
            Self::HostKeys => OLD_HOST_KEYS,
            Self::Ciphers => OLD_CIPHERS,
            Self::Macs => OLD_MACS,
            Self::PublicKeys => OLD_PUBLIC_KEYS,
        }
    }
}

impl Default for Algorithms {
    fn default() -> Self {
        Self {
            key_exchange: List::safe(Kind::KeyExchange),
            host_keys: List::safe(Kind::HostKeys),
            ciphers: List::safe(Kind::Ciphers),
            macs: List::safe(Kind::Macs),
            public_keys: List::safe(Kind::PublicKeys),
        }
    }
}

impl Algorithms {
    /// As russh takes them. Strict key exchange, which answers the Terrapin attack, and the server's list of
    /// signatures are asked for in any case.
    pub(super) fn preferred(&self) -> Preferred {
        let mut exchange: Vec<kex::Name> = known(&self.key_exchange);
        exchange.extend([
            kex::EXTENSION_SUPPORT_AS_CLIENT,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        ]);
        let host_keys = self.host_keys.names().iter();
        Preferred {
            kex: Cow::Owned(exchange),
            key: Cow::Owned(host_keys.filter_map(|name| name.parse().ok()).collect()),
            cipher: Cow::Owned(known::<cipher::Name>(&self.ciphers)),
            mac: Cow::Owned(known::<mac::Name>(&self.macs)),
            ..Preferred::DEFAULT
        }
    }

    /// What is asked of a group that the server chooses. Whoever names group exchange in the setting has a server that
    /// has nothing else, and gets the smallest that is still allowed.
    pub(super) fn group_exchange(&self) -> GexParams {
        let [_, best, most] = GROUP;
        GexParams::new(self.smallest_group(), best, most).unwrap_or_default()
    }

    /// Bits.
    pub(super) fn smallest_group(&self) -> usize {
        let is_exchange = |name: &&str| name.starts_with("diffie-hellman-group-exchange-");
        if self.key_exchange.asked_for().iter().any(is_exchange) {
            SMALLEST_GROUP
        } else {
            GROUP[0]
        }
    }

    /// By which hash an RSA key signs a login, given the best that the server says it knows: nothing at all, `ssh-rsa`, or
    /// a hash, and those that are worse with it. None where the two have nothing in common.
    ///
    /// A server that says nothing is an old one: `ssh-rsa` where it is allowed, for that is what it is allowed for.
    pub(super) fn rsa_hash(&self, server: Option<Option<HashAlg>>) -> Option<Option<HashAlg>> {
        let allowed = self.public_keys.names().iter();
        let mut hashes = allowed.filter_map(|name| match name.parse() {
            Ok(Algorithm::Rsa { hash }) => Some(hash),
            _ => None,
        });
        match server {
            Some(Some(HashAlg::Sha512)) => hashes.next(),
            Some(Some(_)) => hashes.find(|hash| *hash != Some(HashAlg::Sha512)),
            Some(None) => hashes.find(Option::is_none),
            None => {
                let all: Vec<_> = hashes.collect();
                let old = all.iter().find(|hash| hash.is_none());
                old.or(all.first()).copied()
            }
        }
    }

    /// Whether a login's key of this type may sign at all.
    pub(super) fn allows(&self, key: &Algorithm) -> bool {
        let names = self.public_keys.names().iter();
        let mut types = names.filter_map(|name| name.parse::<Algorithm>().ok());
        match key {
            Algorithm::Rsa { .. } => types.any(|it| it.is_rsa()),
            _ => types.any(|it| it == *key),
        }
    }
}

/// Those that russh knows too, which are all: see the test.
fn known<N: TryFrom<&'static str>>(list: &List) -> Vec<N> {
    let names = list.names().iter();
    names.filter_map(|name| N::try_from(name).ok()).collect()
}
