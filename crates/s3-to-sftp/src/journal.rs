//! Where it is written down what became of each object, as soon as that is known.

use std::fmt;

use crate::error::Error;
use crate::object::ObjectName;
use crate::publisher::NotPublished;
use crate::receipt::{Outcome, Receipt};
use crate::record::{self, Record};

/// Who writes it down.
pub trait Journal: fmt::Debug + Send + Sync {
    /// Writes an entry, and has it out of the process before it returns: what comes next may be the delete, and what comes
    /// after that the process's end.
    fn write(&self, entry: &Entry<'_>);

    /// Bytes of an object have been read to be sent, so many of so many. For whoever watches: this is called for each piece.
    fn moved(&self, name: &ObjectName, bytes: u64, of: u64) {
        let _ = (name, bytes, of);
    }
}

/// One line of a journal.
#[derive(Debug)]
pub struct Entry<'a> {
    /// What there is to write.
    pub news: News<'a>,
    /// The id of the invocation, where there is one.
    pub request_id: Option<&'a str>,
}

/// What there is to write.
#[derive(Debug)]
pub enum News<'a> {
    /// A file has its final name, and its source is not touched yet.
    Delivered(&'a Receipt),
    /// Then the source could not be deleted.
    NotDeleted(&'a Receipt, &'a Error),
    /// The receipt could not be published; the outcome stands.
    NotPublished(&'a Outcome, &'a NotPublished),
    /// What else can become of a record of an event; never a delivery.
    Ended(&'a Outcome),
}

impl Entry<'_> {
    /// For people, on one line.
    pub fn message(&self) -> String {
        match self.news {
            News::Delivered(receipt) => receipt.to_string(),
            News::NotDeleted(_, error) => format!(
                "the file is delivered and its source is not deleted, so it may be sent again: {}",
                error.report()
            ),
            News::NotPublished(_, why) => why.to_string(),
            News::Ended(outcome) => match outcome {
                Outcome::Delivered(receipt, _) => receipt.to_string(),
                Outcome::Gone(_) => "gone: nothing is there to deliver".to_owned(),
                Outcome::Continued(_, Some(_)) => {
                    "continued: handed over to the next invocation".to_owned()
                }
                Outcome::Continued(_, None) => {
                    "continued: not begun, handed over to the next invocation".to_owned()
                }
                Outcome::Skipped(_, why) => why.to_string(),
                Outcome::Failed(error) => error.report(),
            },
        }
    }

    /// For programs.
    pub fn record(&self) -> Record {
        match self.news {
            News::Delivered(receipt) => record::of_receipt(receipt, self.request_id),
            News::NotDeleted(receipt, error) => {
                record::of_undeleted(&receipt.name, error, self.request_id)
            }
            News::NotPublished(outcome, why) => {
                record::of_unpublished(outcome.object(), &why.to_string(), self.request_id)
            }
            News::Ended(outcome) => record::of_outcome(outcome, self.request_id),
        }
    }

    /// The object that it is about, if it is about one.
    pub fn object(&self) -> Option<&ObjectName> {
        match self.news {
            News::Delivered(receipt) | News::NotDeleted(receipt, _) => Some(&receipt.name),
            News::NotPublished(outcome, _) | News::Ended(outcome) => outcome.object(),
        }
    }

    /// Whether somebody has to do something.
    pub fn is_error(&self) -> bool {
        matches!(
            self.news,
            News::NotDeleted(..) | News::NotPublished(..) | News::Ended(Outcome::Failed(_))
        )
    }
}

/// The log of whoever uses the library.
#[derive(Debug)]
pub struct Log;

impl Journal for Log {
    fn write(&self, entry: &Entry<'_>) {
        let object = entry.object().map(tracing::field::display);
        let (message, record) = (entry.message(), entry.record());
        let error_type = record.get("error_type").and_then(|it| it.as_str());
        if entry.is_error() {
            tracing::error!(object, error_type, "{message}");
        } else {
            let receipt = serde_json::Value::Object(record);
            tracing::info!(object, %receipt, "{message}");
        }
    }
}
