//! Why an invocation or a batch has failed, as Lambda is told it.

use std::borrow::Borrow;

use lambda_runtime::Diagnostic;
use s3_to_sftp::batch::Reason;
use s3_to_sftp::error::Error;

/// Why the invocation, or the whole batch, has failed.
#[derive(Debug)]
pub(crate) struct Failure(Reason);

impl From<Failure> for Diagnostic {
    fn from(Failure(reason): Failure) -> Self {
        Self {
            error_type: reason.name.to_owned(),
            error_message: reason.message,
        }
    }
}

impl Failure {
    pub(crate) fn of(errors: &[impl Borrow<Error>]) -> Self {
        Self(Reason::of(errors))
    }
}
