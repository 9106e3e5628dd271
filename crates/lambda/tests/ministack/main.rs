//! As on AWS: the package that is uploaded, a function made of it, an upload by a client that is not ours, and the file
//! on a real SSH server. AWS is MiniStack, which starts a real `bootstrap`.
//!
//! `PACKAGE_ZIP` names the package, `AWS_CLI` the AWS command line, `MINISTACK` the emulator; `make test` sets them.
//!
//! # Layout
//!
//! | module | what it is |
//! |---|---|
//! | `aws` | the AWS command line |
//! | `account` | an AWS account with buckets, and the server to deliver to |
//! | `queue` | queues of the account |
//! | `bus` | event buses of the account |
//! | `backfill` | what lies in the bucket already: a listing, task by task |
//! | `sweep` | a schedule that finds what no event told of |
//! | `process` | the function's processes, as the system sees them |
//! | `receipts` | `RECEIPT_BUS` and `RECEIPT_PREFIX`, of a function and of a stack |
//! | `relay` | an object that takes many invocations; messages that fail |
//! | `crowd` | many small objects, and the partner's cap |
//! | `sessions` | what sshd has seen of its clients |
//! | `secrets` | Secrets Manager, SSM and S3 as stores of the login |
//! | `stacks` | the template of `deploy/`, by the commands of docs/deploy.md |
//! | `triggers` | uploads, by notification and by queue |
//! | `wrappers` | uploads by SNS and EventBridge; what an on-failure destination holds |
//! | `update` | `make update` of the old function |

mod account;
mod aws;
mod backfill;
mod bus;
mod check;
mod crowd;
mod process;
mod queue;
mod receipts;
mod relay;
mod secrets;
mod sessions;
mod stacks;
mod sweep;
mod triggers;
mod update;
mod wrappers;
