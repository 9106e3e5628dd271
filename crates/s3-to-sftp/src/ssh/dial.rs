//! A name becomes a TCP connection: all that needs neither keys nor credentials, and so can be done beside fetching them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::ConnectError;

/// A TCP connection on which nothing was said yet. Dropped, it is closed.
#[derive(Debug)]
pub struct Dialed {
    pub(super) tcp: TcpStream,
    pub(super) address: SocketAddr,
}

impl Dialed {
    /// Tries all addresses of a name in the order of the resolver, each for `patience`, which is the resolver's too.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Name`], or [`ConnectError::Tcp`] with what became of each address.
    pub async fn new(host: &str, port: u16, patience: Duration) -> Result<Self, ConnectError> {
        let unknown = |source| ConnectError::Name {
            host: host.to_owned(),
            source,
        };
        let addresses = timeout(patience, lookup_host((host, port)))
            .await
            .map_err(|_| unknown(None))?
            .map_err(|error| unknown(Some(error)))?;
        let mut tried = Vec::new();
        for address in addresses {
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // Requests are small and written in batches: Nagle would hold each for a round trip.
                    if let Err(error) = tcp.set_nodelay(true) {
                        tried.push((address, error));
                        continue;
                    }
                    return Ok(Self { tcp, address });
                }
                Ok(Err(error)) => tried.push((address, error)),
                Err(_) => {
                    let seconds = patience.as_secs();
                    let message = format!("no answer for {seconds} s");
                    tried.push((address, io::Error::new(io::ErrorKind::TimedOut, message)));
                }
            }
        }
        if tried.is_empty() {
            Err(unknown(None))
        } else {
            Err(ConnectError::Tcp(tried))
        }
    }
}
