//! The SSH connection to the partner: the only place that names `russh`.
//!
//! | module | what it does |
//! |---|---|
//! | `dial` | name → TCP connection, beside whatever is fetched meanwhile |
//! | [`connection`] | TCP connection → login → SFTP session |
//! | `client` | what the SSH library asks of us, and tells us |
//! | [`algorithms`] | which algorithms are offered |
//! | [`host_key`] | which server is trusted |
//! | [`mismatch`] | what a server has shown that is not pinned |
//! | [`private_key`] | the text of a private key → a key |
//! | [`certificate`] | a user's certificate, and the login by one |
//! | `login` | the methods that are tried, and in which order |
//! | `trust` | whether a server is the pinned one |
//! | `login/progress` | what the server has made of the credentials so far |
//! | `login/prompts` | the questions of keyboard-interactive |
//! | `seen` | what a connection's task has seen of the server |
//! | `farewell` | why a connection has ended: the server's words, or what broke |
//! | `foreign` | what others say, made fit for a log |
//! | `stream` | a TCP stream that can be cut and that notices when nothing is taken |
//! | `inquiry` | what a server has shown, also where no connection comes of it |
//! | `identification` | the line by which the server introduces itself |
//! | `channel` | an SSH channel as a transport of the SFTP client |
//! | `further` | the channels beside the first one |
//! | [`error`] | why there is no connection |

pub mod algorithms;
pub mod certificate;
mod channel;
mod client;
pub mod connection;
mod dial;
pub mod error;
mod farewell;
mod foreign;
mod further;
pub mod host_key;
mod identification;
mod inquiry;
mod login;
pub mod mismatch;
pub mod private_key;
mod seen;
mod stream;
mod trust;

pub use algorithms::Algorithms;
pub use certificate::Certificate;
pub use connection::{Connection, REKEY, Target};
pub use dial::Dialed;
pub(crate) use error::{CHANNEL, KEY_EXCHANGE, LOGIN, START};
pub use error::{ConnectError, Unanswered};
pub use inquiry::{Inquiry, Shown};
pub use login::{Credentials, Refused};
pub use private_key::PrivateKey;
pub use seen::Negotiated;
pub use trust::connect;
