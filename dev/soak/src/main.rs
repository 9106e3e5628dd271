//! `make soak`: see the library's documentation.

mod options;

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::options::{Command, USAGE};

#[tokio::main]
async fn main() -> ExitCode {
    let command = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(command)) => command,
        Ok(Command::Help) => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            print(&format!("soak: {problem}\n\n{USAGE}"));
            return ExitCode::FAILURE;
        }
    };
    print(&format!("seed {}\n", command.options.seed));
    let (report, violation) =
        match soak::run(&command.options, |line| print(&format!("{line}\n"))).await {
            Ok(report) => (report, None),
            Err(found) => (found.1, Some(found.0)),
        };
    print(&format!("\n{report}"));
    if let Some(path) = &command.report
        && let Err(error) = fs::write(path, report.markdown())
    {
        print(&format!(
            "\nsoak: cannot write {}: {error}\n",
            path.display()
        ));
        return ExitCode::FAILURE;
    }
    match violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            print(&format!("\n{violation}\n"));
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
