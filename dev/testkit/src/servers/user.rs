//! A user of this machine, for servers that have no others. It goes with its value; one that a killed test left goes with
//! the next that is made.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{self, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, io};

use rustix::process::geteuid;

use super::Missing;

/// Before the pid of the test and a number.
const PREFIX: &str = "s3sftp-";

pub(super) struct SystemUser {
    name: String,
}

impl SystemUser {
    /// Makes one, who has the directory.
    pub(super) fn create(home: &Path, password: &str) -> Result<Self, Missing> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !geteuid().is_root() {
            return Err(Missing {
                program: "a user with a password",
                install: "run this test as root, who can make one",
            });
        }
        let _guard = lock();
        left().iter().for_each(|name| remove(name));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let user = Self {
            name: format!("{PREFIX}{}-{number}", process::id()),
        };
        let home_text = home.to_str().expect("a temporary directory's name is text");
        run(
            "useradd",
            &["-M", "-U", "-s", "/bin/sh", "-d", home_text, &user.name],
            "",
        );
        run("chpasswd", &[], &format!("{}:{password}\n", user.name));
        let id = |which| {
            let output = run("id", &[which, &user.name], "");
            String::from_utf8_lossy(&output.stdout).trim().parse().ok()
        };
        chown(home, id("-u"), id("-g")).expect("root can give its directory away");
        Ok(user)
    }

    pub(super) fn name(&self) -> &String {
        &self.name
    }
}

impl Drop for SystemUser {
    fn drop(&mut self) {
        let _guard = lock();
        remove(&self.name);
    }
}

/// Those of tests that were killed.
fn left() -> Vec<String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let names = users.lines().filter_map(|line| line.split(':').next());
    let is_left = |name: &&str| {
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    names.filter(is_left).map(str::to_owned).collect()
}

/// One of them at a time touches the system's files: their own lock is waited for in whole seconds.
fn lock() -> File {
    let file = File::create(env::temp_dir().join("s3-to-sftp-users.lock"))
        .expect("a file can be made where temporary ones are");
    file.lock().expect("a file can be locked");
    file
}

fn remove(name: &str) {
    // Forced: a process of the user that is just ending is no reason to leave it. What cannot be removed now goes with the
    // next test; no panic: this may be the end of one.
    output("userdel", &["-f", name], "").ok();
}

fn run(program: &str, arguments: &[&str], input: &str) -> Output {
    let output = output(program, arguments, input)
        .unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    output
}

fn output(program: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    child.wait_with_output()
}
