//! What became of each object: a line for people, or a record for programs.

use std::io;

use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::record;
use s3_to_sftp::source::Disposal;

use crate::terminal;

/// What the function acknowledges, too: a source that could not be deleted is told, and the delivery stands.
pub(crate) fn needs_nothing_more(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered(..) | Outcome::Gone(_) | Outcome::Skipped(..) => true,
        Outcome::Failed(_) | Outcome::Continued(..) => false,
    }
}

/// A key that a person typed and that is not there is a mistake, where for the function it is a
/// duplicate event.
pub(crate) fn is_delivered(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered(_, disposal) => *disposal != Disposal::NotDeleted,
        Outcome::Skipped(..) => true,
        // Nothing hands over on a command line.
        Outcome::Gone(_) | Outcome::Failed(_) | Outcome::Continued(..) => false,
    }
}

pub(crate) fn print(outcome: &Outcome, json: bool) -> io::Result<()> {
    let line = if json {
        let record = record::of_outcome(outcome, None);
        Some(serde_json::to_string(&record)?)
    } else {
        line(outcome)
    };
    match line {
        Some(line) => terminal::print(&line),
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
