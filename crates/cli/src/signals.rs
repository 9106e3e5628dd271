//! What stops a command: SIGTERM, as containers and services are stopped, and SIGINT, which is Ctrl-C.

use std::cell::Cell;
use std::io;

use s3_to_sftp::invocation::Service;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the process is not ended by them.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The first signal stops: nothing more is begun, and what is on its way is broken off, and removed from the server. Ends with
/// the second one.
pub(crate) async fn break_off(signals: &mut Signals, service: &Service, is_stopped: &Cell<bool>) {
    let signal = signals.next().await;
    tracing::warn!(
        "{signal}: what is being delivered is broken off, and taken back from the server; once more ends at once"
    );
    is_stopped.set(true);
    service.end_by(Instant::now());
    let signal = signals.next().await;
    tracing::warn!("{signal} once more: temporaries may be left; `s3-to-sftp clean` lists them");
}
