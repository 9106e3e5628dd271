//! The AWS command line against MiniStack.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use testkit::servers::MiniStack;
use tokio::process::Command;
use tokio::time::timeout;

/// It takes a second to start; more than this is a machine in trouble.
const SOON: Duration = Duration::from_secs(120);

pub(crate) struct Aws {
    endpoint: String,
    env: Vec<(String, String)>,
}

impl Aws {
    /// With MiniStack's endpoint and credentials, and nothing of this machine's configuration: `home` is where it looks.
    pub(crate) fn new(ministack: &MiniStack, home: &Path) -> Self {
        let mut env = ministack.env();
        let home = home.to_str().expect("a temporary directory's name is text");
        let more = [
            ("HOME", home),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_PAGER", ""),
        ];
        env.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Self {
            endpoint: ministack.endpoint().to_owned(),
            env,
        }
    }

    /// The program that is run.
    pub(crate) fn program() -> OsString {
        env::var_os("AWS_CLI").unwrap_or_else(|| "aws".into())
    }

    /// Puts this account into the environment of any program.
    pub(crate) fn configure(&self, command: &mut Command) {
        // Set for somebody else's server, it would be believed for this one.
        command.env_remove("AWS_CA_BUNDLE");
        command
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }

    /// Runs a command; its answer, or null where it has none.
    ///
    /// # Panics
    ///
    /// When it fails, with what it wrote.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Value {
        let (well, output) = self.attempt(arguments).await;
        assert!(well, "aws {arguments:?} failed:\n{output}");
        // `aws s3` talks to people.
        serde_json::from_str(&output).unwrap_or_default()
    }

    async fn attempt(&self, arguments: &[&str]) -> (bool, String) {
        let program = Self::program();
        let mut command = Command::new(&program);
        self.configure(&mut command);
        // Version 1 does not look at AWS_ENDPOINT_URL for SQS, whose endpoint has an older name.
        command.args(["--endpoint-url", &self.endpoint, "--output", "json"]);
        command.args(arguments);
        let (well, stdout, stderr) = finish(command).await;
        (well, if well { stdout } else { stderr })
    }
}

/// Runs a command to its end: whether it went well, and what it wrote.
pub(crate) async fn finish(mut command: Command) -> (bool, String, String) {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let output = timeout(SOON, command.output())
        .await
        .unwrap_or_else(|_| panic!("{name} has not ended after {SOON:?}"))
        .unwrap_or_else(|error| panic!("{name} cannot be run ({error}); `make test` installs it"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}
