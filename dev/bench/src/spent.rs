//! What a run took, and how that is measured of a program that ends.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::proc::{self, Cpu};

/// How often memory is looked at. The kernel keeps the highest value, so only growth in the last moment is missed.
const LOOK: Duration = Duration::from_millis(10);

/// Nothing here takes so long.
const LIMIT: Duration = Duration::from_secs(1800);

/// Time and memory of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// Bytes; of a family the sum of each one's highest value.
    pub(crate) peak_memory: u64,
}

/// Runs a program to its end: from its exec until it has ended, and all that it started counts.
pub(crate) fn of_program(mut command: Command) -> Result<Spent, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let fail = |what: &dyn std::fmt::Display| format!("{name}: {what}");
    let mut output = tempfile::tempfile().map_err(|error| fail(&error))?;
    let (stdout, stderr) = (output.try_clone(), output.try_clone());
    command
        .stdin(Stdio::null())
        .stdout(stdout.map_err(|error| fail(&error))?)
        .stderr(stderr.map_err(|error| fail(&error))?);
    let begun = Instant::now();
    let mut child = command.spawn().map_err(|error| fail(&error))?;
    let spent = watch(&child, begun).map_err(|error| fail(&error));
    let status = child.wait().map_err(|error| fail(&error))?;
    let spent = spent?;
    if status.success() {
        return Ok(spent);
    }
    let mut said = String::new();
    output
        .seek(SeekFrom::Start(0))
        .and_then(|_| output.read_to_string(&mut said))
        .map_err(|error| fail(&error))?;
    Err(format!("{name} ended with {status}:\n{said}"))
}

/// Waits for a program's end without collecting it, so that the kernel can still be asked for its time.
fn watch(child: &Child, begun: Instant) -> rustix::io::Result<Spent> {
    let pid = child.id();
    let raw = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(rustix::io::Errno::SRCH)?;
    let (ended, is_running) = mpsc::channel::<()>();
    let looking = thread::spawn(move || look(pid, raw, &is_running));
    let waited = loop {
        match waitid(
            WaitId::Pid(raw),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        ) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other,
        }
    };
    let wall = begun.elapsed();
    drop(ended);
    let seen = looking.join().unwrap_or_default();
    waited?;
    let at_the_end = proc::cpu(pid).unwrap_or_default().total();
    Ok(Spent {
        wall,
        // What it did not wait for, as lftp its ssh, is known from the last look only.
        cpu: at_the_end.max(seen.values().map(|seen| seen.cpu.own).sum()),
        peak_memory: seen.values().map(|seen| seen.peak_memory).sum(),
    })
}

/// What was last seen of a member of the family.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    cpu: Cpu,
    peak_memory: u64,
}

/// Looks at a program and all that it starts until the other side hangs up.
fn look(pid: u32, raw: Pid, is_running: &mpsc::Receiver<()>) -> BTreeMap<u32, Seen> {
    let begun = Instant::now();
    let mut seen = BTreeMap::<u32, Seen>::new();
    loop {
        for member in proc::family(pid) {
            let entry = seen.entry(member).or_default();
            entry.cpu = proc::cpu(member).unwrap_or(entry.cpu);
            // None: it has ended since.
            let peak = proc::peak_memory(member).unwrap_or_default();
            entry.peak_memory = entry.peak_memory.max(peak);
        }
        match is_running.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return seen,
        }
        if begun.elapsed() > LIMIT {
            // It was not collected yet, so the number is still its own.
            kill_process(raw, Signal::KILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_time_of_what_a_program_starts_counts() {
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let spent = of_program(shell(&format!("sh -c '{busy}'; true"))).expect("it runs");
        assert!(spent.cpu >= Duration::from_millis(10), "{spent:?}");
        assert!(spent.peak_memory > 0, "{spent:?}");
        assert!(spent.wall >= spent.cpu / 2, "{spent:?}");
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let failure = of_program(shell("echo no such server >&2; exit 3"));
        let text = failure.expect_err("it fails");
        assert!(text.contains("no such server"), "{text}");
    }
}
