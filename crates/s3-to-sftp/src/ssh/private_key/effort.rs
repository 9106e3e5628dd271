//! How much work a file may ask for before its passphrase is tried. What makes a passphrase expensive to guess is told by
//! the file itself: memory that is not there ends the process, and rounds without end take the processor from all that is
//! on its way, long after somebody has stopped waiting for the key.

use pkcs5::pbes2::Kdf as PkcsKdf;
use russh::keys::ssh_key::Kdf as OpensshKdf;

use super::PrivateKeyError;

/// The most work that is done for a passphrase.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Of bcrypt: `ssh-keygen -a`.
    rounds: u32,
    /// Of PBKDF2.
    iterations: u32,
    /// Of scrypt and Argon2.
    memory_mib: u64,
    /// What goes through that memory, all passes together.
    hashed_mib: u64,
}

impl Effort {
    /// Ten to forty seconds of a whole processor, by the way (bcrypt 13, PBKDF2 11, scrypt 41). PuTTY takes 8 MiB by itself, OpenSSL 16, and
    /// a function has 128 MiB or more.
    pub(super) const MOST: Self = Self {
        rounds: 2_000,
        iterations: 50_000_000,
        memory_mib: 64,
        hashed_mib: 16 * 1024,
    };

    /// So little that keys can be tried by the thousand: for fuzzing, and nothing else.
    #[doc(hidden)]
    pub const LITTLE: Self = Self {
        rounds: 2,
        iterations: 2_048,
        memory_mib: 1,
        hashed_mib: 2,
    };

    /// Whether OpenSSH's format asks for no more.
    pub(super) fn allows_openssh(self, kdf: &OpensshKdf) -> Result<(), PrivateKeyError> {
        match kdf {
            OpensshKdf::Bcrypt { rounds, .. } if *rounds > self.rounds => {
                Err(too_much(*rounds, "rounds of bcrypt"))
            }
            _ => Ok(()),
        }
    }

    /// Whether PKCS#8 does.
    pub(super) fn allows_pkcs8(self, kdf: &PkcsKdf) -> Result<(), PrivateKeyError> {
        match kdf {
            PkcsKdf::Pbkdf2(params) if params.iteration_count > self.iterations => {
                Err(too_much(params.iteration_count, "rounds of PBKDF2"))
            }
            PkcsKdf::Scrypt(params) => {
                // pkcs5 0.8.1 panics at none at all (`TryFrom<&ScryptParams>`).
                if params.cost_parameter == 0 {
                    return Err(PrivateKeyError::damaged("scrypt's cost is 0"));
                }
                let block = 128 * u64::from(params.block_size);
                let memory = params.cost_parameter.saturating_mul(block);
                self.allows_memory(memory, u64::from(params.parallelization))
            }
            _ => Ok(()),
        }
    }

    /// Whether `bytes` of memory, gone through so many times, are no more.
    pub(super) fn allows_memory(self, bytes: u64, passes: u64) -> Result<(), PrivateKeyError> {
        const MIB: u64 = 1024 * 1024;
        if bytes > self.memory_mib * MIB {
            return Err(PrivateKeyError::Memory(bytes / MIB));
        }
        if bytes.saturating_mul(passes) > self.hashed_mib * MIB {
            return Err(too_much(passes, "passes through its memory"));
        }
        Ok(())
    }
}

fn too_much(number: impl Into<u64>, of: &str) -> PrivateKeyError {
    PrivateKeyError::Effort(format!("{} {of}", number.into()))
}
