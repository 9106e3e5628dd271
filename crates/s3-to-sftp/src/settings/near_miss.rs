//! Names that look like settings and are none.
//!
//! Never an error: sshd sets `SSH_*` variables of its own, and whoever tests over SSH has them.

use super::reader::set_value;

/// What people write, and what they mean.
const NEAR_MISSES: [(&str, &str); 57] = [
    ("SSH_HOSTNAME", "SSH_HOST"),
    ("SSH_SERVER", "SSH_HOST"),
    ("SSH_ADDRESS", "SSH_HOST"),
    ("SFTP_HOST", "SSH_HOST"),
    ("SSH_USER", "SSH_USERNAME"),
    ("SSH_USER_NAME", "SSH_USERNAME"),
    ("SSH_LOGIN", "SSH_USERNAME"),
    ("SFTP_USERNAME", "SSH_USERNAME"),
    ("SFTP_USER", "SSH_USERNAME"),
    ("SSH_PASS", "SSH_PASSWORD"),
    ("SSH_PASSWD", "SSH_PASSWORD"),
    ("SSH_PWD", "SSH_PASSWORD"),
    ("SFTP_PASSWORD", "SSH_PASSWORD"),
    ("SSH_KEY", "SSH_PRIVATE_KEY"),
    ("SSH_PRIVATEKEY", "SSH_PRIVATE_KEY"),
    ("SSH_KEY_FILE", "SSH_PRIVATE_KEY"),
    ("SSH_IDENTITY_FILE", "SSH_PRIVATE_KEY"),
    ("SFTP_PRIVATE_KEY", "SSH_PRIVATE_KEY"),
    ("SSH_PASS_PHRASE", "SSH_PASSPHRASE"),
    ("SSH_KEY_PASSPHRASE", "SSH_PASSPHRASE"),
    ("SSH_KEY_PASSWORD", "SSH_PASSPHRASE"),
    ("SSH_PRIVATE_KEY_PASSPHRASE", "SSH_PASSPHRASE"),
    ("SSH_PRIVATE_KEY_PASSWORD", "SSH_PASSPHRASE"),
    ("SSH_CERT", "SSH_CERTIFICATE"),
    ("SSH_CERTIFICATE_FILE", "SSH_CERTIFICATE"),
    ("SSH_SECRET_ARN", "SSH_SECRET"),
    ("SSH_SECRET_ID", "SSH_SECRET"),
    ("SFTP_PORT", "SSH_PORT"),
    ("SSH_DIRECTORY", "SSH_DIR"),
    ("SSH_PATH", "SSH_DIR"),
    ("SSH_FOLDER", "SSH_DIR"),
    ("SFTP_DIR", "SSH_DIR"),
    ("SSH_FILE_NAME", "SSH_FILENAME"),
    ("S3_PREFIX", "S3_STRIP_PREFIX"),
    ("S3_STRIPPREFIX", "S3_STRIP_PREFIX"),
    ("SSH_TEMPORARY", "SSH_TEMPORARY_NAME"),
    ("SSH_TEMP_NAME", "SSH_TEMPORARY_NAME"),
    ("SSH_KNOWN_HOSTS", "SSH_HOST_KEY"),
    ("SSH_HOST_KEYS", "SSH_HOST_KEY"),
    ("SSH_HOSTKEY", "SSH_HOST_KEY"),
    ("SSH_CIPHER", "SSH_CIPHERS"),
    ("SSH_KEX", "SSH_KEX_ALGORITHMS"),
    ("SSH_KEXALGORITHMS", "SSH_KEX_ALGORITHMS"),
    ("SSH_MAC", "SSH_MACS"),
    ("SSH_HOSTKEY_ALGORITHMS", "SSH_HOST_KEY_ALGORITHMS"),
    ("SSH_PUBKEY_ACCEPTED_ALGORITHMS", "SSH_PUBKEY_ALGORITHMS"),
    ("SSH_TIMEOUT", "SSH_CONNECT_TIMEOUT"),
    ("SSH_CONFLICT", "SSH_ON_CONFLICT"),
    ("SSH_MODE", "SSH_FILE_MODE"),
    ("SSH_CHMOD", "SSH_FILE_MODE"),
    ("SSH_PERMISSIONS", "SSH_FILE_MODE"),
    ("DEAD_LETTER_QUEUE", "DEAD_LETTER_QUEUE_URL"),
    ("DLQ_URL", "DEAD_LETTER_QUEUE_URL"),
    ("SWEEP_QUEUE", "SWEEP_QUEUE_URL"),
    ("SWEEP_QUEUE_ARN", "SWEEP_QUEUE_URL"),
    ("LOG_LEVEL", "LOGGING_LEVEL"),
    ("LOGLEVEL", "LOGGING_LEVEL"),
];

/// One line for each that is set. Values are not in it: some of them are passwords.
pub(super) fn warnings(lookup: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let set = NEAR_MISSES
        .iter()
        .filter(|(name, _)| set_value(lookup, name).is_some());
    set.map(|(name, meant)| format!("{name} is set, but nothing reads it; did you mean {meant}?"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TABLE;

    #[test]
    fn means_settings_and_is_none() {
        for (name, meant) in NEAR_MISSES {
            assert!(TABLE.iter().any(|row| row.name == meant), "{meant}");
            assert!(TABLE.iter().all(|row| row.name != name), "{name}");
        }
    }
}
