//! A request that is on its way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::packet::Response;

/// The answer to a request that has been queued already: awaiting it sends nothing, and dropping it
/// takes nothing back.
#[must_use = "a request whose answer nobody reads may have failed"]
pub struct Reply<T> {
    answer: oneshot::Receiver<Result<Response>>,
    read: fn(Response) -> Result<T>,
}

impl<T> Reply<T> {
    pub(crate) fn new(
        answer: oneshot::Receiver<Result<Response>>,
        read: fn(Response) -> Result<T>,
    ) -> Self {
        Self { answer, read }
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let read = self.read;
        Pin::new(&mut self.answer).poll(context).map(|answer| {
            // The sender is dropped unanswered only when the session is.
            answer.unwrap_or(Err(Error::Closed)).and_then(read)
        })
    }
}

impl<T> std::fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
