//! The command-line program: the function's own path, for people and cron.
//!
//! Results go to standard output, talk to standard error. Exit status: 0 all is done, 1 something is
//! not, 2 could not start.
//!
//! # Layout
//!
//! | module | what it does |
//! |---|---|
//! | `main` | arguments, exit status |
//! | `given`, `env_file`, `function` | what settings are read from |
//! | `check` | goes the way step by step, without an object |
//! | `send` | delivers the objects that are named |
//! | `replay` | lists what was given up, and delivers it |
//! | `worker` | delivers what a queue tells, for as long as it runs |
//! | `place` | an object or a prefix, as it is typed |
//! | `queue` | a queue by its URL, and why it cannot be worked with |
//! | `clean` | lists and removes temporaries that deliveries left |
//! | `settings` | shows what is set, and what can be |
//! | `signals` | what stops a command |
//! | `terminal` | lines, and the bars below them |

mod aws_error;
mod check;
mod clean;
mod env_file;
mod function;
mod given;
mod place;
mod queue;
mod replay;
mod send;
mod settings;
mod signals;
mod terminal;
mod worker;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use aws_config::BehaviorVersion;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use function::Function;
use given::Given;
use s3_to_sftp::settings::Settings;
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Debug, Parser)]
#[command(name = "s3-to-sftp", version, about = "Delivers S3 objects to an SFTP server", after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Read settings from this file, a NAME=VALUE to a line, before the environment
    #[arg(long, value_name = "FILE", global = true)]
    env_file: Option<PathBuf>,
    /// Take the settings of a function that is deployed, by its name or ARN, and none from here
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "env_file")]
    function: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Go the way to the server step by step, and say what works and what to do about the rest
    Check(check::Arguments),
    /// Deliver objects; their sources are kept unless --move is given
    Send(send::Arguments),
    /// List what was given up, in a queue or a bucket, with the reasons; deliver it with --yes
    #[command(alias = "redrive")]
    Replay(replay::Arguments),
    /// Deliver what a queue tells, as the function does, until it is stopped
    Worker(worker::Arguments),
    /// List the temporaries that dead deliveries left on the server; remove them with --yes
    Clean(clean::Arguments),
    /// Show what is set, and where, secrets masked
    Settings(settings::Arguments),
    /// Print the completions of a shell
    Completions {
        /// Which one
        shell: Shell,
    },
    /// Print the man page
    Man,
}

const AFTER_HELP: &str = "\
The server and the login are read from the environment, the file of --env-file, or a function that is deployed:
SSH_HOST, SSH_USERNAME, SSH_PASSWORD or SSH_PRIVATE_KEY, and what --help or the README lists.

Exit status: 0 all that was asked for is done, 1 something is not, 2 could not start.";

/// Something could not be started: bad arguments, bad settings.
const COULD_NOT_START: u8 = 2;

fn main() -> ExitCode {
    // Clap answers bad arguments with 2 by itself.
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match &arguments.command {
        Command::Completions { shell } => return completions(*shell),
        Command::Man => return man(),
        Command::Check(_)
        | Command::Send(_)
        | Command::Replay(_)
        | Command::Worker(_)
        | Command::Clean(_)
        | Command::Settings(_) => {}
    }
    start_logging();
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => could_not_start(&format!("no threads can be started: {error}")),
    }
}

async fn run(arguments: Arguments) -> ExitCode {
    let Arguments {
        command,
        env_file,
        function,
    } = arguments;
    // Whoever asks the function needs no settings of it.
    if let (Command::Check(arguments), Some(name)) = (&command, &function)
        && !arguments.is_local()
    {
        return check::by_function(arguments, name).await;
    }
    let given = match given(env_file, function).await {
        Ok(given) => given,
        Err(problem) => return could_not_start(&problem),
    };
    if let Command::Settings(arguments) = &command {
        return settings::run(arguments, &given);
    }
    let loaded = match Settings::from_lookup(|name| given.lookup(name)) {
        Ok(loaded) => loaded,
        Err(problems) => return could_not_start(&problems.to_string()),
    };
    for warning in given.warnings().iter().chain(&loaded.warnings) {
        tracing::warn!("{warning}");
    }
    match command {
        Command::Check(arguments) => check::run(arguments, loaded.settings, &given).await,
        Command::Send(arguments) => send::run(arguments, loaded.settings).await,
        Command::Replay(arguments) => replay::run(arguments, loaded.settings).await,
        Command::Worker(arguments) => worker::run(arguments, loaded.settings).await,
        Command::Clean(arguments) => clean::run(arguments, loaded.settings).await,
        Command::Settings(_) | Command::Completions { .. } | Command::Man => {
            unreachable!("answered above")
        }
    }
}

async fn given(env_file: Option<PathBuf>, function: Option<String>) -> Result<Given, String> {
    let Some(name) = function else {
        return Given::here(env_file.as_deref()).map_err(|error| error.to_string());
    };
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let variables = Function::new(&aws, &name).variables().await;
    let variables = variables.map_err(|error| error.to_string())?;
    Ok(Given::Function(name, variables))
}

fn could_not_start(problem: &str) -> ExitCode {
    complain(problem);
    ExitCode::from(COULD_NOT_START)
}

fn parse() -> Result<Arguments, clap::Error> {
    let matches = command().try_get_matches()?;
    Arguments::from_arg_matches(&matches)
}

/// `--help` has all settings, `-h` only where they are read from.
fn command() -> clap::Command {
    let help = format!("{AFTER_HELP}\n\n{}", settings::help());
    Arguments::command().after_long_help(help)
}

/// Whoever reads may leave: that is no error.
fn completions(shell: Shell) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "s3-to-sftp", &mut text);
    _ = io::stdout().write_all(&text);
    ExitCode::SUCCESS
}

fn man() -> ExitCode {
    let mut text = Vec::new();
    // Into memory, where nothing fails.
    _ = clap_mangen::Man::new(command()).render(&mut text);
    _ = io::stdout().write_all(&text);
    ExitCode::SUCCESS
}

/// Only what needs attention: the results say the rest. russh and the SDK print secrets below INFO.
fn start_logging() {
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        // What it says is rare: that it waits, that it stops.
        .with_target("s3_to_sftp::worker", LevelFilter::INFO)
        // It warns of each object that was uploaded in parts, which nobody can do anything about.
        .with_target("aws_sdk_s3::http_response_checksum", LevelFilter::ERROR)
        // And of each place that it has looked for a region or credentials in. The error says that there are none.
        .with_target("aws_config", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(terminal::AboveBars)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry()
        .with(lines.with_filter(levels))
        .init();
}

/// Before logging has begun, whose level is one of the settings.
fn complain(problems: &str) {
    // Where nobody reads it, there is nothing to complain of.
    _ = writeln!(io::stderr(), "{problems}");
}
