//! Things on a port that are no SFTP server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use tokio::net::TcpSocket;

/// Takes connections and never says a word, until it is dropped: a dead load balancer, or a firewall's tarpit.
///
/// # Panics
///
/// When no port of loopback can be bound.
pub fn silent() -> Silent {
    // The kernel completes connections for a listener that never accepts, as long as its backlog has room.
    Silent(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback can be bound"))
}

/// See [`silent`].
pub struct Silent(TcpListener);

impl Silent {
    /// The port.
    pub fn port(&self) -> u16 {
        port(self.0.local_addr())
    }
}

/// A port where connections are refused, and that nobody else can take, until it is dropped.
///
/// # Panics
///
/// When no port of loopback can be bound.
pub fn closed_port() -> ClosedPort {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    // Bound and not listening: connecting is refused, and the system gives the port to nobody.
    socket
        .bind((Ipv4Addr::LOCALHOST, 0).into())
        .expect("a port of loopback can be bound");
    ClosedPort(socket)
}

/// See [`closed_port`].
pub struct ClosedPort(TcpSocket);

impl ClosedPort {
    /// The port.
    pub fn port(&self) -> u16 {
        port(self.0.local_addr())
    }
}

fn port(address: std::io::Result<SocketAddr>) -> u16 {
    address.expect("a bound socket has an address").port()
}
