//! ProFTPD with mod_sftp: an SSH server in C that shares no line with OpenSSH.

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::keys::Keys;
use super::process::{Process, Waited};
use super::{Missing, TRIES, find, free_port};
use crate::account::Account;

/// It takes a moment; more is a machine in trouble.
const START: Duration = Duration::from_secs(20);

/// Between two tries to connect.
const POLL: Duration = Duration::from_millis(5);

const USERNAME: &str = "acme";
const PASSWORD: &str = crate::secrets::PASSWORD;

/// A running `proftpd`. Its user is a virtual one, with the rights of who runs the test.
pub struct ProFtpd {
    account: Account,
    process: Process,
    /// Removed with the server.
    _directory: TempDir,
}

impl ProFtpd {
    /// Starts it, with further lines of configuration such as `SFTPAuthMethods publickey+password`; they win.
    ///
    /// # Errors
    ///
    /// When it is not installed.
    ///
    /// # Panics
    ///
    /// When it is installed and does not start, with what it wrote.
    pub async fn start_with(lines: &[&str]) -> Result<Self, Missing> {
        let missing = Missing {
            program: "proftpd with mod_sftp",
            install: "apt-get install proftpd-core proftpd-mod-crypto",
        };
        let program = find("proftpd", &["/usr/sbin/proftpd"]).ok_or(missing.clone())?;
        let directory = tempfile::Builder::new()
            .prefix("proftpd-")
            .tempdir()
            .expect("a temporary directory");
        let keys = Keys::write(directory.path());
        let home = directory.path().join("home");
        fs::create_dir(&home).expect("a directory can be made in a new one");
        write_user(directory.path(), &home);
        for _ in 0..TRIES {
            let port = free_port();
            let config = directory.path().join("proftpd.conf");
            fs::write(&config, configuration(directory.path(), port, lines))
                .expect("a new file can be written");
            let Some(process) = run(&program, &config, port, &missing).await? else {
                continue;
            };
            let account = Account {
                host: "127.0.0.1".into(),
                port,
                username: USERNAME.into(),
                password: Some(PASSWORD.into()),
                private_key: Some(keys.user),
                host_key: keys.host,
                home: home.clone(),
                dir: home.to_str().map(Into::into),
            };
            return Ok(Self {
                account,
                process,
                _directory: directory,
            });
        }
        panic!("proftpd found no free port in {TRIES} tries");
    }

    /// What a client needs to log in.
    pub fn account(&self) -> Account {
        self.account.clone()
    }

    /// What it wrote.
    pub fn logs(&self) -> String {
        self.process.logs()
    }
}

/// None: somebody has the port.
async fn run(
    program: &Path,
    config: &PathBuf,
    port: u16,
    missing: &Missing,
) -> Result<Option<Process>, Missing> {
    let mut command = Command::new(program);
    command.args(["-n", "-c"]).arg(config);
    let process = Process::spawn(command).expect("proftpd can be run");
    let running = process
        .wait_for_line(START, |line| line.contains("standalone mode STARTUP"))
        .await;
    let logs = process.logs();
    match running {
        Ok(_) => {
            listens(port).await;
            Ok(Some(process))
        }
        Err(Waited::Ended(_)) if logs.contains("Address already in use") => Ok(None),
        Err(Waited::Ended(_)) if logs.contains("mod_sftp.c") => Err(missing.clone()),
        Err(waited) => panic!("proftpd did not start ({waited:?}):\n{logs}"),
    }
}

/// Until it takes connections: on a busy machine one was refused right behind the line by which it says that it has
/// started.
async fn listens(port: u16) {
    let connected = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
        {
            sleep(POLL).await;
        }
    };
    let connected = timeout(START, connected).await;
    connected.expect("proftpd listens when it has started");
}

/// Files of virtual users, and of their keys in the format that mod_sftp reads.
fn write_user(directory: &Path, home: &Path) {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let hash = output("openssl", &["passwd", "-6", PASSWORD]);
    let id = |which| output("id", &[which]).trim().to_owned();
    let user = format!(
        "{USERNAME}:{}:{}:{}::{}:/bin/sh\n",
        hash.trim(),
        id("-u"),
        id("-g"),
        home.display()
    );
    let passwd = directory.join("passwd");
    fs::write(&passwd, user).expect("a new file can be written");
    fs::set_permissions(&passwd, Permissions::from_mode(0o600)).expect("one's own file");
    let keys = directory.join("authorized_keys");
    let keys = keys.to_str().expect("its name is text");
    let rfc4716 = output("ssh-keygen", &["-e", "-m", "RFC4716", "-f", keys]);
    fs::write(directory.join("keys"), rfc4716).expect("a new file can be written");
}

fn configuration(directory: &Path, port: u16, lines: &[&str]) -> String {
    let path = |name: &str| directory.join(name).display().to_string();
    let output = |which| {
        let output = Command::new("id").arg(which).output();
        String::from_utf8_lossy(&output.expect("every Unix has `id`").stdout)
            .trim()
            .to_owned()
    };
    let mut config = format!(
        "ModulePath /usr/lib/proftpd\n\
         LoadModule mod_sftp.c\n\
         ServerType standalone\n\
         ServerName testkit\n\
         Port {port}\n\
         DefaultAddress 127.0.0.1\n\
         SocketBindTight on\n\
         UseReverseDNS off\n\
         User {}\n\
         Group {}\n\
         RootLogin on\n\
         PidFile {}\n\
         ScoreboardFile {}\n\
         DelayEngine off\n\
         AuthOrder mod_auth_file.c\n\
         AuthUserFile {}\n\
         RequireValidShell off\n\
         WtmpLog off\n\
         SystemLog none\n\
         SFTPEngine on\n\
         SFTPHostKey {}\n\
         SFTPAuthorizedUserKeys file:{}\n",
        output("-un"),
        output("-gn"),
        path("pid"),
        path("scoreboard"),
        path("passwd"),
        path("host"),
        path("keys"),
    );
    lines.iter().for_each(|line| {
        config.push_str(line);
        config.push('\n');
    });
    config
}
