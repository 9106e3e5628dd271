//! Real servers: what clients meet outside, started with a configuration of their own on a free port of loopback, and
//! ended with the value that stands for them.
//!
//! A server that is not installed is an error that names what to install. Tests fail with it: a test that skips itself
//! is one that nobody misses.
//!
//! # Layout
//!
//! | module | what it starts |
//! |---|---|
//! | [`sshd`] | OpenSSH's server |
//! | [`asyncssh`] | AsyncSSH: logins of every kind, in Python |
//! | [`proftpd`] | ProFTPD with mod_sftp |
//! | [`rclone`] | rclone's `serve sftp`: Go's server |
//! | [`pipes`] | OpenSSH's `sftp-server` without SSH, on its standard input and output |
//! | [`ministack`] | MiniStack, an emulator of AWS |
//! | [`transfer`] | its Transfer Family server |
//! | [`process`] | any of them: its output, its end |
//! | `user` | a user of this machine, for sshd |
//! | `keys` | the keys of one run |
//! | `thread` | not these: where the servers in this process run |

pub mod asyncssh;
mod keys;
pub mod ministack;
pub mod pipes;
pub mod process;
pub mod proftpd;
pub mod rclone;
pub mod sshd;
pub(crate) mod thread;
pub mod transfer;
mod user;

pub use asyncssh::AsyncSsh;
pub use ministack::MiniStack;
pub use pipes::SftpServerProcess;
pub use proftpd::ProFtpd;
pub use rclone::Rclone;
pub use sshd::Sshd;
pub use transfer::Transfer;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::{env, fmt};

/// How often a server is started anew when somebody else took its port in the meantime.
const TRIES: usize = 5;

/// A server that is not installed on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The program that was looked for.
    pub program: &'static str,
    /// What to do about it.
    pub install: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not installed: {}", self.program, self.install)
    }
}

impl std::error::Error for Missing {}

/// A port that was free a moment ago, for programs that cannot be given a socket or port 0. Whoever uses it has to
/// be ready to find it taken, and to try another one.
///
/// # Panics
///
/// When no port of loopback can be bound.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port of loopback can be bound")
        .port()
}

/// The first of some absolute paths, or of the program's name in `PATH`, that is there.
fn find(program: &str, places: &[&str]) -> Option<PathBuf> {
    let in_path = env::var_os("PATH")
        .into_iter()
        .flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    places
        .iter()
        .map(PathBuf::from)
        .chain(in_path.map(|directory| directory.join(program)))
        .find(|path| path.is_file())
}

/// The root of the workspace, where `make` puts what it installs for tests.
fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
