//! The AWS services beside S3: made when they are first needed, for most invocations need neither.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use s3_to_sftp::hand_over::RelayError;

/// For one try. Both services answer in some milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// For all tries together.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The clients of this environment.
#[derive(Debug)]
pub(crate) struct Aws {
    config: SdkConfig,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
}

impl Aws {
    pub(crate) fn new(config: SdkConfig) -> Self {
        Self {
            config,
            sqs: OnceLock::new(),
            lambda: OnceLock::new(),
        }
    }

    pub(crate) fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| {
            let builder = aws_sdk_sqs::config::Builder::from(&self.config);
            aws_sdk_sqs::Client::from_conf(builder.timeout_config(timeouts()).build())
        })
    }

    pub(crate) fn lambda(&self) -> &aws_sdk_lambda::Client {
        self.lambda.get_or_init(|| {
            let builder = aws_sdk_lambda::config::Builder::from(&self.config);
            aws_sdk_lambda::Client::from_conf(builder.timeout_config(timeouts()).build())
        })
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// Why a request was refused. `permission` is what it needs: `sqs:SendMessage on arn:…`.
pub(crate) fn relay_error<E>(error: SdkError<E>, permission: impl FnOnce() -> String) -> RelayError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default().to_owned();
    let source: Box<dyn Error + Send + Sync> = match error.message() {
        Some(message) => format!("{code}: {message}").into(),
        None => innermost(error).into(),
    };
    if is_denied(&code) {
        RelayError::Denied {
            permission: permission(),
            source,
        }
    } else {
        RelayError::Failed(source)
    }
}

/// Not every 403 is about a permission: an expired token is one, too. SQS says `AccessDenied` as well, and
/// `KmsAccessDenied` for an encrypted queue.
fn is_denied(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied" | "AccessDeniedException" | "KmsAccessDenied" | "KMS.AccessDeniedException"
    )
}

/// The SDK wraps a refused connection five times over, and its outer layers say "dispatch failure".
fn innermost<E: Error + 'static>(error: SdkError<E>) -> String {
    let mut inner: &dyn Error = &error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
