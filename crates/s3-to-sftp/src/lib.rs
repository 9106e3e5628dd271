//! Delivers S3 objects to an SFTP server, and deletes each source once it is safely there.
//!
//! # Layout
//!
//! The files are the way of the data:
//!
//! | module | from → to |
//! |---|---|
//! | [`event`] | JSON → jobs |
//! | [`settings`] | the environment, one table → [`settings::Settings`] |
//! | [`secret`] | a value that never prints itself |
//! | [`object`] | what S3 said about one version of one object |
//! | [`remote_path`] | key → remote path |

pub mod event;
pub mod object;
pub mod remote_path;
pub mod secret;
pub mod settings;
pub mod ssh;
