//! How the other programs are called. Each begins with nothing: no configuration of the user's, no agent, no cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::s3::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};

use crate::errand::Errand;
use crate::s3_process::{BUCKET, SECRETS};
use crate::tool::Tool;
use crate::world::{HOST_ALIAS, KEY, World};

/// What rclone's manual offers to make SFTP faster: larger packets, as OpenSSH takes them, and more at once.
const RCLONE_TUNED: &str = "--sftp-chunk-size=255k --sftp-concurrency=64 --buffer-size=64M \
                            --transfers=16 --checkers=16";

/// And lftp's: 16 packets are its default, and one file at a time.
const LFTP_TUNED: &str = "set sftp:max-packets-in-flight 256; set sftp:size-write 64k; ";
const LFTP_PARALLEL: &str = "--parallel=16 ";

/// The steps of the function of old.
const OLD_WAY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/old_way.py");

/// The command of a program that is not the function.
pub(crate) fn command(tool: Tool, errand: &Errand, world: &World) -> Result<Command, String> {
    match tool {
        Tool::Function => Err("the function is no command: it takes events".into()),
        Tool::Sftp => sftp(errand, world),
        Tool::Rclone => rclone(errand, world, ""),
        Tool::RcloneTuned => rclone(errand, world, RCLONE_TUNED),
        Tool::Lftp => lftp(errand, world, "", ""),
        Tool::LftpTuned => lftp(errand, world, LFTP_TUNED, LFTP_PARALLEL),
        Tool::Python => python(errand, world),
    }
}

fn sftp(errand: &Errand, world: &World) -> Result<Command, String> {
    let local = local(errand)?;
    let home = world.home().display();
    let puts: String = match errand.payload.files {
        1 => errand
            .payload
            .names()
            .map(|name| format!("put {}/{name} {home}/{name}\n", local.display()))
            .collect(),
        _ => format!("put {}/* {home}/\n", local.display()),
    };
    let mut command = program("sftp", world);
    command
        .arg("-q")
        .args(ssh_options(world))
        .arg("-P")
        .arg(errand.port.to_string())
        .arg("-b")
        .arg(world.write("batch", &puts)?)
        .arg(format!("{}@{}", world.account.username, world.account.host));
    Ok(command)
}

fn rclone(errand: &Errand, world: &World, flags: &str) -> Result<Command, String> {
    // Of rclone's providers the one that addresses buckets by path and lists by the current API.
    let config = format!(
        "[s3]\n\
         type = s3\n\
         provider = Minio\n\
         access_key_id = {ACCESS_KEY_ID}\n\
         secret_access_key = {SECRET_ACCESS_KEY}\n\
         region = {REGION}\n\
         endpoint = {}\n\
         force_path_style = true\n\
         [sftp]\n\
         type = sftp\n\
         host = {}\n\
         port = {}\n\
         user = {}\n\
         key_file = {}\n\
         known_hosts_file = {}\n",
        world.s3.endpoint(),
        world.account.host,
        errand.port,
        world.account.username,
        world.path("id").display(),
        // By address and port: rclone knows no alias.
        world
            .write(
                "known_hosts_rclone",
                &format!(
                    "[{}]:{} {}\n",
                    world.account.host, errand.port, world.account.host_key
                )
            )?
            .display(),
    );
    let config = world.write("rclone.conf", &config)?;
    let home = world.home().display();
    let mut command = program("rclone", world);
    command
        .arg("--config")
        .arg(config)
        .args(flags.split_whitespace());
    match errand.payload.files {
        1 => {
            for name in errand.payload.names() {
                command
                    .arg("copyto")
                    .arg(format!("s3:{BUCKET}/{name}"))
                    .arg(format!("sftp:{home}/{name}"));
            }
        }
        _ => {
            command
                .arg("copy")
                .arg(format!("s3:{BUCKET}"))
                .arg(format!("sftp:{home}"));
        }
    }
    Ok(command)
}

fn lftp(errand: &Errand, world: &World, settings: &str, parallel: &str) -> Result<Command, String> {
    let local = local(errand)?;
    let ssh: Vec<_> = ["ssh", "-a", "-x"]
        .map(str::to_owned)
        .into_iter()
        .chain(ssh_options(world))
        .collect();
    let home = world.home().display();
    let transfer: String = match errand.payload.files {
        1 => errand
            .payload
            .names()
            .map(|name| format!("put {}/{name} -o {home}/{name}", local.display()))
            .collect(),
        _ => format!("mirror -R {parallel}{} {home}", local.display()),
    };
    let mut command = program("lftp", world);
    command.arg("-c").arg(format!(
        "set cmd:fail-exit yes; set sftp:connect-program \"{}\"; {settings}\
         open -u {}, -p {} sftp://{}; {transfer}",
        ssh.join(" "),
        world.account.username,
        errand.port,
        world.account.host,
    ));
    Ok(command)
}

fn python(errand: &Errand, world: &World) -> Result<Command, String> {
    let python = world
        .python
        .as_ref()
        .ok_or("PYTHON names no interpreter that has boto3 and paramiko: use make bench")?;
    let mut command = program(python, world);
    command
        .arg(OLD_WAY)
        .arg(world.write("event.json", &errand.event.to_string())?)
        .env("AWS_ENDPOINT_URL", world.s3.endpoint())
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("SSH_HOST", &world.account.host)
        .env("SSH_PORT", errand.port.to_string())
        .env("SSH_USERNAME", &world.account.username)
        .env("SSH_PRIVATE_KEY", format!("{SECRETS}:{KEY}"))
        .env("SSH_DIR", world.home());
    Ok(command)
}

/// A program in an environment of its own: proxies and certificates of this machine's user are nobody's advantage.
fn program(program: impl AsRef<Path>, world: &World) -> Command {
    let mut command = Command::new(program.as_ref());
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("HOME", world.path("nobody"));
    command
}

fn ssh_options(world: &World) -> Vec<String> {
    let options = [
        format!("IdentityFile={}", world.path("id").display()),
        format!("UserKnownHostsFile={}", world.path("known_hosts").display()),
        format!("HostKeyAlias={HOST_ALIAS}"),
        "IdentitiesOnly=yes".to_owned(),
        "BatchMode=yes".to_owned(),
    ];
    let options = options.into_iter().flat_map(|it| ["-o".to_owned(), it]);
    ["-F", "none"]
        .map(str::to_owned)
        .into_iter()
        .chain(options)
        .collect()
}

fn local(errand: &Errand) -> Result<&PathBuf, String> {
    errand
        .local
        .as_ref()
        .ok_or_else(|| "there is no local copy".to_owned())
}
