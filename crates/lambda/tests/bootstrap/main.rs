//! The very process that Lambda starts, under the Runtime API, between an S3 and an SFTP server.
//!
//! `BOOTSTRAP` names another executable than the one that cargo has just built.
//!
//! # Layout
//!
//! | module | what it shows |
//! |---|---|
//! | `notifications` | events from S3 itself |
//! | `topic` | messages from SNS |
//! | `eventbridge` | events from EventBridge |
//! | `queue` | batches from SQS |
//! | `fifo` | batches from FIFO queues |
//! | `twice` | an object that is named more than once, and two with one name |
//! | `redrive` | what failed before, or is written by hand |
//! | `fixtures` | every file in `fixtures/events/` |
//! | `batch_operations` | tasks of S3 Batch Operations |
//! | `sweep`, `sweep_refused` | what has lain in S3 for too long; why it is not sent |
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
mod batch_operations;
mod check;
mod environment;
mod eventbridge;
mod failed;
mod fifo;
mod fixtures;
mod logins;
mod logs;
mod managed_instances;
mod notifications;
mod queue;
mod receipts;
mod redrive;
mod relay;
mod secrets;
mod sweep;
mod sweep_refused;
mod tampered;
mod time;
mod topic;
mod twice;
mod world;
