//! The AWS Lambda function: `bootstrap` on the runtime `provided.al2023`.
//!
//! # Layout
//!
//! | module | what it does |
//! |---|---|
//! | `main` | settings, logging, clients; refuses to start with all problems at once |
//! | `handler` | an event in, an answer or an error out |
//! | `at_once` | several invocations at once, on the one thread |
//! | `batch` | a batch from a queue, as Lambda is answered: which messages come again, and when |
//! | `batch_operations` | tasks of S3 Batch Operations, each with a result of its own |
//! | `sweep` | what has lain in S3 for too long |
//! | `journal` | what became of each object, in the log |
//! | `metrics` | what CloudWatch makes metrics of |
//! | `relay` | who goes on with what does not fit into this invocation |
//! | `failure` | errors, as Lambda is told them |
//! | `queues`, `queue_arn` | SQS |
//! | `environment` | what Lambda tells the clients in its environment |
//! | `aws` | the clients |
//! | `logging`, `lines` | what is logged, and in which form |
//! | `init_error` | tells the Runtime API why the function does not start |

mod at_once;
mod aws;
mod batch;
mod batch_operations;
mod environment;
mod failure;
mod handler;
mod init_error;
mod journal;
mod lines;
mod logging;
mod metrics;
mod queue_arn;
mod queues;
mod relay;
mod sweep;

use std::env;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use lambda_runtime::{LambdaEvent, service_fn};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::publisher::Publisher;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;
use tokio::task::LocalSet;
use tracing::Instrument;

use crate::at_once::Invocations;
use crate::aws::Aws;
use crate::handler::Payload;
use crate::journal::Log;
use crate::logging::Format;
use crate::metrics::Metrics;
use crate::queues::Queues;

/// What lives as long as the environment.
#[derive(Debug)]
struct Function {
    deliverer: Deliverer,
    aws: Aws,
    queues: Queues,
    metrics: Metrics,
    /// Whether an invocation has begun in this environment.
    is_warm: AtomicBool,
    /// Whether the log says already that messages cannot be shown again at their own time.
    told_of_visibility: AtomicBool,
}

/// Invocations refer to it, of which there may be several at once.
static FUNCTION: OnceLock<Function> = OnceLock::new();

/// One thread: what is to be done is to wait, copy and encrypt, and the partner's link is slower than one processor at that.
/// A second one costs more than it brings: 1 GiB without a delay takes as long, 1.7 s of processor time and 33 MiB with
/// two threads, 1.4 s and 17 MiB with one (make bench, workload large-0ms, two cores; sshd has the other one).
#[tokio::main(flavor = "current_thread")]
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

    let aws = environment::sdk_config().await;
    let function = FUNCTION.get_or_init(|| Function {
        metrics: Metrics::of(&loaded.settings),
        is_warm: AtomicBool::new(false),
        deliverer: {
            let journal = Log {
                metrics: Metrics::of(&loaded.settings),
                format: Format::of(lookup),
            };
            let publisher = Publisher::new(&loaded.settings, &aws);
            Deliverer::new(loaded.settings, S3::new(&aws), Secrets::new(&aws))
                .with_journal(journal)
                .with_publisher(publisher)
        },
        aws: Aws::new(aws),
        queues: Queues::default(),
        told_of_visibility: AtomicBool::new(false),
    });
    let local = LocalSet::new();
    let invocations = Invocations::carried_out_by(&local, |event: LambdaEvent<Payload>| {
        // Those of the runtime's crate do not reach another task. Never disabled, or errors would have no request id.
        let span = tracing::error_span!("invocation", requestId = %event.context.request_id);
        handler::handle(function, event).instrument(span)
    });
    let handle = service_fn(move |event| {
        let invocations = invocations.clone();
        async move { invocations.carry_out(event).await }
    });
    // One at a time, unless AWS_LAMBDA_MAX_CONCURRENCY says otherwise, as it does on Lambda Managed Instances.
    match local
        .run_until(lambda_runtime::run_concurrent(handle))
        .await
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Runtime API failed");
            ExitCode::FAILURE
        }
    }
}
