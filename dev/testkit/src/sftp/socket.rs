//! A TCP connection that can be cut at once, and that notes how its client introduced itself.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::record::Record;

/// The identification line is at most this long (RFC 4253, section 4.2).
const LONGEST_IDENTIFICATION: usize = 255;

/// See the module.
pub(super) struct Socket {
    stream: Option<TcpStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// What came of the first line so far; none once it is complete.
    line: Option<Vec<u8>>,
    record: Arc<Record>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, cut: CancellationToken, record: Arc<Record>) -> Self {
        Self {
            stream: Some(stream),
            cut: Box::pin(cut.cancelled_owned()),
            line: Some(Vec::new()),
            record,
        }
    }

    /// The stream, unless it was cut; also has the caller woken when it is.
    fn stream(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        if self.stream.is_some()
            && self.cut.as_mut().poll(context).is_ready()
            && let Some(stream) = self.stream.take()
        {
            // A reset, not a farewell: what is queued in the kernel does not leave any more.
            stream.set_zero_linger().ok();
        }
        self.stream
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::ConnectionReset.into())
    }

    fn tap(&mut self, bytes: &[u8]) {
        let Some(line) = &mut self.line else { return };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        if end.is_some() || line.len() > LONGEST_IDENTIFICATION {
            self.record
                .identified(String::from_utf8_lossy(line).trim_end().into());
            self.line = None;
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = self.stream(context)?.poll_read(context, buf);
        self.tap(&buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(context)?.poll_shutdown(context)
    }
}
