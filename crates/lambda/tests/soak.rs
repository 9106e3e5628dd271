//! The short form of `make soak`: the process is killed and frozen, and everything around it fails, on real servers.
//!
//! `BOOTSTRAP` names another executable than the one that cargo has just built.

use std::env;
use std::path::PathBuf;

use soak::world::ServerKind;
use soak::{Known, Options};

/// The same in every run: what differs is the machine's own time.
const SEED: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "figures are what this test is read for"
)]
async fn nothing_is_lost_or_half_there_whatever_is_killed() {
    let options = Options {
        kills: 5,
        seed: SEED,
        size: 256 << 20,
        servers: vec![ServerKind::Sshd, ServerKind::Rclone],
        only: None,
        known: Known::default(),
        bootstrap: executable(),
    };
    let done = soak::run(&options, |line| println!("{line}")).await;
    let report = done.unwrap_or_else(|found| panic!("{}\n{}", found.0, found.1));
    println!("\n{report}");
    // What it is for has happened.
    assert!(report.kills + report.stops >= options.kills, "{report}");
    assert!(report.restarts > 0 && report.cuts > 0, "{report}");
    assert!(report.s3_faults > 0 && report.stalls > 0, "{report}");
    assert!(report.bytes_compared >= u64::from(report.rounds) * (options.size - 10_000));
    assert_eq!(report.bytes_lost, 0);
}

fn executable() -> PathBuf {
    env::var_os("BOOTSTRAP").map_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into(), PathBuf::from)
}
