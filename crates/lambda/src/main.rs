//! The AWS Lambda function: `bootstrap` on the runtime `provided.al2023`.
//!
//! # Layout
//!
//! | module | what it does |
//! |---|---|
//! | `main` | settings, logging, clients; refuses to start with all problems at once |
//! | `handler` | an event in, an answer or an error out |
//! | `logging` | lines in the form that Lambda's own filter reads |
//! | `init_error` | tells the Runtime API why the function does not start |

mod handler;
mod init_error;
mod logging;

use std::env;
use std::process::ExitCode;

use aws_config::BehaviorVersion;
use lambda_runtime::{LambdaEvent, service_fn};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;

use crate::handler::{Failure, Payload};

#[tokio::main]
async fn main() -> ExitCode {
    let lookup = |name: &str| env::var(name).ok();
    let loaded = Settings::from_lookup(lookup);
    logging::start(
        lookup,
        loaded.as_ref().ok().map(|loaded| loaded.settings.log_level),
    );
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            tracing::error!("{problems}");
            init_error::report("SettingsRefused", &problems.to_string()).await;
            return ExitCode::FAILURE;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }

    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let deliverer = Deliverer::new(loaded.settings, S3::new(&aws));
    let handle = service_fn(|event: LambdaEvent<Payload>| async {
        let answer: Result<_, Failure> = handler::handle(&deliverer, event).await;
        answer
    });
    match lambda_runtime::run(handle).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Runtime API failed");
            ExitCode::FAILURE
        }
    }
}
