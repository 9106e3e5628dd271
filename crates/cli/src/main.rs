//! The command-line program: the function's own path, for people and cron.
//!
//! Results go to standard output, talk to standard error. Exit status: 0 all is done, 1 something is
//! not, 2 could not start.
//!
//! # Layout
//!
//! | module | what it does |
//! |---|---|
//! | `main` | arguments, settings, exit status |
//! | `send` | delivers the objects that are named |
//! | `clean` | lists and removes temporaries that deliveries left |

mod clean;
mod send;

use std::env;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use s3_to_sftp::settings::Settings;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Debug, Parser)]
#[command(version, about = "Delivers S3 objects to an SFTP server", after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Deliver objects; their sources are kept unless --move is given
    Send(send::Arguments),
    /// List the temporaries that dead deliveries left on the server; remove them with --yes
    Clean(clean::Arguments),
}

const AFTER_HELP: &str = "\
The server and the login are read from the environment, as the function reads them:
SSH_HOST, SSH_USERNAME, SSH_PASSWORD or SSH_PRIVATE_KEY, and what the README lists.

Exit status: 0 all that was asked for is done, 1 something is not, 2 could not start.";

/// Something could not be started: bad arguments, bad settings.
const COULD_NOT_START: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    // Clap answers bad arguments with 2 by itself.
    let Arguments { command } = Arguments::parse();
    let loaded = match Settings::from_lookup(|name| env::var(name).ok()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            complain(&problems.to_string());
            return ExitCode::from(COULD_NOT_START);
        }
    };
    start_logging();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match command {
        Command::Send(arguments) => send::run(arguments, loaded.settings).await,
        Command::Clean(arguments) => clean::run(arguments, loaded.settings).await,
    }
}

/// Only what needs attention: the results say the rest. russh and the SDK print secrets below INFO.
fn start_logging() {
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        // It warns of each object that was uploaded in parts, which nobody can do anything about.
        .with_target("aws_sdk_s3::http_response_checksum", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry()
        .with(lines.with_filter(levels))
        .init();
}

#[expect(
    clippy::print_stderr,
    reason = "logging has not begun: its level is one of the settings"
)]
fn complain(problems: &str) {
    eprintln!("{problems}");
}
