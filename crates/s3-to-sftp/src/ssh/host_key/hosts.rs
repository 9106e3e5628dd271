//! Which servers a line of known_hosts is for: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use sha1::Sha1;

use super::error::HostKeyProblem;

/// The second field of a line, or the first where there is no marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hosts(HostPatterns);

/// The server that is connected to, by the names that known_hosts may have for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Of this port: `[host]:port`, and for port 22 the host alone.
    exact: Vec<String>,
    /// Of any port, where no line has the port: ssh(1) takes such a line as well.
    host: String,
}

impl Server {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let host = host.to_lowercase();
        let with_port = format!("[{host}]:{port}");
        let exact = if port == 22 {
            vec![host.clone(), with_port]
        } else {
            vec![with_port]
        };
        Self { exact, host }
    }

    /// The host alone, in lower case.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// As a line would name it.
    pub(super) fn name(&self) -> &str {
        &self.exact[0]
    }
}

impl Hosts {
    /// Reads `name,*.example.com,![192.0.2.7]:2222` or one hashed name, `|1|salt|hash`.
    pub(super) fn parse(field: &str) -> Result<Self, HostKeyProblem> {
        // 20 bytes in base64: what is shorter would be filled up with zeros.
        const HASH: usize = 28;
        if field.starts_with('|') {
            let is_whole = field
                .rsplit('|')
                .next()
                .is_some_and(|hash| hash.len() == HASH);
            return match HostPatterns::from_str(field) {
                Ok(hashed @ HostPatterns::HashedName { .. }) if is_whole => Ok(Self(hashed)),
                _ => Err(HostKeyProblem::HashedName),
            };
        }
        let names = field.split(',').filter(|name| !name.is_empty());
        let names = names.map(str::to_lowercase).collect();
        Ok(Self(HostPatterns::Patterns(names)))
    }

    /// Whether the line is for this server's port.
    pub(super) fn cover(&self, server: &Server) -> bool {
        server.exact.iter().any(|name| self.hold(name)) && !self.exclude(server)
    }

    /// Whether the line is for this server's host.
    pub(super) fn cover_host(&self, server: &Server) -> bool {
        self.hold(&server.host) && !self.exclude(server)
    }

    fn hold(&self, name: &str) -> bool {
        match &self.0 {
            HostPatterns::Patterns(patterns) => {
                patterns.iter().any(|pattern| matches(pattern, name))
            }
            HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
                .is_ok_and(|mac| mac.chain_update(name).verify_slice(hash).is_ok()),
        }
    }

    /// Whether a `!pattern` takes the server out. For ssh(1) `!host,*` leaves `[host]:2222` in; whoever writes that
    /// means the host.
    fn exclude(&self, server: &Server) -> bool {
        let HostPatterns::Patterns(patterns) = &self.0 else {
            return false;
        };
        let mut negated = patterns
            .iter()
            .filter_map(|pattern| pattern.strip_prefix('!'));
        negated.any(|pattern| {
            matches(pattern, &server.host) || server.exact.iter().any(|name| matches(pattern, name))
        })
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            HostPatterns::Patterns(patterns) => f.write_str(&patterns.join(",")),
            HostPatterns::HashedName { .. } => f.write_str("a hashed name"),
        }
    }
}

/// Whether a name fits a pattern with `*` and `?`. Both in lower case.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where the last `*` stands, and how much of the name it takes: one more each time what follows does not fit.
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[read] => {
                at += 1;
                read += 1;
            }
            _ => match &mut star {
                Some((position, taken)) => {
                    *taken += 1;
                    at = *position + 1;
                    read = *taken;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}
