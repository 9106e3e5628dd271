//! `check`: the way to the server, step by step.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use s3_to_sftp::check::{Options, Prefix, Step};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;

use crate::given::Given;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Look at S3, too: whether what lies below can be listed, read, and disposed of
    #[arg(value_name = "s3://BUCKET/PREFIX")]
    place: Option<Prefix>,
    /// Write a probe under a temporary's name, rename it to another one, and remove it
    #[arg(long)]
    write: bool,
    /// Print a JSON record per step
    #[arg(long)]
    json: bool,
}

/// All time-outs together end sooner, but for a server that answers each request in its last second.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn run(arguments: Arguments, settings: Settings, given: &Given) -> ExitCode {
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let deliverer = Deliverer::new(settings, S3::new(&aws), Secrets::new(&aws));
    let options = Options {
        prefix: arguments.place,
        write: arguments.write,
        nonce: format!("{:032x}", rand::random::<u128>()),
        time: PATIENCE,
    };
    let json = arguments.json;
    // Whoever read the results may have left.
    _ = print(&Step::of_settings(|name| given.lookup(name)), json);
    let is_well = deliverer
        .check(&options, |step| _ = print(&step, json))
        .await;
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(step: &Step, json: bool) -> io::Result<()> {
    if json {
        writeln!(io::stdout(), "{}", step.record())
    } else {
        writeln!(io::stdout(), "{step}")
    }
}
