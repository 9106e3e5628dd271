//! The very process that Lambda starts, under the Runtime API, between an S3 and an SFTP server.
//!
//! `BOOTSTRAP` names another executable than the one that cargo has just built.
//!
//! # Layout
//!
//! | module | what it shows |
//! |---|---|
//! | `notifications` | events from S3 itself |
//! | `queue` | batches from SQS |
//! | `relay` | what does not fit into one invocation |
//! | `tampered` | hand-overs that somebody has changed |
//! | `environment` | where AWS's credentials come from |
//! | `failed` | when failed messages come again, and what never does |
//! | `managed_instances` | several invocations at once in one process |
//! | `logins` | how often a login that is refused is tried |
//! | `time` | the deadline, and that nothing outlives an invocation |
//! | `logs` | the lines' form, and what is never in them |
//! | `secrets` | values that lie in a store, and their rotation |
//! | `bad_input` | the rows of the bad-input table that the process answers, and the errors' names |
//! | `world` | the servers and the process |

mod bad_input;
mod environment;
mod failed;
mod logins;
mod logs;
mod managed_instances;
mod notifications;
mod queue;
mod relay;
mod secrets;
mod tampered;
mod time;
mod world;
