//! What sshd has seen of its clients, by its log.

use std::collections::BTreeSet;

/// Counted in the order of its lines. Each of its processes writes them itself, and so an end that is noticed late is
/// counted late.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub(crate) connections: usize,
    pub(crate) logins: usize,
    /// At once.
    pub(crate) most_open: usize,
    /// At once.
    pub(crate) most_logged_in: usize,
    /// Ports of clients whose end is not in the log.
    pub(crate) open: BTreeSet<u16>,
}

impl Sessions {
    pub(crate) fn of(log: &str) -> Self {
        let mut sessions = Self::default();
        let mut logged_in = BTreeSet::new();
        // Those of them that have no session yet.
        let mut fresh = Vec::new();
        for line in log.lines() {
            let Some(port) = port(line) else {
                // Said of nobody, between the login and the session.
                if line.starts_with("ssh_packet_send_debug: ") && !fresh.is_empty() {
                    let port = fresh.remove(0);
                    sessions.open.remove(&port);
                    logged_in.remove(&port);
                }
                continue;
            };
            if line.starts_with("Connection from ") {
                sessions.connections += 1;
                sessions.open.insert(port);
                sessions.most_open = sessions.most_open.max(sessions.open.len());
            } else if line.starts_with("Accepted publickey ") {
                sessions.logins += 1;
                logged_in.insert(port);
                fresh.push(port);
                sessions.most_logged_in = sessions.most_logged_in.max(logged_in.len());
            } else if line.starts_with("Starting session") {
                fresh.retain(|it| *it != port);
            } else if ENDS.iter().any(|end| line.contains(end)) {
                sessions.open.remove(&port);
                logged_in.remove(&port);
                fresh.retain(|it| *it != port);
            }
        }
        sessions
    }
}

/// Said of a connection that is over, or is about to be.
const ENDS: [&str; 5] = [
    "Disconnected from ",
    "Connection closed by ",
    "Connection reset by ",
    "Read error from remote host ",
    "dispatch_run_fatal: Connection ",
];

/// The client's: the first one that is named.
fn port(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once(" 127.0.0.1 port ")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}
