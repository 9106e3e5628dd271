//! What a client needs to log in to a server of this crate, whichever it is.

use std::path::PathBuf;

/// An account on an SFTP server, embedded or real.
#[derive(Debug, Clone)]
pub struct Account {
    /// Address to connect to: always loopback.
    pub host: String,
    /// The port that the server was given by the system.
    pub port: u16,
    /// User name.
    pub username: String,
    /// Password, where the server takes one.
    pub password: Option<String>,
    /// Private key in OpenSSH format, where the server takes one.
    pub private_key: Option<String>,
    /// The server's host key, one line `ssh-ed25519 AAAA…`.
    pub host_key: String,
    /// The login directory on this machine's disk, to look at what arrived.
    pub home: PathBuf,
    /// What `SSH_DIR` has to be for files to land in `home`; none where that is the login directory.
    pub dir: Option<String>,
}

impl Account {
    /// The settings of a program that logs in by password.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SSH_HOST", self.host.clone()),
            ("SSH_PORT", self.port.to_string()),
            ("SSH_USERNAME", self.username.clone()),
            ("SSH_PASSWORD", self.password.clone().unwrap_or_default()),
            ("SSH_HOST_KEY", self.host_key.clone()),
        ]
    }
}
