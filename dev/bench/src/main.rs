//! `make bench`: see the library's documentation.

mod options;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::options::{Command, USAGE};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(options)) => bench::run(&options, |line| print(&format!("{line}\n"))).await,
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

/// At once, and whoever has closed the pipe still gets the exit status.
fn print(text: &str) {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .ok();
}
