//! What stops a command: SIGTERM, as containers and services are stopped, SIGINT, which is Ctrl-C, and SIGHUP, which comes when a
//! terminal disappears.

use std::cell::Cell;
use std::fs;
use std::future::pending;
use std::io;

use s3_to_sftp::invocation::Service;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None where it is ignored, as below `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on the process is not ended by them.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if is_hangup_ignored() {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = hung_up(self.hangup.as_mut()) => {
                // The system sends it twice, for the terminal and for the shell; nobody asks once more.
                self.hangup = None;
                "SIGHUP"
            }
        }
    }
}

async fn hung_up(hangup: Option<&mut Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => pending().await,
    }
}

/// Whoever started this wants it to outlive the terminal. Where the system does not tell, it is left as it is.
fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let hangup = 1 << (SignalKind::hangup().as_raw_value() - 1);
    ignored.is_none_or(|mask| mask & hangup != 0)
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
