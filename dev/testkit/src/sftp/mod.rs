//! An SFTP server in this process: the manners of OpenSSH on a directory, a log of everything that clients did, and
//! hooks that make it fail in every way that a partner's server does.
//!
//! It speaks SSH by russh, and SFTP by a codec of its own, so that it shares no line with the client under test.
//!
//! # Layout
//!
//! | module | idea |
//! |---|---|
//! | `server` | the running server and what tests ask it |
//! | `builder` | its variations |
//! | `hook` | what a test makes of a request |
//! | `request` | a request as tests see it |
//! | `record` | what was seen |
//! | `session` | login and channels |
//! | `channel` | one SFTP channel |
//! | `disk`, `path`, `attributes` | the file system behind it |
//! | `ramp` | files that are compared, not stored |
//! | `extensions` | what it has of OpenSSH's extensions |
//! | `wire` | bytes to calls, answers to bytes |
//! | `socket` | a TCP connection that can be cut |
//! | `odd` | ports where no SFTP server is |

mod attributes;
mod builder;
mod channel;
mod disk;
mod extensions;
mod hook;
mod odd;
mod path;
mod ramp;
mod record;
mod request;
mod server;
mod session;
mod socket;
mod wire;

pub use builder::Builder;
pub use extensions::Extensions;
pub use hook::{Action, disk_full_beyond, every, nth, once};
pub use odd::{ClosedPort, Silent, closed_port, silent};
pub use ramp::Written;
pub use record::{LoginAttempt, Method};
pub use request::{Operation, Request, flags, status};
pub use server::SftpServer;
pub use wire::Attributes;
