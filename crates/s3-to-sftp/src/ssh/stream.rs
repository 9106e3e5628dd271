//! A TCP stream that can be cut at any moment, and that notices when its peer takes nothing.
//!
//! russh needs both from outside: its session goes on when its handle is dropped, its writes have
//! no time-out, and while one waits it sends no keepalive (russh 0.65, `client/mod.rs`).

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::identification::{Identification, lock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The socket's end that is given to russh.
pub(super) struct Stream {
    tcp: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    is_cut: bool,
    write_timeout: Duration,
    /// Runs while a write waits; every byte that the peer takes ends it.
    write_waits: Option<Pin<Box<Sleep>>>,
    waits_for_peer: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    identification: Arc<Mutex<Identification>>,
    /// Closed by dropping, which is how [`Cut::wait`] learns of it.
    _open: watch::Sender<()>,
}

/// The end that stays with the connection.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    token: CancellationToken,
    waits_for_peer: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    identification: Arc<Mutex<Identification>>,
    open: watch::Receiver<()>,
}

/// Wraps a connected socket. `write_timeout` is how long the peer may take no byte at all.
pub(super) fn cuttable(tcp: TcpStream, write_timeout: Duration) -> (Stream, Cut) {
    let token = CancellationToken::new();
    let waits_for_peer = Arc::new(AtomicBool::new(false));
    let received = Arc::new(AtomicU64::new(0));
    let identification = Arc::default();
    let (open_sender, open) = watch::channel(());
    let stream = Stream {
        tcp,
        cut: Box::pin(token.clone().cancelled_owned()),
        is_cut: false,
        write_timeout,
        write_waits: None,
        waits_for_peer: Arc::clone(&waits_for_peer),
        received: Arc::clone(&received),
        identification: Arc::clone(&identification),
        _open: open_sender,
    };
    (
        stream,
        Cut {
            token,
            waits_for_peer,
            received,
            identification,
            open,
        },
    )
}

impl Cut {
    /// Cuts the connection: the peer gets a reset, and nothing that was queued is sent any more.
    pub(super) fn cut(&self) {
        self.token.cancel();
    }

    /// From now on the socket is closed only when the peer has closed it too: until then the peer counts it.
    pub(super) fn wait_for_peer(&self) {
        self.waits_for_peer.store(true, Ordering::Relaxed);
    }

    /// Waits until the socket is closed, which is when its task has ended.
    pub(super) async fn wait(&self) {
        let mut open = self.open.clone();
        // Nothing is ever sent: this ends when the sender is dropped.
        while open.changed().await.is_ok() {}
    }

    /// How the server has introduced itself: the line that begins with `SSH-`; empty before it has come. russh
    /// keeps it to itself.
    pub(super) fn identification(&self) -> String {
        lock(&self.identification).line()
    }

    /// Bytes that came in so far.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Stream {
    fn check_cut(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if !self.is_cut && self.cut.as_mut().poll(context).is_ready() {
            self.is_cut = true;
            // Without it the kernel would go on sending what it holds after the socket is closed.
            // Failing that, closing is all that is left to do.
            _ = self.tcp.set_zero_linger();
        }
        if self.is_cut {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the connection was cut",
            ));
        }
        Ok(())
    }

    /// Ready when the peer has closed its end. Nobody reads any more what it says before.
    fn poll_peers_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; 1024];
        loop {
            let mut unread = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.tcp).poll_read(context, &mut unread))?;
            if unread.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        lock(&self.identification).pass(&buffer.filled()[before..]);
        self.received.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_cut(context)?;
        if let Poll::Ready(written) = Pin::new(&mut self.tcp).poll_write(context, bytes) {
            self.write_waits = None;
            return Poll::Ready(written);
        }
        let timeout = self.write_timeout;
        let waits = self
            .write_waits
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(waits.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the server took nothing for {} s", timeout.as_secs()),
        )))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut(context)?;
        ready!(Pin::new(&mut self.tcp).poll_shutdown(context))?;
        if self.waits_for_peer.load(Ordering::Relaxed) {
            self.poll_peers_end(context)
        } else {
            Poll::Ready(Ok(()))
        }
    }
}
