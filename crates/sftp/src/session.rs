//! One SFTP channel: the version exchange, requests, and their answers matched by id and type.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::answer::{attributes, done, handle, none_at_eof, refused};
use crate::error::{Error, Result};
use crate::extensions::{Extensions, FSYNC, LIMITS, Limits, POSIX_RENAME};
use crate::packet::{
    Attributes, Deframer, Fields, Handle, Name, OpenFlags, Request, Response, encode_init,
};
use crate::pending::{Expected, Patience, Pending};
use crate::reply::Reply;
use crate::stream::{Packet, read_answers, version, write_packets};
use crate::transport::{Receive, Transmit};

/// How a session behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The longest time that requests may be outstanding while none at all is answered. Requests
    /// that make a server work (FSYNC, CLOSE, RENAME, REMOVE) are waited for without this limit:
    /// servers copy, scan and checksum then, and whether they live is for the layer below to tell.
    pub stall_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stall_timeout: Duration::from_secs(30),
        }
    }
}

/// An SFTP session over one stream.
///
/// Every method that returns a [`Reply`] has queued its request by then, in the order of the calls.
/// Dropping the session ends its tasks; what is queued may then stay unsent, so whoever needs an
/// answer awaits it first.
#[derive(Debug)]
pub struct Session {
    pending: Arc<Pending>,
    outgoing: mpsc::UnboundedSender<Packet>,
    extensions: Extensions,
    limits: Mutex<Asked>,
    are_limits_untrue: AtomicBool,
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
}

/// The server's limits: asked for with the first requests, so that they cost no round trip.
#[derive(Debug)]
enum Asked {
    Pending(Reply<Limits>),
    Known(Limits),
}

impl Session {
    /// Exchanges versions and starts the session. Takes one round trip.
    pub async fn start<R: Receive, T: Transmit>(
        mut receive: R,
        mut transmit: T,
        options: Options,
    ) -> Result<Self> {
        let mut deframer = Deframer::default();
        let extensions = tokio::time::timeout(options.stall_timeout, async {
            transmit.transmit(encode_init()).await?;
            transmit.flush().await?;
            version(&mut receive, &mut deframer).await
        })
        .await
        .map_err(|_| Error::Stalled(options.stall_timeout))??;

        let pending = Arc::new(Pending::new(options.stall_timeout));
        let (outgoing, packets) = mpsc::unbounded_channel();
        let writer = tokio::spawn(write_packets(transmit, packets, Arc::clone(&pending)));
        let reader = tokio::spawn(read_answers(receive, deframer, Arc::clone(&pending)));
        let mut session = Self {
            pending,
            outgoing,
            limits: Mutex::new(Asked::Known(Limits::default())),
            are_limits_untrue: AtomicBool::new(false),
            extensions,
            writer,
            reader,
        };
        if session.extensions.has(LIMITS) {
            session.limits = Mutex::new(Asked::Pending(session.ask_limits()));
        }
        Ok(session)
    }

    /// What the server listed in its VERSION packet.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Whether [`Self::posix_rename`] is there to use.
    pub fn has_posix_rename(&self) -> bool {
        self.extensions.has(POSIX_RENAME)
    }

    /// Whether [`Self::fsync`] is there to use.
    pub fn has_fsync(&self) -> bool {
        self.extensions.has(FSYNC)
    }

    /// The server's limits, or the draft's where it tells none. Asked for at the start: this waits
    /// only where nothing else has been awaited before.
    pub async fn limits(&self) -> Limits {
        let mut asked = self.limits.lock().await;
        if let Asked::Pending(reply) = &mut *asked {
            // A server that lists the extension and then refuses it gets the draft's limits.
            *asked = Asked::Known(reply.await.unwrap_or_default());
        }
        match &*asked {
            Asked::Known(limits) => *limits,
            Asked::Pending(_) => Limits::default(),
        }
    }

    /// From now on the draft's limits hold: the server's own have turned out to be untrue.
    pub async fn forget_limits(&self) {
        self.are_limits_untrue.store(true, Ordering::Relaxed);
        *self.limits.lock().await = Asked::Known(Limits::default());
    }

    /// Whether they have: another connection to the same server should not believe them, either.
    pub fn are_limits_untrue(&self) -> bool {
        self.are_limits_untrue.load(Ordering::Relaxed)
    }

    /// The shortest time that a request has been answered in: about a round trip. None before the first answer.
    pub fn round_trip(&self) -> Option<Duration> {
        self.pending.round_trip()
    }

    /// Whether the session has ended: every request fails from here on.
    pub fn is_closed(&self) -> bool {
        self.pending.has_ended()
    }

    /// Whether a RENAME or a REMOVE is unanswered whose [`Reply`] was dropped: the server may carry it out at any time.
    pub fn may_move_unseen(&self) -> bool {
        self.pending.may_move_unseen()
    }

    /// Requests that are not answered yet. None when the session has ended: nobody waits any more,
    /// whatever the server still does.
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Opens a file. `attributes` count where the server makes it.
    pub fn open(&self, path: &str, flags: OpenFlags, attributes: Attributes) -> Reply<Handle> {
        let request = Request::Open {
            path: path.as_bytes(),
            flags,
            attributes,
        };
        self.send(&request, Expected::Handle, Patience::Prompt, handle)
    }

    /// Writes `data`, put together from pieces that are not copied, at `offset`. Together they have
    /// to be within [`Limits::write_length`].
    pub fn write(&self, handle: &Handle, offset: u64, data: Vec<Bytes>) -> Reply<()> {
        let length = data.iter().map(Bytes::len).sum();
        let request = Request::Write {
            handle,
            offset,
            length,
        };
        self.send_with(&request, data, Expected::Status, Patience::Prompt, done)
    }

    /// Reads up to `length` bytes at `offset`; none at the end of the file.
    pub fn read(&self, handle: &Handle, offset: u64, length: u32) -> Reply<Option<Bytes>> {
        let request = Request::Read {
            handle,
            offset,
            length,
        };
        self.send(
            &request,
            Expected::Data,
            Patience::Prompt,
            |response| match response {
                Response::Data(data) => Ok(Some(data)),
                other => none_at_eof(other),
            },
        )
    }

    /// Closes a handle. Servers that store elsewhere do so now: it may take minutes.
    pub fn close(&self, handle: &Handle) -> Reply<()> {
        self.send(
            &Request::Close { handle },
            Expected::Status,
            Patience::Long,
            done,
        )
    }

    /// Makes a file durable: `fsync@openssh.com`.
    pub fn fsync(&self, handle: &Handle) -> Reply<()> {
        self.send(
            &Request::Fsync { handle },
            Expected::Status,
            Patience::Long,
            done,
        )
    }

    /// Attributes of an open file.
    pub fn fstat(&self, handle: &Handle) -> Reply<Attributes> {
        let request = Request::Fstat { handle };
        self.send(&request, Expected::Attributes, Patience::Prompt, attributes)
    }

    /// Attributes of a file, links followed.
    pub fn stat(&self, path: &str) -> Reply<Attributes> {
        let request = Request::Stat {
            path: path.as_bytes(),
        };
        self.send(&request, Expected::Attributes, Patience::Prompt, attributes)
    }

    /// Attributes of a file or of a link itself.
    pub fn lstat(&self, path: &str) -> Reply<Attributes> {
        let request = Request::Lstat {
            path: path.as_bytes(),
        };
        self.send(&request, Expected::Attributes, Patience::Prompt, attributes)
    }

    /// Sets attributes of an open file.
    pub fn fsetstat(&self, handle: &Handle, attributes: Attributes) -> Reply<()> {
        let request = Request::Fsetstat { handle, attributes };
        self.send(&request, Expected::Status, Patience::Prompt, done)
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) -> Reply<()> {
        let request = Request::Remove {
            path: path.as_bytes(),
        };
        self.send(&request, Expected::Moved, Patience::Long, done)
    }

    /// Makes a directory.
    pub fn mkdir(&self, path: &str) -> Reply<()> {
        let request = Request::Mkdir {
            path: path.as_bytes(),
        };
        self.send(&request, Expected::Status, Patience::Prompt, done)
    }

    /// The canonical form of a path, as the server spells it.
    pub fn realpath(&self, path: &str) -> Reply<Bytes> {
        let request = Request::Realpath {
            path: path.as_bytes(),
        };
        self.send(
            &request,
            Expected::Names,
            Patience::Prompt,
            |response| match response {
                Response::Names(names) => names
                    .into_iter()
                    .next()
                    .map(|name| name.filename)
                    .ok_or_else(|| Error::protocol("REALPATH answered no name")),
                other => refused(other),
            },
        )
    }

    /// Opens a directory to list it.
    pub fn opendir(&self, path: &str) -> Reply<Handle> {
        let request = Request::Opendir {
            path: path.as_bytes(),
        };
        self.send(&request, Expected::Handle, Patience::Prompt, handle)
    }

    /// The next names of a directory; none at its end.
    pub fn readdir(&self, handle: &Handle) -> Reply<Option<Vec<Name>>> {
        let request = Request::Readdir { handle };
        self.send(
            &request,
            Expected::Names,
            Patience::Prompt,
            |response| match response {
                Response::Names(names) => Ok(Some(names)),
                other => none_at_eof(other),
            },
        )
    }

    /// Renames. By the draft it fails where `to` exists; some servers overwrite.
    pub fn rename(&self, from: &str, to: &str) -> Reply<()> {
        let request = Request::Rename {
            from: from.as_bytes(),
            to: to.as_bytes(),
        };
        self.send(&request, Expected::Moved, Patience::Long, done)
    }

    /// Renames over whatever is there, in one step: `posix-rename@openssh.com`.
    pub fn posix_rename(&self, from: &str, to: &str) -> Reply<()> {
        let request = Request::PosixRename {
            from: from.as_bytes(),
            to: to.as_bytes(),
        };
        self.send(&request, Expected::Moved, Patience::Long, done)
    }

    fn ask_limits(&self) -> Reply<Limits> {
        let read = |response| match response {
            Response::Extended(data) => Limits::read(Fields::new(data)),
            other => refused(other),
        };
        self.send(&Request::Limits, Expected::Extended, Patience::Prompt, read)
    }

    fn send<T>(
        &self,
        request: &Request<'_>,
        expected: Expected,
        patience: Patience,
        read: fn(Response) -> Result<T>,
    ) -> Reply<T> {
        self.send_with(request, Vec::new(), expected, patience, read)
    }

    fn send_with<T>(
        &self,
        request: &Request<'_>,
        payload: Vec<Bytes>,
        expected: Expected,
        patience: Patience,
        read: fn(Response) -> Result<T>,
    ) -> Reply<T> {
        let (id, answer) = self.pending.register(expected, patience);
        if let Some(id) = id {
            let packet = Packet {
                head: request.encode(id),
                payload,
            };
            if self.outgoing.send(packet).is_err() {
                self.pending.end(&Error::Closed);
            }
        }
        Reply::new(answer, read)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The channel is thrown away with its session, so a packet cut in two harms nobody.
        self.writer.abort();
        self.reader.abort();
        self.pending.end(&Error::Closed);
    }
}
