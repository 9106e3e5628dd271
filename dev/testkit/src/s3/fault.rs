//! Faults in an answer's body: cut, slow, wrong, or with something happening in the middle.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use s3s::{Body, StdError};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::sync::Locked;

/// What is wrong with one answer.
pub(super) enum Fault {
    LoseAnswer,
    Late(Duration),
    Cut {
        after: u64,
    },
    Slow {
        bytes_per_second: u64,
    },
    Corrupt {
        offset: u64,
    },
    HoldAt {
        offset: u64,
        until: Pin<Box<dyn Future<Output = ()> + Send>>,
    },
}

/// Travels with a request, so that the hook can leave a note for whoever sends the answer.
#[derive(Clone, Default)]
pub(super) struct Plan(Arc<Locked<Option<Fault>>>);

impl Plan {
    pub(super) fn set(&self, fault: Fault) {
        *self.0.lock() = Some(fault);
    }

    pub(super) fn take(&self) -> Option<Fault> {
        self.0.lock().take()
    }
}

/// Up to where the body may go before something happens.
enum Stop {
    Cut,
    Hold(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// A body with a fault in it.
pub(super) struct FaultyBody {
    inner: Body,
    /// Taken from `inner` and not yet sent.
    pending: Bytes,
    sent: u64,
    stop: Option<(u64, Stop)>,
    /// Resolves when hyper has handed the last chunk to the kernel.
    flushed: Option<oneshot::Receiver<()>>,
    corrupt: Option<u64>,
    bytes_per_second: Option<u64>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl FaultyBody {
    /// `LoseAnswer` and `Late` are no faults of a body: the server handles them.
    pub(super) fn new(inner: Body, fault: Fault) -> Self {
        let mut body = Self {
            inner,
            pending: Bytes::new(),
            sent: 0,
            stop: None,
            flushed: None,
            corrupt: None,
            bytes_per_second: None,
            pause: None,
        };
        match fault {
            Fault::LoseAnswer | Fault::Late(_) => {}
            Fault::Cut { after } => body.stop = Some((after, Stop::Cut)),
            Fault::HoldAt { offset, until } => body.stop = Some((offset, Stop::Hold(until))),
            Fault::Corrupt { offset } => body.corrupt = Some(offset),
            Fault::Slow { bytes_per_second } => {
                body.bytes_per_second = Some(bytes_per_second.max(1))
            }
        }
        if body.stop.as_ref().is_some_and(|(offset, _)| *offset == 0) {
            body.flushed = Some(headers_flushed());
        }
        body
    }

    /// At most so many bytes in the next frame.
    fn limit(&self) -> usize {
        let to_stop = self
            .stop
            .as_ref()
            .map_or(u64::MAX, |(offset, _)| offset - self.sent);
        // Twenty frames a second are smooth enough.
        let slow = self
            .bytes_per_second
            .map_or(u64::MAX, |rate| (rate / 20).max(1));
        usize::try_from(to_stop.min(slow)).unwrap_or(usize::MAX)
    }

    fn next_frame(&mut self) -> Bytes {
        let limit = self.limit().min(self.pending.len());
        let mut chunk = self.pending.split_to(limit);
        let start = self.sent;
        self.sent += chunk.len() as u64;
        if let Some(index) = self.corrupt.and_then(|offset| offset.checked_sub(start))
            && let Ok(index) = usize::try_from(index)
            && index < chunk.len()
        {
            let mut bytes = BytesMut::from(&chunk[..]);
            bytes[index] ^= 0xFF;
            chunk = bytes.freeze();
        }
        if let Some(rate) = self.bytes_per_second {
            let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let rate = u32::try_from(rate).unwrap_or(u32::MAX);
            self.pause = Some(Box::pin(tokio::time::sleep(
                Duration::from_secs(1) * length / rate,
            )));
        }
        if self
            .stop
            .as_ref()
            .is_some_and(|(offset, _)| *offset == self.sent)
        {
            let (tracked, flushed) = track(chunk);
            self.flushed = Some(flushed);
            chunk = tracked;
        }
        chunk
    }
}

impl HttpBody for FaultyBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        if this.pending.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => this.pending = frame.into_data().unwrap_or_default(),
                end_or_error => return Poll::Ready(end_or_error),
            }
        }
        // Only here, with a further byte in hand, is the body known to be longer than the stop's offset.
        if let Some(flushed) = &mut this.flushed {
            // An error is the sender dropped: the chunk is gone, and so is what was to be waited for.
            let _sent_or_dropped = ready!(Pin::new(flushed).poll(cx));
            this.flushed = None;
        }
        match &mut this.stop {
            Some((offset, stop)) if *offset == this.sent => {
                match stop {
                    Stop::Cut => return Poll::Ready(Some(Err("cut by a hook".into()))),
                    Stop::Hold(until) => ready!(until.as_mut().poll(cx)),
                }
                this.stop = None;
            }
            _ => {}
        }
        let frame = Frame::data(this.next_frame());
        Poll::Ready(Some(Ok(frame)))
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        let pending = self.pending.len() as u64;
        if let Some(exact) = hint.exact() {
            hint.set_exact(exact + pending);
        }
        hint
    }
}

/// The same bytes, and a receiver that resolves when the last reference to them is gone. hyper drops a chunk as soon as
/// the kernel took all of it; an error any earlier would throw away what it still holds.
fn track(chunk: Bytes) -> (Bytes, oneshot::Receiver<()>) {
    struct Tracked {
        bytes: Bytes,
        _dropped: oneshot::Sender<()>,
    }
    impl AsRef<[u8]> for Tracked {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    let (sender, receiver) = oneshot::channel();
    (
        Bytes::from_owner(Tracked {
            bytes: chunk,
            _dropped: sender,
        }),
        receiver,
    )
}

/// Stands for the headers, which hyper writes when the body first has nothing to give.
fn headers_flushed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        tokio::task::yield_now().await;
        drop(sender);
    });
    receiver
}
