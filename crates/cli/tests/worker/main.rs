//! `s3-to-sftp worker`: what becomes of a queue's messages, when all goes well, when something fails, and when it is stopped
//! or killed.
//!
//! # Layout
//!
//! | module | what it is |
//! |---|---|
//! | `queue` | a queue that does what SQS does |
//! | `world` | the queue, a bucket, a server, and the command |
//! | `ends` | what is deleted, what comes again and when, what is given up |
//! | `order` | a FIFO queue |
//! | `heartbeat` | what takes longer than messages are hidden |
//! | `stop` | SIGTERM once, and twice |
//! | `start` | what it does not start with |
//! | `killed` | a thousand objects, and a worker that is killed twice |

mod ends;
mod heartbeat;
#[cfg(feature = "real-servers")]
mod killed;
mod order;
mod queue;
mod start;
mod stop;
mod world;
