//! Hooks: what a test makes of a request in place of the file system's own answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::request::{Operation, Request, status};

/// What happens to a request.
pub enum Action {
    /// What the hook below says, and with none the file system.
    Pass,
    /// Answer this status and do nothing.
    Status(u32, String),
    /// Do nothing and never answer; later requests are answered.
    Drop,
    /// Cut the TCP connection before doing anything.
    Disconnect,
    /// End this channel before doing anything, as a server does whose SFTP program dies; the connection goes on.
    EndChannel,
    /// Do it, then cut the TCP connection before the answer leaves.
    DisconnectAfter,
    /// Run this first, on a thread where it may block, then do it. Other channels go on meanwhile.
    Run(Box<dyn FnOnce() + Send>),
    /// Wait for this first, then do it. Other channels go on meanwhile; this one is busy, as a server's would be.
    Wait(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Do it, then wait for this, then answer: the client learns of it late.
    WaitAfter(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Wait for this; then do it and whatever has come behind it on the channel, answer none of it, and cut the
    /// connection: the late bytes of a client that is gone, or that was frozen.
    Freeze(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// A STAT, LSTAT or FSTAT that succeeds says this size: servers that store elsewhere know it late.
    Size(u64),
    /// When from the first (a wait, or a cut behind it), what is done from the second.
    Both(Box<Action>, Box<Action>),
    /// Wait that long on the real clock, then do it.
    Delay(Duration),
    /// A lie: answer OK and do nothing.
    AcknowledgeOnly,
    /// A lie: store only that many bytes of a WRITE and answer OK, as servers do that cut at 32 KiB.
    Keep(usize),
    /// Open with these flags in place of the client's, as servers do that truncate always or ignore EXCL.
    OpenWith(u32),
    /// A plain RENAME replaces what has the name, in one step, as Go's servers do.
    RenameOver,
    /// Do and answer it only behind so many of the requests that follow it on its channel, as servers do whose
    /// writes are carried out side by side (draft-02, section 6.1). A CLOSE overtakes nothing, as with pkg/sftp;
    /// where nothing follows, it is done after a moment; a cut, or the end of the channel, loses it.
    Overtaken(usize),
    /// Do it, and answer a request that nobody has sent.
    AnswerAnother,
}

impl Action {
    /// A refusal with a status and OpenSSH's words for it.
    pub fn refuse(code: u32) -> Self {
        Self::Status(code, message(code).into())
    }

    /// When it is done, and what.
    pub(super) fn split(self) -> (Self, Self) {
        match self {
            // Of two waits the outer one counts.
            Self::Both(when, what) => (*when, what.split().1),
            when @ (Self::Wait(_)
            | Self::WaitAfter(_)
            | Self::Freeze(_)
            | Self::Delay(_)
            | Self::DisconnectAfter) => (when, Self::Pass),
            what => (Self::Pass, what),
        }
    }

    /// What a full disk answers.
    pub fn no_space() -> Self {
        Self::Status(status::FAILURE, "No space left on device".into())
    }

    /// Holds the request until the other half is dropped or sent to.
    pub fn until(released: tokio::sync::oneshot::Receiver<()>) -> Self {
        Self::Wait(Box::pin(async move {
            // A sender that is gone releases it as well: a failed test must not keep its server waiting.
            released.await.ok();
        }))
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("Pass"),
            Self::Status(code, message) => write!(f, "Status({code}, {message:?})"),
            Self::Drop => f.write_str("Drop"),
            Self::Disconnect => f.write_str("Disconnect"),
            Self::EndChannel => f.write_str("EndChannel"),
            Self::DisconnectAfter => f.write_str("DisconnectAfter"),
            Self::Run(_) => f.write_str("Run"),
            Self::Wait(_) => f.write_str("Wait"),
            Self::WaitAfter(_) => f.write_str("WaitAfter"),
            Self::Freeze(_) => f.write_str("Freeze"),
            Self::Size(size) => write!(f, "Size({size})"),
            Self::Both(when, what) => write!(f, "Both({when:?}, {what:?})"),
            Self::Delay(time) => write!(f, "Delay({time:?})"),
            Self::AcknowledgeOnly => f.write_str("AcknowledgeOnly"),
            Self::Keep(len) => write!(f, "Keep({len})"),
            Self::RenameOver => f.write_str("RenameOver"),
            Self::OpenWith(flags) => write!(f, "OpenWith({flags})"),
            Self::AnswerAnother => f.write_str("AnswerAnother"),
            Self::Overtaken(by) => write!(f, "Overtaken({by})"),
        }
    }
}

/// A test's say in what a request leads to.
pub(super) type Hook = Box<dyn Fn(&Request) -> Action + Send + Sync>;

/// A disk of `bytes` for each file: what would be written beyond answers FAILURE, "No space left on device".
pub fn disk_full_beyond(bytes: u64) -> impl Fn(&Request) -> Action + Send + Sync + 'static {
    move |request| {
        if request.operation == Operation::Write && request.offset + request.len as u64 > bytes {
            Action::no_space()
        } else {
            Action::Pass
        }
    }
}

/// `action` for the `number`th request of `operation` on this server, counted from 1.
pub fn nth(
    operation: Operation,
    number: u64,
    action: impl Fn() -> Action + Send + Sync + 'static,
) -> impl Fn(&Request) -> Action + Send + Sync + 'static {
    move |request| {
        if request.operation == operation && request.number == number {
            action()
        } else {
            Action::Pass
        }
    }
}

/// `action` for the next request of `operation`, whichever number it has, and for no other.
pub fn once(
    operation: Operation,
    action: impl Fn() -> Action + Send + Sync + 'static,
) -> impl Fn(&Request) -> Action + Send + Sync + 'static {
    let fired = AtomicBool::new(false);
    move |request| {
        if request.operation == operation && !fired.swap(true, Ordering::SeqCst) {
            action()
        } else {
            Action::Pass
        }
    }
}

/// `action` for every request of `operation`.
pub fn every(
    operation: Operation,
    action: impl Fn() -> Action + Send + Sync + 'static,
) -> impl Fn(&Request) -> Action + Send + Sync + 'static {
    move |request| {
        if request.operation == operation {
            action()
        } else {
            Action::Pass
        }
    }
}

/// OpenSSH's words for a status (`status_messages` in its sftp-server.c).
pub(super) fn message(code: u32) -> &'static str {
    const MESSAGES: [&str; 9] = [
        "Success",
        "End of file",
        "No such file",
        "Permission denied",
        "Failure",
        "Bad message",
        "No connection",
        "Connection lost",
        "Operation unsupported",
    ];
    usize::try_from(code)
        .ok()
        .and_then(|code| MESSAGES.get(code))
        .copied()
        .unwrap_or("Unknown error")
}
