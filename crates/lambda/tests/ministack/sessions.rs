//! What sshd has seen of its clients, by its log.

use std::collections::HashMap;

/// Counted in the order of its lines. Each of its processes writes them itself, and so an end that is noticed late is
/// counted late.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) connections: usize,
    pub(crate) logins: usize,
    /// At once.
    pub(crate) most_open: usize,
    /// At once.
    pub(crate) most_logged_in: usize,
    /// Ports of clients that began a session whose end is not in the log.
    pub(crate) open: Vec<u16>,
    /// Clients that began none, and whose end is not in the log: a process of sshd that is cut off before it has a
    /// session may go without a word. When that was nobody knows, and so they are not counted at once.
    pub(crate) untold: usize,
}

/// What the log tells of one connection.
#[derive(Debug, Default)]
struct Client {
    port: u16,
    is_logged_in: bool,
    has_session: bool,
    has_ended: bool,
}

/// A line of the log that says something of the `usize`-th client.
#[derive(Debug, Clone, Copy)]
enum Line {
    Connected(usize),
    LoggedIn(usize),
    Ended(usize),
}

impl Sessions {
    pub(crate) fn of(log: &str) -> Self {
        let (clients, lines) = read(log);
        let is_told = |client: usize| clients[client].has_ended || clients[client].has_session;
        let mut sessions = Self::default();
        let (mut open, mut logged_in) = (0, 0);
        for line in lines {
            match line {
                Line::Connected(client) => {
                    sessions.connections += 1;
                    open += usize::from(is_told(client));
                    sessions.most_open = sessions.most_open.max(open);
                }
                Line::LoggedIn(client) => {
                    sessions.logins += 1;
                    logged_in += usize::from(is_told(client));
                    sessions.most_logged_in = sessions.most_logged_in.max(logged_in);
                }
                Line::Ended(client) => {
                    open -= 1;
                    logged_in -= usize::from(clients[client].is_logged_in);
                }
            }
        }
        for client in clients.iter().filter(|client| !client.has_ended) {
            if client.has_session {
                sessions.open.push(client.port);
            } else {
                sessions.untold += 1;
            }
        }
        sessions
    }
}

fn read(log: &str) -> (Vec<Client>, Vec<Line>) {
    let (mut clients, mut lines) = (Vec::<Client>::new(), Vec::new());
    // A port is used again in a long run.
    let mut by_port = HashMap::new();
    for line in log.lines() {
        let Some(port) = port(line) else { continue };
        if line.starts_with("Connection from ") {
            by_port.insert(port, clients.len());
            lines.push(Line::Connected(clients.len()));
            clients.push(Client {
                port,
                ..Client::default()
            });
            continue;
        }
        let Some(&number) = by_port.get(&port) else {
            continue;
        };
        let client = &mut clients[number];
        if line.starts_with("Accepted publickey ") {
            client.is_logged_in = true;
            lines.push(Line::LoggedIn(number));
        } else if line.starts_with("Starting session") {
            client.has_session = true;
        } else if !client.has_ended && ENDS.iter().any(|end| line.contains(end)) {
            client.has_ended = true;
            lines.push(Line::Ended(number));
        }
    }
    (clients, lines)
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

#[test]
fn a_client_whose_end_nobody_told_counts_nowhere_at_once() {
    let log = "\
        Connection from 127.0.0.1 port 1 on 127.0.0.1 port 22 rdomain \"\"\n\
        Accepted publickey for root from 127.0.0.1 port 1 ssh2: ED25519 SHA256:abc\n\
        Connection from 127.0.0.1 port 2 on 127.0.0.1 port 22 rdomain \"\"\n\
        Accepted publickey for root from 127.0.0.1 port 2 ssh2: ED25519 SHA256:abc\n\
        Starting session: subsystem 'sftp' for root from 127.0.0.1 port 2 id 0\n\
        Connection from 127.0.0.1 port 3 on 127.0.0.1 port 22 rdomain \"\"\n\
        Disconnected from user root 127.0.0.1 port 2\n\
        Accepted publickey for root from 127.0.0.1 port 3 ssh2: ED25519 SHA256:abc\n\
        Starting session: subsystem 'sftp' for root from 127.0.0.1 port 3 id 0\n";
    let expected = Sessions {
        connections: 3,
        logins: 3,
        most_open: 2,
        most_logged_in: 1,
        open: vec![3],
        untold: 1,
    };
    assert_eq!(Sessions::of(log), expected);
}
