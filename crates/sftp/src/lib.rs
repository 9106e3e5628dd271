//! An SFTP version 3 client for uploads, over any duplex stream.
//!
//! The protocol is draft-ietf-secsh-filexfer-02 with the extensions `posix-rename`, `fsync` and
//! `limits` of OpenSSH (its `PROTOCOL` file, section 4). What sets this client apart:
//!
//! - Requests are pipelined: every method of [`Session`] queues its request when it is called, and
//!   the [`Reply`] is awaited when the caller wants. A flight is some calls and then some awaits.
//! - Handles are bytes, a status keeps its number, and a payload is never copied.
//! - A packet once begun is written to its end: no future of a caller owns the stream.
//! - A stream on which nothing is answered is noticed, while a slow `fsync` is not mistaken for one.
//!
//! # Layout
//!
//! | module | what it holds |
//! |---|---|
//! | [`packet`] | requests → bytes, bytes → responses; `wire`, `attributes` and `status` are its parts |
//! | [`transport`] | the two traits that a stream has to have |
//! | [`session`] | one SFTP channel: version, requests, answers matched by id and type; `stream`: the tasks that write and read; `pending`: what is not answered yet; `answer`: what a request hoped for |
//! | [`reply`] | a request that is on its way |
//! | [`extensions`] | what the server offers beyond the draft, and its limits |
//! | [`upload`] | pipelined writes to one file under a window; `lane`: one channel of it; `frontier`: what all have acknowledged; `pace`: what may be on its way |
//! | [`readback`] | pipelined reads of one file, in order |
//! | [`error`] | what can go wrong |

mod answer;
mod attributes;
pub mod error;
pub mod extensions;
mod frontier;
mod lane;
mod pace;
pub mod packet;
mod pending;
pub mod readback;
pub mod reply;
pub mod session;
mod status;
mod stream;
pub mod transport;
pub mod upload;
mod wire;

pub use error::{Error, Result};
pub use extensions::{Extensions, Limits};
pub use packet::{Attributes, Handle, OpenFlags, Status, StatusCode};
pub use readback::Readback;
pub use reply::Reply;
pub use session::{Options, Session};
pub use upload::Upload;
