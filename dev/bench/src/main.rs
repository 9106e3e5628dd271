//! `make bench`: see the library's documentation.

mod options;

use std::io::{self, Write};
use std::process::ExitCode;

use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::{Command, USAGE};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(options)) => {
            // Ended by its default action, this program would leave servers and gigabytes behind.
            tokio::select! {
                done = bench::run(&options, |line| print(&format!("{line}\n"))) => done,
                () = interrupted() => Err("interrupted: what was measured until now is kept".into()),
            }
        }
        Ok(Command::Report(out)) => bench::report(&out).map(|path| {
            print(&format!("{}\n", path.display()));
        }),
        Ok(Command::List) => {
            for workload in bench::workload::plan(false) {
                print(&format!("{}\n", workload.name));
            }
            Ok(())
        }
        Ok(Command::ServeS3) => bench::serve_s3().await.map_err(|error| error.to_string()),
        Ok(Command::Help) => {
            print(USAGE);
            Ok(())
        }
        Err(problem) => Err(format!("{problem}\n\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed as well; the exit status is left.
            writeln!(io::stderr(), "bench: {failure}").ok();
            ExitCode::FAILURE
        }
    }
}

/// By Ctrl-C, or by a `kill` without a number. A program that is being measured gets the first as well, and is waited for.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// At once, and whoever has closed the pipe still gets the exit status.
fn print(text: &str) {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .ok();
}
