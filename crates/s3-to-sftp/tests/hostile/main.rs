//! Servers that are broken or hostile: none loses a file, holds a delivery longer than its time-outs, panics it, or makes it
//! eat memory.
//!
//! | module | what it holds |
//! |---|---|
//! | `line` | SSH from the server's side, packet by packet |
//! | `files` | the SFTP server behind it, while it means well |
//! | `server` | one that means well up to one step |
//! | `faults` | what it does there |
//! | `world` | a delivery to it, and what has to hold of each |
//! | `checked` | a journal that holds each record to the schema of receipts |
//! | `rows` | a test per step and fault |
//!
//! Memory is that which the allocator has given out: it is exact to the byte and the same each time. What the kernel counts
//! (`VmHWM`) is not: it has the pages of the program itself in it, which a debug build reads in as it goes, and what the
//! allocator keeps for later. The server, the S3 and the test are in the same process, so theirs is in the figure as well.

#![expect(
    clippy::print_stdout,
    reason = "a measurement is worth telling, with --nocapture"
)]

#[path = "../delivery/checked.rs"]
mod checked;
mod faults;
mod files;
mod line;
mod rows;
mod server;
mod world;

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;
