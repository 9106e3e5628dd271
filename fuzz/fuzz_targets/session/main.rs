//! A session of the SFTP client against a server that a script drives, on one stream in memory and a paused clock.
//!
//! It always ends, it needs no more memory than its windows, and what it calls done the server has acknowledged.

#![no_main]

mod client;
mod server;

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use tokio::io::{duplex, split};
use tokio::time::timeout;

use client::Plan;
use server::{Script, Server};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What is in flight is shared with the source; the rest are packets on both sides.
const MOST_MEMORY: usize = 24 * 1024 * 1024;

/// On the paused clock: some stalls, one after the other, and the server's own patience.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Debug, Arbitrary)]
struct Case {
    script: Script,
    plan: Plan,
}

fuzz_target!(|case: Case| {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (near, far) = duplex(64 * 1024);
        let server = Server::new(case.script);
        let told = server.told();
        let (reader, writer) = split(far);
        let server = tokio::spawn(server.run(reader, writer));
        let run = timeout(LONGEST, client::run(case.plan, near, &told));
        run.await.expect("a session always ends");
        server.abort();
    });
    drop(runtime);
    let needed = ALLOCATOR.peak_usage() - before;
    assert!(needed < MOST_MEMORY, "{needed} bytes of memory");
});
