//! The function's processes, as the system sees them.

use std::fs;

use testkit::servers::MiniStack;
use tokio::process::Command;

use crate::aws::finish;

/// A `bootstrap` that MiniStack has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function {
    pid: u32,
}

impl Function {
    /// Those that run.
    pub(crate) fn all(ministack: &MiniStack) -> Vec<Self> {
        let parent = ministack.process().pid();
        let processes = fs::read_dir("/proc").expect("Linux");
        let pids = processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| is_function(*pid, parent))
            .map(|pid| Self { pid })
            .collect()
    }

    /// The most memory that it ever had resident, in bytes; none when it has ended.
    pub(crate) fn peak_memory(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Ends it as the kernel ends a process that needs too much memory.
    pub(crate) async fn kill(self) {
        let mut command = Command::new("kill");
        command.args(["-KILL", &self.pid.to_string()]);
        let (well, _, stderr) = finish(command).await;
        assert!(well, "{stderr}");
    }
}

fn is_function(pid: u32, parent: u32) -> bool {
    // `PID (NAME) STATE PARENT …`; a process may have ended by now.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((before, after)) = stat.rsplit_once(')') else {
        return false;
    };
    let its_parent = after.split_whitespace().nth(1);
    before.ends_with("(bootstrap") && its_parent == Some(parent.to_string().as_str())
}
