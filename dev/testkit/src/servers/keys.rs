//! A server's host key and its user's key, made for one run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey};

/// What a client needs of them; the host's own half is the file `host`.
pub(super) struct Keys {
    /// The user's private key, in OpenSSH format.
    pub(super) user: String,
    /// The user's public key, one line.
    pub(super) user_public: String,
    /// The host's public key, one line `ssh-ed25519 AAAA…`.
    pub(super) host: String,
    /// `SHA256:…`.
    pub(super) fingerprint: String,
}

impl Keys {
    /// Makes both, and writes what the server reads: `host`, a private key, and `authorized_keys`.
    pub(super) fn write(directory: &Path) -> Self {
        let (host, user) = (generate(), generate());
        let text = |key: &PrivateKey| {
            key.to_openssh(LineEnding::LF)
                .expect("a generated key has a text form")
                .to_string()
        };
        let public = |key: &PrivateKey| {
            key.public_key()
                .to_openssh()
                .expect("a generated key has a text form")
        };
        write_private(&directory.join("host"), &text(&host));
        fs::write(directory.join("authorized_keys"), public(&user) + "\n")
            .expect("a new file can be written");
        crate::secrets::register(&text(&user));
        Self {
            user: text(&user),
            user_public: public(&user),
            host: public(&host),
            fingerprint: host.public_key().fingerprint(HashAlg::Sha256).to_string(),
        }
    }
}

fn generate() -> PrivateKey {
    PrivateKey::new(
        KeypairData::Ed25519(Ed25519Keypair::from_seed(&rand::random())),
        "testkit",
    )
    .expect("an ed25519 key of 32 bytes is a key")
}

/// OpenSSH refuses private keys that others may read.
fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("a new file can be written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("one's own file");
}
