//! The SSH connection to the partner: the only place that names `russh`.
//!
//! | module | what it does |
//! |---|---|
//! | [`connection`] | address → connection with an SFTP session on it |
//! | [`host_key`] | which server is trusted |
//! | [`mismatch`] | what a server has shown that is not pinned |
//! | [`private_key`] | the text of a private key → a key |
//! | [`certificate`] | a user's certificate, and the login by one |
//! | `login` | the methods that are tried, and in which order |
//! | `trust` | whether a server is the pinned one |
//! | `stream` | a TCP stream that can be cut and that notices when nothing is taken |
//! | `identification` | the line by which the server introduces itself |
//! | `channel` | an SSH channel as a transport of the SFTP client |
//! | `further` | the channels beside the first one |
//! | [`error`] | why there is no connection |

pub mod certificate;
mod channel;
pub mod connection;
pub mod error;
mod further;
pub mod host_key;
mod identification;
mod login;
pub mod mismatch;
pub mod private_key;
mod stream;
mod trust;

pub use certificate::Certificate;
pub use connection::{Connection, Target};
pub use error::ConnectError;
pub(crate) use error::KEY_EXCHANGE;
pub use login::Credentials;
pub use private_key::PrivateKey;
pub use trust::connect;
