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
use serde_json::Value;

use crate::function::Function;
use crate::given::Given;

const AFTER_HELP: &str = "\
What no step can see: whether the queue's mapping has ReportBatchItemFailures. Without it Lambda deletes messages whose
delivery failed. Look at it with `aws lambda list-event-source-mappings --function-name NAME`.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Look at S3, too: whether what lies below can be listed, read, and disposed of
    #[arg(value_name = "s3://BUCKET/PREFIX")]
    place: Option<Prefix>,
    /// Write a probe under a temporary's name, rename it to another one, and remove it
    #[arg(long)]
    write: bool,
    /// With --function: go the way from here, with its settings; else the function goes it itself, from where it runs
    #[arg(long, requires = "function")]
    local: bool,
    /// Print a JSON record per step
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }
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

/// The steps that a deployed function goes.
pub(crate) async fn by_function(arguments: &Arguments, name: &str) -> ExitCode {
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let function = Function::new(&aws, name);
    let checked = function
        .check(arguments.place.as_ref(), arguments.write)
        .await;
    let steps = match checked {
        Ok(steps) => steps,
        Err(error) => return crate::could_not_start(&error.to_string()),
    };
    let mut status = ExitCode::SUCCESS;
    for step in &steps {
        if step["ok"] != true {
            status = ExitCode::FAILURE;
        }
        _ = if arguments.json {
            writeln!(io::stdout(), "{step}")
        } else {
            writeln!(io::stdout(), "{}", line(step))
        };
    }
    status
}

/// As [`Step`] prints it.
fn line(record: &Value) -> String {
    let text = |field: &str| record[field].as_str().unwrap_or_default();
    let name = text("step");
    if record["ok"] == true {
        return format!("ok    {name:<9}  {}", text("found"));
    }
    let line = format!("FAIL  {name:<9}  {}", text("error"));
    match record["next"].as_str() {
        Some(next) => format!("{line}\n      next: {next}"),
        None => line,
    }
}

fn print(step: &Step, json: bool) -> io::Result<()> {
    if json {
        writeln!(io::stdout(), "{}", step.record())
    } else {
        writeln!(io::stdout(), "{step}")
    }
}

#[cfg(test)]
mod tests {
    use s3_to_sftp::error::{Cause, Error, Stage};

    use super::*;

    #[test]
    fn a_step_of_a_function_is_printed_as_one_of_here() {
        let failed = |cause| Error {
            stage: Stage::OpenTemporary,
            object: None,
            cause,
        };
        for outcome in [
            Ok("it is there".to_owned()),
            Err(failed(Cause::NoDirectory("in".to_owned()))),
            Err(failed(Cause::IsDirectory("in".to_owned()))),
        ] {
            let step = Step {
                name: "directory",
                outcome,
            };
            assert_eq!(line(&step.record()), step.to_string());
        }
    }
}
