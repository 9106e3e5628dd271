//! `send`: delivers the objects that are named, by the handler's own path.

use std::io::{self, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use aws_config::BehaviorVersion;
use s3_to_sftp::event::{Item, Job};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::{AfterDelivery, Settings};
use s3_to_sftp::side_by_side::side_by_side;
use s3_to_sftp::source::{Disposal, S3};
use serde_json::json;
use tokio::time::Instant;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to deliver: s3://BUCKET/KEY, the key as S3 has it, not encoded
    #[arg(required = true, value_name = "s3://BUCKET/KEY")]
    objects: Vec<Object>,
    /// Delete each source once it is delivered, as the function does
    #[arg(long = "move")]
    delete: bool,
    /// Print a JSON record per object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone)]
struct Object(ObjectName);

impl FromStr for Object {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (bucket, key) = text
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
            .ok_or("expected s3://BUCKET/KEY")?;
        Ok(Self(ObjectName {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }))
    }
}

/// Nobody ends a person's command but the person: a month is no deadline.
const NO_DEADLINE: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> ExitCode {
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let mut settings = settings;
    // There is no next invocation.
    settings.keep_connection = false;
    if !arguments.delete {
        settings.after_delivery = AfterDelivery::Keep;
    }
    let deliverer = Deliverer::new(settings, S3::new(&aws), Secrets::new(&aws));
    let invocation = deliverer.invocation(Instant::now() + NO_DEADLINE);
    // Nobody else has this owner, so nobody else's temporary is touched.
    let owner = format!("{:032x}", rand::random::<u128>());

    let mut status = ExitCode::SUCCESS;
    let deliveries = arguments.objects.into_iter().map(|Object(name)| {
        let job = Job {
            name,
            etag: None,
            version_id: None,
            size: None,
            sequencer: None,
        };
        invocation.deliver(Item::Job(job), owner.as_str())
    });
    side_by_side(deliverer.width(), deliveries, |outcome| {
        if !is_delivered(&outcome) {
            status = ExitCode::FAILURE;
        }
        if print(&outcome, arguments.json).is_err() {
            // Whoever read the results has left: what was asked for is done all the same.
        }
    })
    .await;
    invocation.finish().await;
    status
}

/// A key that a person typed and that is not there is a mistake, where for the function it is a
/// duplicate event.
fn is_delivered(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered(_, disposal) => *disposal != Disposal::NotDeleted,
        Outcome::Skipped(..) => true,
        // Nothing hands over on a command line.
        Outcome::Gone(_) | Outcome::Failed(_) | Outcome::Continued(..) => false,
    }
}

fn print(outcome: &Outcome, json: bool) -> io::Result<()> {
    let line = if json {
        Some(json_line(outcome)?)
    } else {
        line(outcome)
    };
    match line {
        Some(line) => writeln!(io::stdout(), "{line}"),
        None => Ok(()),
    }
}

/// For people. Failures are on standard error already.
fn line(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Delivered(receipt, _) => Some(receipt.to_string()),
        Outcome::Failed(_) => None,
        Outcome::Gone(name) => Some(format!("gone {name}")),
        Outcome::Continued(name, _) => Some(format!("continued {name}")),
        Outcome::Skipped(_, why) => Some(why.to_string()),
    }
}

/// For programs: the receipt, or what there is in place of one.
fn json_line(outcome: &Outcome) -> serde_json::Result<String> {
    let (name, mut record) = match outcome {
        Outcome::Delivered(receipt, _) => return serde_json::to_string(receipt),
        Outcome::Failed(error) => (
            error.object.as_ref(),
            json!({ "outcome": "failed", "error_type": error.name(), "error": error.report() }),
        ),
        Outcome::Gone(name) => (Some(name), json!({ "outcome": "gone" })),
        Outcome::Continued(name, _) => (Some(name), json!({ "outcome": "continued" })),
        Outcome::Skipped(name, why) => (
            name.as_ref(),
            json!({ "outcome": "skipped", "reason": why.to_string() }),
        ),
    };
    if let Some(name) = name {
        record["bucket"] = name.bucket.clone().into();
        record["key"] = name.key.clone().into();
    }
    serde_json::to_string(&record)
}
