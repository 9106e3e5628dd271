//! A program that is running: its output line by line, and its end, which comes at the latest with this value's.
//!
//! Whatever receipts it wrote are held to their schema then, whoever wrote them and whatever the test is about.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::secrets;
use rustix::process::{Pid, Signal, kill_process};

/// How often the program's end is looked for while something else is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// How long after the end output is waited for: a child of the program may keep the pipes open for ever.
const DRAIN: Duration = Duration::from_secs(1);

/// See the module.
pub struct Process {
    inner: Arc<Inner>,
}

/// The same program, for those who look at it and do not own it: dropping this does not end it.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Inner>);

impl Watch {
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        self.0.status()
    }

    pub(crate) fn logs(&self) -> String {
        lock(&self.0.output).lines.concat()
    }

    pub(crate) fn kill(&self) {
        self.0.kill();
    }
}

struct Inner {
    name: String,
    pid: u32,
    child: Mutex<Child>,
    output: Mutex<Output>,
    more: Condvar,
}

#[derive(Default)]
struct Output {
    lines: Vec<String>,
    /// Pipes that may still bring some.
    open: usize,
}

/// What was waited for did not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// The program ended before.
    Ended(ExitStatus),
    /// It is still running.
    TooLong,
}

impl Process {
    /// Starts a program and collects what it writes to standard output and standard error.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(mut command: Command) -> std::io::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let inner = Arc::new(Inner {
            name,
            pid: child.id(),
            child: Mutex::new(child),
            output: Mutex::default(),
            more: Condvar::new(),
        });
        collect(&inner, stdout);
        collect(&inner, stderr);
        Ok(Self { inner })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.inner.pid
    }

    /// Everything written so far.
    pub fn logs(&self) -> String {
        lock(&self.inner.output).lines.concat()
    }

    /// Waits for a line that `wanted` is true of, written already or later.
    ///
    /// # Errors
    ///
    /// When the program ends without it, or it takes longer than `limit`.
    pub async fn wait_for_line(
        &self,
        limit: Duration,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<String, Waited> {
        let inner = Arc::clone(&self.inner);
        // On a thread of its own: the clock of a test may be paused, and its server has to go on meanwhile.
        tokio::task::spawn_blocking(move || inner.wait_for_line(limit, wanted))
            .await
            .expect("waiting does not panic")
    }

    /// Sends SIGUSR1 and waits for the line by which the program answers that: everything that it wrote before is in
    /// [`logs`](Self::logs) then. It blocks for a moment.
    ///
    /// # Panics
    ///
    /// When it does not answer within `limit`.
    pub fn ask(&self, limit: Duration, answer: &str) {
        self.signal(Signal::USR1);
        let answered = self
            .inner
            .wait_for_line(limit, |line| line.trim_end() == answer);
        answered.unwrap_or_else(|waited| panic!("no {answer:?}: {waited:?}"));
    }

    /// Waits for the program's end.
    ///
    /// # Errors
    ///
    /// When it takes longer than `limit`.
    pub async fn wait_for_exit(&self, limit: Duration) -> Result<ExitStatus, Waited> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || inner.wait_for_exit(limit))
            .await
            .expect("waiting does not panic")
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.inner.status()
    }

    /// Asks it to end, as a `kill` without a number does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it and everything that it started, at once (SIGKILL).
    pub fn kill(&self) {
        self.inner.kill();
    }

    /// Stops it in the midst of whatever it does (SIGSTOP), until [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// The process ids of what it started, and of what those started.
    pub fn children(&self) -> Vec<u32> {
        // Held, so that the number cannot belong to somebody else.
        let mut child = lock(&self.inner.child);
        match child.try_wait() {
            Ok(None) => descendants(self.inner.pid),
            _ => Vec::new(),
        }
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.inner))
    }

    /// The most memory that it ever had resident, in bytes (`VmHWM`).
    ///
    /// # Panics
    ///
    /// When it has ended, or where there is no `/proc`.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.inner.pid))
            .expect("a running program on Linux");
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmHWM:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse::<u64>()
                    .ok()
            })
            .expect("a program that has not ended has memory")
            * 1024
    }

    fn signal(&self, signal: Signal) {
        // Held, so that the number cannot belong to somebody else.
        let mut child = lock(&self.inner.child);
        if let Ok(None) = child.try_wait() {
            send(self.inner.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        #[cfg(feature = "receipts")]
        if !std::thread::panicking() {
            for line in &lock(&self.inner.output).lines {
                crate::receipt::in_line(line);
            }
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.inner.name, self.inner.pid)
    }
}

impl Inner {
    fn kill(&self) {
        let mut child = lock(&self.child);
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        // All are stopped before the first is killed: whoever still ran could start somebody, whose parent nobody
        // knows once it is dead.
        send(self.pid, Signal::STOP);
        let mut family = Vec::new();
        loop {
            let mut born = descendants(self.pid);
            born.retain(|pid| !family.contains(pid));
            if born.is_empty() {
                break;
            }
            born.iter().for_each(|&pid| send(pid, Signal::STOP));
            family.extend(born);
        }
        family.iter().for_each(|&pid| send(pid, Signal::KILL));
        // Errors: it has ended already.
        child.kill().ok();
        child.wait().ok();
    }

    fn status(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().ok().flatten()
    }

    fn wait_for_line(
        &self,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String, Waited> {
        let found = self.wait(limit, |output| {
            output.lines.iter().find(|line| wanted(line)).cloned()
        })?;
        Ok(found.trim_end().to_owned())
    }

    fn wait_for_exit(&self, limit: Duration) -> Result<ExitStatus, Waited> {
        match self.wait(limit, |_| None::<()>) {
            Err(Waited::Ended(status)) => Ok(status),
            Ok(()) | Err(Waited::TooLong) => Err(Waited::TooLong),
        }
    }

    /// Waits until `found` finds something in the output, or the program has ended and its output is complete.
    fn wait<T>(&self, limit: Duration, found: impl Fn(&Output) -> Option<T>) -> Result<T, Waited> {
        let begin = Instant::now();
        let mut ended = None;
        loop {
            if ended.is_none() {
                ended = self.status().map(|status| (status, Instant::now()));
            }
            let output = lock(&self.output);
            if let Some(found) = found(&output) {
                return Ok(found);
            }
            match ended {
                Some((status, at)) if output.open == 0 || at.elapsed() > DRAIN => {
                    return Err(Waited::Ended(status));
                }
                None if begin.elapsed() > limit => return Err(Waited::TooLong),
                _ => {}
            }
            // Its end makes no sound here: waiting for it would hold the child, and with it `kill`.
            drop(self.more.wait_timeout(output, LOOK));
        }
    }
}

/// A thread that ends when the program closes the pipe.
fn collect(inner: &Arc<Inner>, pipe: Option<impl Read + Send + 'static>) {
    let Some(pipe) = pipe else { return };
    let inner = Arc::clone(inner);
    lock(&inner.output).open += 1;
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).into_owned();
            secrets::wrote(&inner.name, inner.pid, &text);
            lock(&inner.output).lines.push(text);
            inner.more.notify_all();
            line.clear();
        }
        lock(&inner.output).open -= 1;
        inner.more.notify_all();
    });
}

/// A process that is gone gets nothing.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// Children, their children and so on, but for the dead: sshd's connections and an emulator's functions outlive their parent otherwise.
/// None where there is no `/proc`: there they end when their connections do.
fn descendants(of: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The name is in parentheses and may hold anything; state and parent follow the last one.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let is_dead = fields.next()? == "Z";
            let parent = fields.next()?.parse().ok()?;
            (!is_dead).then_some((pid, parent))
        })
        .collect();
    let mut family = vec![of];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        family.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == member)
                .map(|(pid, _)| pid),
        );
        next += 1;
    }
    family.split_off(1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
