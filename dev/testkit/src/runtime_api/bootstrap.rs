//! The executable that Lambda starts, in the environment that Lambda gives it and nothing else of this machine's.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::api::RuntimeApi;
use super::http::FUNCTION;
use crate::secrets;
use crate::servers::process::{Process, Waited};

/// How long an end may take that is expected.
const END: Duration = Duration::from_secs(30);

/// What tells it how much to log.
const LEVELS: [&str; 3] = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG", "LOGGING_LEVEL"];

/// A running `bootstrap`, killed when dropped.
pub struct Bootstrap {
    process: Process,
}

impl Bootstrap {
    /// Starts the executable at `path` under `api`. `env` is added to what Lambda sets, and wins.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn spawn(
        path: impl AsRef<Path>,
        api: &RuntimeApi,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let path = path.as_ref();
        let mut command = Command::new(path);
        command.env_clear();
        command.envs([
            ("AWS_LAMBDA_RUNTIME_API", api.address().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", FUNCTION),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/testkit"),
            (
                "AWS_LAMBDA_LOG_STREAM_NAME",
                "2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef",
            ),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SESSION_TOKEN", "test"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("_HANDLER", "bootstrap"),
            ("LANG", "en_US.UTF-8"),
            ("TZ", ":UTC"),
            ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ]);
        let env: Vec<(String, String)> = env.into_iter().collect();
        // All that it could say, for the scan for secrets, unless a test is about that.
        if !env.iter().any(|(name, _)| LEVELS.contains(&name.as_str())) {
            command.envs(secrets::environment());
        }
        command.envs(env);
        let process = Process::spawn(command)
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", path.display()));
        api.attach(process.watch());
        Self { process }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything that it wrote so far, standard output and standard error.
    pub fn logs(&self) -> String {
        self.process.logs()
    }

    /// Waits for a line of its output that `wanted` is true of.
    ///
    /// # Panics
    ///
    /// When it takes too long or the process ends before, with what it wrote.
    pub async fn wait_for_line(&self, wanted: impl Fn(&str) -> bool + Send + 'static) -> String {
        match self.process.wait_for_line(END, wanted).await {
            Ok(line) => line,
            Err(waited) => panic!("no such line ({waited:?}); it wrote:\n{}", self.logs()),
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end, with what it wrote.
    pub async fn wait_for_exit(&self) -> ExitStatus {
        match self.process.wait_for_exit(END).await {
            Ok(status) | Err(Waited::Ended(status)) => status,
            Err(Waited::TooLong) => {
                panic!("still running after {END:?}; it wrote:\n{}", self.logs())
            }
        }
    }

    /// The most memory that it ever had resident, in bytes. Linux only.
    ///
    /// # Panics
    ///
    /// When it has ended, or where there is no `/proc`.
    pub fn peak_memory(&self) -> u64 {
        self.process.peak_memory()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// The process: to freeze and thaw it, and to see what it started.
    pub fn process(&self) -> &Process {
        &self.process
    }
}
