//! A thread with a runtime of its own for a server in this process: a test's paused clock does not stop it, a test that
//! blocks does not starve it, and once it is dropped nothing of it is left.

use std::future::Future;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long somebody's code that blocks may keep a dropped server's thread.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
pub(crate) struct ServerThread {
    handle: Handle,
    stop: CancellationToken,
    /// Disconnected when the thread has ended.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl ServerThread {
    /// Runs `server` until this value is dropped, and with it every task that it spawned.
    pub(crate) fn start(name: &str, server: impl Future<Output = ()> + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let (alive, ended) = mpsc::channel();
        let stopped = stop.clone();
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                // Dropped when the thread is done, and with it the other side's wait.
                let _alive: mpsc::Sender<()> = alive;
                runtime.block_on(stopped.run_until_cancelled(server));
                // All tasks are dropped here; what still blocks is left alone.
                runtime.shutdown_background();
            })
            .expect("a thread can be started");
        Self {
            handle,
            stop,
            ended: Mutex::new(ended),
        }
    }

    /// Where further tasks of the server are spawned.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop.cancel();
        // An error is the thread's end, or that it takes too long: then nothing can be done about it.
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(PATIENCE)
            .ok();
    }
}
