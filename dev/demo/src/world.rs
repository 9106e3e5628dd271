//! Everything that runs: an S3 and an SFTP server in this process, Lambda's Runtime API, and the function under it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use testkit::account::Account;
use testkit::runtime_api::{Bootstrap, RuntimeApi};
use testkit::s3::S3Server;
use testkit::sftp::SftpServer;

use crate::Failure;

/// Where files are uploaded to.
pub(crate) const BUCKET: &str = "inbox";

/// The SFTP server's host key is the same in every run: so is the fingerprint in the transcript, and no
/// `known_hosts` is ever contradicted by a port that comes again.
const HOST_KEY_SEED: u64 = 22;

/// Stops with this value, and leaves nothing but the function's log.
pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) sftp: SftpServer,
    pub(crate) api: RuntimeApi,
    pub(crate) executable: PathBuf,
    pub(crate) log: PathBuf,
    bootstrap: Bootstrap,
}

impl World {
    /// Starts it all, and waits until the function asks for its first event.
    pub(crate) async fn start(executable: &Path) -> Result<Self, Failure> {
        let s3 = S3Server::start().await;
        s3.create_bucket(BUCKET);
        let sftp = SftpServer::builder()
            .host_key_seed(HOST_KEY_SEED)
            .start()
            .await;
        let api = RuntimeApi::start().await;
        let mut settings = s3.env();
        settings.extend(ssh_settings(&sftp.account()));
        let world = Self {
            bootstrap: Bootstrap::spawn(executable, &api, settings),
            s3,
            sftp,
            api,
            executable: executable.to_owned(),
            log: log_file()?,
        };
        tokio::select! {
            _ = world.api.polled() => {}
            status = world.bootstrap.wait_for_exit() => return Err(world.not_started(&status)),
        }
        world.save_log();
        Ok(world)
    }

    /// A client for the S3, as everybody would make it.
    pub(crate) fn client(&self) -> aws_sdk_s3::Client {
        self.s3.client()
    }

    /// The SFTP server's directory on this machine's disk.
    pub(crate) fn home(&self) -> &Path {
        self.sftp.home()
    }

    /// What the function has written.
    pub(crate) fn function_log(&self) -> String {
        self.bootstrap.logs()
    }

    /// Brings the log file up to date.
    pub(crate) fn save_log(&self) {
        // A full disk is no reason to stop: nothing depends on this file.
        fs::write(&self.log, self.function_log()).ok();
    }

    fn not_started(&self, status: &process::ExitStatus) -> Failure {
        let why = match self.api.init_error() {
            Some(error) => format!("{}: {}", error.error_type, error.error_message),
            None if self.function_log().is_empty() => "it wrote nothing".into(),
            None => self.function_log(),
        };
        format!(
            "{} did not start ({status}):\n{why}",
            self.executable.display()
        )
        .into()
    }
}

fn ssh_settings(account: &Account) -> Vec<(String, String)> {
    [
        ("SSH_HOST", account.host.clone()),
        ("SSH_PORT", account.port.to_string()),
        ("SSH_USERNAME", account.username.clone()),
        ("SSH_PASSWORD", account.password.clone().unwrap_or_default()),
        ("SSH_HOST_KEY", account.host_key.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// An empty file beside this program, where `cargo clean` finds it; elsewhere if that is not ours to write to.
fn log_file() -> Result<PathBuf, Failure> {
    let beside = env::current_exe()?.with_file_name("bootstrap.log");
    if fs::write(&beside, "").is_ok() {
        return Ok(beside);
    }
    let temporary = env::temp_dir().join(format!("s3-to-sftp-demo-{}.log", process::id()));
    fs::write(&temporary, "")
        .map_err(|error| format!("cannot write {}: {error}", temporary.display()))?;
    Ok(temporary)
}
