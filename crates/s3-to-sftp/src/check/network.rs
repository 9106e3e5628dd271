//! The name, and every address of it.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::{Check, Step, Told};
use crate::error::{Cause, Stage};
use crate::ssh::ConnectError;

impl<F: FnMut(Step)> Check<'_, F> {
    pub(super) async fn network(&mut self) -> Told {
        let (host, port) = (self.settings.host.as_str(), self.settings.port);
        let patience = self.settings.connect_timeout;
        let unknown = |source| ConnectError::Name {
            host: host.to_owned(),
            source,
        };
        let addresses: Vec<SocketAddr> = match timeout(patience, lookup_host((host, port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(self.not_connected("name", unknown(Some(error)))),
            Err(_) => return Err(self.not_connected("name", unknown(None))),
        };
        if addresses.is_empty() {
            return Err(self.not_connected("name", unknown(None)));
        }
        let told: Vec<String> = addresses.iter().map(|it| it.ip().to_string()).collect();
        self.ok("name", format!("{host} is {}", told.join(", ")));
        self.dial(addresses).await
    }

    /// One is enough to deliver by; the others are told, for they are what is tried first on another day.
    async fn dial(&mut self, addresses: Vec<SocketAddr>) -> Told {
        let patience = self.settings.connect_timeout;
        let (mut told, mut tried) = (Vec::new(), Vec::new());
        let mut is_there = false;
        for address in addresses {
            let begin = Instant::now();
            let error = match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(_)) => {
                    let millis = begin.elapsed().as_millis();
                    told.push(format!("{address} in {millis} ms"));
                    is_there = true;
                    continue;
                }
                Ok(Err(error)) => error,
                Err(_) => {
                    let message = format!("no answer for {} s", patience.as_secs());
                    io::Error::new(io::ErrorKind::TimedOut, message)
                }
            };
            told.push(format!("{address}: {error}"));
            tried.push((address, error));
        }
        if is_there {
            self.ok("tcp", told.join("; "));
            Ok(())
        } else {
            Err(self.not_connected("tcp", ConnectError::Tcp(tried)))
        }
    }

    fn not_connected(&mut self, name: &'static str, error: ConnectError) -> super::Ended {
        let username = self.settings.username.clone();
        let cause = Cause::Connect {
            username: username.unwrap_or_else(|| "whom SSH_SECRET tells".to_owned()),
            source: Box::new(error),
        };
        self.fail(name, (Stage::Connect, cause))
    }
}
