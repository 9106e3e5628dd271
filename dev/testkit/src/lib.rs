//! Servers for tests and the demo: embedded ones for speed and faults, starters for real ones.
//! Never ships, and never names the library that it tests.
//!
//! # Layout
//!
//! | module | what it starts or makes |
//! |---|---|
//! | [`payload`] | bytes that tell their own offset |
//! | [`event`] | notifications as S3 sends them |
//! | [`s3`] | an S3 in memory |
//! | [`sftp`] | an SFTP server in this process |
//! | [`program`] | a program that runs to its end |
//! | [`proxy`] | the network between: delay, rate, stall, cut |
//! | [`aws_calls`] | SQS, Lambda, Secrets Manager and SSM, as far as a function calls them |
//! | [`runtime_api`] | the Lambda Runtime API, and a `bootstrap` under it |
//! | `receipt` | receipts, held to their schema |
//! | [`secrets`] | passwords, and a record of what is written while they are in use |
//! | [`servers`] | real servers: sshd, rclone, sftp-server, MiniStack |

pub mod account;
pub mod aws_calls;
pub mod event;
pub mod payload;
pub mod program;
pub mod proxy;
#[cfg(feature = "receipts")]
pub mod receipt;
pub mod runtime_api;
pub mod s3;
pub mod secrets;
pub mod servers;
pub mod sftp;
