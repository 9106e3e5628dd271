//! The AWS services beside S3: made when they are first needed, for most invocations need neither.

use std::sync::OnceLock;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;

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
