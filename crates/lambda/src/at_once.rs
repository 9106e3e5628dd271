//! Several invocations at once, on the one thread.
//!
//! The runtime's crate wants futures that could move to another thread. Those of a delivery do not, as far as the compiler can
//! see, and need not: here each becomes a task of this thread.

use std::future::Future;
use std::panic::resume_unwind;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

/// Where invocations are put, from any thread.
#[derive(Debug)]
pub(crate) struct Invocations<E, T>(mpsc::UnboundedSender<(E, oneshot::Sender<JoinHandle<T>>)>);

impl<E, T> Clone for Invocations<E, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: 'static, T: 'static> Invocations<E, T> {
    /// Has `local` carry out by `handle` what is put here.
    pub(crate) fn carried_out_by<F>(local: &LocalSet, handle: impl Fn(E) -> F + 'static) -> Self
    where
        F: Future<Output = T> + 'static,
    {
        let (sender, mut receiver) = mpsc::unbounded_channel::<(E, oneshot::Sender<_>)>();
        local.spawn_local(async move {
            while let Some((event, started)) = receiver.recv().await {
                // Whoever asked has gone only if the whole process goes.
                _ = started.send(spawn_local(handle(event)));
            }
        });
        Self(sender)
    }

    /// Has one carried out.
    ///
    /// # Panics
    ///
    /// As the invocation does: the runtime's crate reports it as the error of this one.
    pub(crate) async fn carry_out(&self, event: E) -> T {
        const LIVES: &str = "what carries invocations out lives as long as the process";
        let (started, task) = oneshot::channel();
        self.0.send((event, started)).expect(LIVES);
        match task.await.expect(LIVES).await {
            Ok(done) => done,
            Err(error) => resume_unwind(error.into_panic()),
        }
    }
}
