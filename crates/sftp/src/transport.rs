//! The two traits that a stream has to have, and both for any tokio reader and writer.
//!
//! They pass [`Bytes`] on, so that an SSH library that takes `Bytes` gets payloads without a copy.

use std::future::Future;
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The receiving half of a stream.
pub trait Receive: Send + 'static {
    /// The next bytes, as many as there are; none at the end of the stream.
    ///
    /// Has to be cancel safe: dropping the future loses no bytes.
    fn receive(&mut self) -> impl Future<Output = io::Result<Option<Bytes>>> + Send;
}

/// The sending half of a stream.
pub trait Transmit: Send + 'static {
    /// Sends all of `bytes`. Never cancelled half-way by this crate while the session lives.
    fn transmit(&mut self, bytes: Bytes) -> impl Future<Output = io::Result<()>> + Send;

    /// Hands over what is still buffered; called when nothing more is queued.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// How much is asked of a reader at once: answers are small, except those to READ.
const READ_CHUNK: usize = 64 * 1024;

/// Any tokio reader as a [`Receive`].
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    buffer: BytesMut,
}

impl<R> Reader<R> {
    /// Wraps `inner`.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: BytesMut::new(),
        }
    }
}

impl<R: AsyncRead + Unpin + Send + 'static> Receive for Reader<R> {
    async fn receive(&mut self) -> io::Result<Option<Bytes>> {
        self.buffer.reserve(READ_CHUNK);
        // `read_buf` is cancel safe: it takes bytes only when it is ready.
        let read = self.inner.read_buf(&mut self.buffer).await?;
        Ok((read > 0).then(|| self.buffer.split().freeze()))
    }
}

/// Any tokio writer as a [`Transmit`].
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
}

impl<W> Writer<W> {
    /// Wraps `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner }
    }
}

impl<W: AsyncWrite + Unpin + Send + 'static> Transmit for Writer<W> {
    async fn transmit(&mut self, bytes: Bytes) -> io::Result<()> {
        self.inner.write_all(&bytes).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().await
    }
}
