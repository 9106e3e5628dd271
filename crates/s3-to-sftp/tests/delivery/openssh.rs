//! The promises, against OpenSSH's sshd: an implementation that we did not write.

use s3_to_sftp::secret::Secret;
use s3_to_sftp::ssh::PrivateKey;
use testkit::servers::Sshd;

use crate::promises::promises;
use crate::world::World;

async fn world() -> World {
    let server = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    World::new(server.account(), server).await
}

promises!(world);

/// Every type, in every format that `ssh-keygen` writes without a passphrase.
#[test]
fn every_unencrypted_private_key_of_ssh_keygen_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    for (kind, bits) in [
        ("rsa", "2048"),
        ("ecdsa", "256"),
        ("ecdsa", "384"),
        ("ecdsa", "521"),
        ("ed25519", "256"),
    ] {
        for format in ["RFC4716", "PEM", "PKCS8"] {
            let path = directory.path().join(format!("{kind}-{bits}-{format}"));
            let made = std::process::Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-b", bits, "-m", format, "-N", "", "-f"])
                .arg(&path)
                .status()
                .expect("ssh-keygen is there: apt-get install openssh-client");
            assert!(made.success());
            let text = std::fs::read_to_string(&path).expect("it was made");
            let key = PrivateKey::parse(&Secret::new(text));
            assert!(key.is_ok(), "{kind} {bits} {format}: {key:?}");
        }
    }
}

/// The file and its name: OpenSSH opens a directory for FSYNC.
#[tokio::test]
async fn a_delivery_to_openssh_survives_a_power_cut() {
    let world = world().await;
    world.put("a/f", "content");
    let outcome = world.deliver("a/f").await;
    let receipt = crate::promises::links::delivered(outcome);
    assert_eq!(receipt.durable, s3_to_sftp::receipt::Durable::FileAndName);
}
