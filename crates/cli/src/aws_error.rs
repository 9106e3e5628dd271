//! What AWS has said.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// An error on one line: AWS's code and words, or why there are none.
pub(crate) fn told<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(error) = error.as_service_error() {
        let (code, message) = (error.code(), error.message());
        let text = format!(
            "{} {}",
            code.unwrap_or("unknown"),
            message.unwrap_or_default()
        );
        return text.trim_end().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
