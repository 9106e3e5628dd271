//! Delivers S3 objects to an SFTP server, and deletes each source once it is safely there.
//!
//! # Layout
//!
//! The files are the way of the data:
//!
//! | module | from → to |
//! |---|---|
//! | [`settings`] | the environment, one table → [`settings::Settings`] |
//! | [`event`] | JSON → jobs |
//! | [`batch`] | the messages of a queue: which are done, which come again and when, and which never |
//! | [`invocation`] | the records of one event, over one connection |
//! | [`delivery`] | one object end to end; the only place that begins anew |
//! | [`hand_over`] | what one invocation leaves to the next |
//! | [`owner`] | who delivers: what makes a temporary one delivery's own |
//! | [`source`] | S3: pinned, in order, deleted only if it is still the same |
//! | [`remote_path`] | key → remote path, and the temporary's name |
//! | [`transfer`] | moves bytes between two traits of its own |
//! | `destination` | temporary, verify, publish |
//! | `link` | the one connection of an invocation, shared by its records |
//! | `kept` | what is known of the server from one invocation to the next |
//! | [`profile`] | what of that a receipt tells |
//! | `turns`, `room` | which records wait for which; how many files and bytes are on their way at once |
//! | [`side_by_side`] | futures a few at a time, their results in order |
//! | `deadline` | when something has to be over, which may be brought forward |
//! | `breaker` | how long a server that failed is left alone |
//! | [`ssh`] | connection, host keys, login; the only place that names `russh` |
//! | [`sqs`] | what SQS takes, and what its refusals mean |
//! | [`sweep`] | what has lain in S3 for too long, sent to the queue |
//! | `undeleted` | sources that were delivered and could not be deleted |
//! | [`check`] | each step of the way to the partner, without an object |
//! | [`clean`] | the temporaries that dead deliveries left |
//! | `timeline` | where a delivery is, and how long it was where |
//! | [`journal`] | where that is written down |
//! | [`publisher`] | receipts as events, and as objects |
//! | [`receipt`], [`record`] | what became of a record, and its form on paper |
//! | [`error`] | stage, object, cause, verdict, and what to do next |
//! | `printable` | keys and names as terminals may have them |
//! | [`object`] | what S3 said about one version of one object |
//! | [`rules`] | the rules of the path, by name, so that a test can take one out |
//! | [`secret`] | a value that never prints itself |
//! | [`secrets`] | values that lie in S3, Secrets Manager or the Parameter Store |

pub mod batch;
mod breaker;
pub mod check;
pub mod clean;
mod deadline;
pub mod delivery;
mod destination;
pub mod error;
pub mod event;
pub mod hand_over;
pub mod invocation;
pub mod journal;
mod kept;
mod link;
pub mod object;
pub mod owner;
mod printable;
pub mod profile;
pub mod publisher;
pub mod quirks;
pub mod receipt;
pub mod record;
pub mod remote_path;
mod room;
pub mod rules;
pub mod secret;
pub mod secrets;
pub mod settings;
pub mod side_by_side;
pub mod source;
pub mod sqs;
pub mod ssh;
pub mod sweep;
mod timeline;
pub mod transfer;
mod turns;
mod undeleted;
