//! OpenSSH's server, with keys, configuration and data in a temporary directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::keys::Keys;
use super::process::{Process, Waited};
use super::user::SystemUser;
use super::{Missing, TRIES, find, free_port};
use crate::account::Account;

/// It takes milliseconds; more is a machine in trouble.
const START: Duration = Duration::from_secs(20);

/// A running `sshd`. The user is the one who runs the test, unless it is [`started for`](Self::start_for_user) another: nobody
/// else can be logged in without being root.
pub struct Sshd {
    account: Account,
    fingerprint: String,
    process: Process,
    program: PathBuf,
    /// Removed with the server, and behind its processes: a user who has one cannot be.
    _user: Option<SystemUser>,
    /// Removed with the server.
    directory: TempDir,
}

impl Sshd {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When it is not installed.
    ///
    /// # Panics
    ///
    /// When it is installed and does not start, with what it wrote.
    pub async fn start() -> Result<Self, Missing> {
        Self::start_with(&[]).await
    }

    /// Starts it with further lines of configuration, such as `MaxSessions 1`. They go first and so win. With a line
    /// `HostKey` the server has those keys alone, and [`account`](Self::account) tells none of them.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// As for [`start`](Self::start).
    pub async fn start_with(lines: &[&str]) -> Result<Self, Missing> {
        Self::start_for(None, lines).await
    }

    /// Starts it for a user of its own, who has a password: only the system's users have one for sshd. The user begins in the
    /// directory where files are to land, and goes with the server.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start); and where the test may not make a user: it has to be root.
    ///
    /// # Panics
    ///
    /// As for [`start`](Self::start).
    pub async fn start_for_user(password: &str, lines: &[&str]) -> Result<Self, Missing> {
        Self::start_for(Some(password), lines).await
    }

    async fn start_for(password: Option<&str>, lines: &[&str]) -> Result<Self, Missing> {
        let missing = Missing {
            program: "sshd",
            install: "apt-get install openssh-server",
        };
        // It insists on being started by its absolute path.
        let program = find(
            "sshd",
            &["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"],
        )
        .ok_or(missing)?;
        let directory = tempfile::Builder::new()
            .prefix("sshd-")
            .tempdir()
            .expect("a temporary directory");
        let keys = Keys::write(directory.path());
        let home = directory.path().join("home");
        fs::create_dir(&home).expect("a directory can be made in a new one");
        let user = match password {
            Some(password) => {
                // It reads its authorized_keys and its files with rights of its own.
                fs::set_permissions(directory.path(), Permissions::from_mode(0o711))
                    .expect("one's own directory");
                Some(SystemUser::create(&home, password)?)
            }
            None => None,
        };
        let own = current_user();
        let username = user.as_ref().map_or(&own, SystemUser::name).to_owned();
        if own == "root" {
            // Where the part that has no privileges lives; made at boot by the package, which there is none of here.
            fs::create_dir_all("/run/sshd").expect("root can make it");
        }

        for _ in 0..TRIES {
            let port = free_port();
            let config = directory.path().join("config");
            fs::write(&config, configuration(directory.path(), port, lines))
                .expect("a new file can be written");
            let Some(process) = run(&program, &config).await else {
                continue;
            };
            let account = Account {
                host: "127.0.0.1".into(),
                port,
                username,
                password: password.map(Into::into),
                private_key: Some(keys.user),
                host_key: keys.host,
                // The login directory is the user's own: tests stay out of it.
                dir: Some(
                    home.to_str()
                        .expect("a temporary directory's name is text")
                        .into(),
                ),
                home,
            };
            return Ok(Self {
                account,
                fingerprint: keys.fingerprint,
                process,
                program,
                _user: user,
                directory,
            });
        }
        panic!("sshd found no free port in {TRIES} tries");
    }

    /// Ends it at once (SIGKILL), and the processes that serve its connections: a machine that loses its power, but for
    /// the disk.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same port, with the same keys and the same directory.
    /// [`logs`](Self::logs) begin anew.
    ///
    /// # Panics
    ///
    /// When it does not start, with what it wrote; when somebody else keeps the port.
    pub async fn restart(&mut self) {
        self.process.kill();
        let config = self.directory.path().join("config");
        for _ in 0..TRIES {
            if let Some(process) = run(&self.program, &config).await {
                self.process = process;
                return;
            }
        }
        panic!("somebody else has sshd's port {}", self.account.port);
    }

    /// What a client needs to log in. `dir` is set: see [`Account::dir`].
    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// The directory where files are to land.
    pub fn home(&self) -> &Path {
        &self.account.home
    }

    /// The host key's fingerprint, `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What it wrote, at level VERBOSE.
    pub fn logs(&self) -> String {
        self.process.logs()
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// None: somebody has the port.
async fn run(program: &Path, config: &Path) -> Option<Process> {
    let mut command = Command::new(program);
    command.args(["-D", "-e", "-f"]).arg(config);
    let process = Process::spawn(command).expect("sshd can be run");
    let listening = process
        .wait_for_line(START, |line| line.contains("Server listening on"))
        .await;
    match listening {
        Ok(_) => Some(process),
        Err(Waited::Ended(_)) if process.logs().contains("Address already in use") => None,
        Err(waited) => panic!("sshd did not start ({waited:?}):\n{}", process.logs()),
    }
}

fn configuration(directory: &Path, port: u16, lines: &[&str]) -> String {
    let path = |name: &str| -> PathBuf { directory.join(name) };
    let mut config: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // A second line for it is an error, where other keywords' are ignored.
    if !lines.iter().any(|line| line.starts_with("Subsystem")) {
        config += "Subsystem sftp internal-sftp\n";
    }
    // Keys add up, where of other keywords the first one counts.
    if !lines.iter().any(|line| line.starts_with("HostKey ")) {
        config += &format!("HostKey {}\n", path("host").display());
    }
    config += &format!(
        "Port {port}\n\
         ListenAddress 127.0.0.1\n\
         AuthorizedKeysFile {}\n\
         StrictModes no\n\
         UsePAM no\n\
         PermitRootLogin yes\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PidFile none\n\
         LogLevel VERBOSE\n",
        path("authorized_keys").display(),
    );
    config
}

fn current_user() -> String {
    let output = Command::new("id")
        .arg("-un")
        .output()
        .expect("every Unix has `id`");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
