//! A journal that holds each record to the schema of receipts. All deliveries of these tests have it.

use s3_to_sftp::journal::{Entry, Journal};

#[derive(Debug)]
pub(crate) struct Checked;

impl Journal for Checked {
    fn write(&self, entry: &Entry<'_>) {
        testkit::receipt::check(&entry.record().into());
    }
}
