//! One command that shows the whole thing: files are uploaded to an S3, and arrive on an SFTP server through the
//! very `bootstrap` that is uploaded to AWS. No account, no root, nothing to install.
//!
//! # Layout
//!
//! | module | what it does |
//! |---|---|
//! | `main` | the order of events |
//! | `options` | the command line, and where `bootstrap` is |
//! | `files` | what is uploaded |
//! | `world` | the servers and `bootstrap` |
//! | `delivery` | a notification, and what came of it: compared, not believed |
//! | `transcript` | what is printed |
//! | `stay` | `--stay`: uploads by others |
//!
//! The exit status is 0 only when every file was compared byte by byte and every source is gone.

mod delivery;
mod files;
mod options;
mod stay;
mod transcript;
mod world;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use tokio::signal::ctrl_c;

use crate::options::{Command, Options};
use crate::transcript::{Total, Transcript};
use crate::world::World;

/// Why the demo cannot go on; its Display is all that is printed.
type Failure = Box<dyn Error + Send + Sync>;

/// What shells show for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(options)) => demo(&options).await,
        Ok(Command::Help) => transcript::print(options::USAGE)
            .map(|()| ExitCode::SUCCESS)
            .map_err(Into::into),
        Err(problem) => Err(format!("{problem}\n\n{}", options::USAGE).into()),
    };
    done.unwrap_or_else(|failure| {
        // Standard error may be closed as well; the exit status is left.
        writeln!(io::stderr(), "demo: {failure}").ok();
        ExitCode::FAILURE
    })
}

/// The demo's own files, then whatever others upload.
async fn demo(options: &Options) -> Result<ExitCode, Failure> {
    let mut transcript = Transcript::new(io::stdout());
    let shown = tokio::select! {
        biased;
        _ = ctrl_c() => return Ok(ExitCode::from(INTERRUPTED)),
        shown = show(options, &mut transcript) => shown?,
    };
    match shown {
        None => return Ok(ExitCode::FAILURE),
        Some(world) if options.stay => stay::stay(world, transcript).await?,
        Some(_) => transcript.next_steps()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts everything and delivers the demo's files, one after the other. No world when something is not as it should be.
async fn show(
    options: &Options,
    transcript: &mut Transcript<impl Write>,
) -> Result<Option<World>, Failure> {
    transcript.title()?;
    let begun = Instant::now();
    let world = World::start(&options.bootstrap()?).await?;
    transcript.started(&world, begun.elapsed())?;

    let files = files::all();
    let begun = Instant::now();
    let mut total = Total::default();
    transcript.heading()?;
    for file in &files {
        transcript.uploading(file.key, file.content.len())?;
        file.upload(&world.client()).await?;
        let delivery = delivery::deliver(&world, file.key, &file.content).await;
        transcript.delivered(&delivery)?;
        total.count(&delivery);
    }
    let keys: Vec<&str> = files.iter().map(|file| file.key).collect();
    let leftovers = delivery::leftovers(world.home(), &keys)?;
    transcript.leftovers(&leftovers)?;
    total.leftovers = leftovers.len();
    transcript.summary(&total, begun.elapsed())?;

    if !total.is_well() {
        transcript.log(&world)?;
        return Ok(None);
    }
    Ok(Some(world))
}
