//! A connection that invocations are at work on.
//!
//! On Lambda Managed Instances several invocations share a process. A partner counts connections, so they share this too:
//! whoever comes first makes it, and whoever leaves last says what becomes of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::ssh::Connection;

#[derive(Debug)]
struct InUse {
    connection: Arc<Connection>,
    /// Whether somebody has left it in a way after which it is not to be kept.
    is_spoilt: AtomicBool,
}

/// One invocation's part in it.
#[derive(Debug)]
pub(crate) struct Part {
    connection: Arc<Connection>,
    /// None once it has been left.
    in_use: Option<Arc<InUse>>,
}

/// By which another invocation finds it.
#[derive(Debug, Default)]
pub(super) struct Shared(Weak<InUse>);

/// What the last one leaves.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) connection: Arc<Connection>,
    pub(crate) is_spoilt: bool,
}

impl Part {
    pub(super) fn of(connection: Arc<Connection>) -> Self {
        let in_use = InUse {
            connection: Arc::clone(&connection),
            is_spoilt: AtomicBool::new(false),
        };
        Self {
            connection,
            in_use: Some(Arc::new(in_use)),
        }
    }

    pub(super) fn shared(&self) -> Shared {
        Shared(self.in_use.as_ref().map(Arc::downgrade).unwrap_or_default())
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Leaves it at the invocation's end. None where another invocation is at work on it still.
    pub(crate) fn leave(mut self, is_spoilt: bool) -> Option<Left> {
        let in_use = self.in_use.take()?;
        if is_spoilt {
            in_use.is_spoilt.store(true, Ordering::Relaxed);
        }
        let last = Arc::into_inner(in_use)?;
        Some(Left {
            connection: last.connection,
            is_spoilt: last.is_spoilt.into_inner(),
        })
    }
}

/// An invocation that ends without a word, by a panic, may have left a handle open.
impl Drop for Part {
    fn drop(&mut self) {
        if let Some(in_use) = &self.in_use {
            in_use.is_spoilt.store(true, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// Takes part in it, while it is open.
    pub(super) fn join(&self) -> Option<Part> {
        let in_use = self.0.upgrade()?;
        (!in_use.connection.is_closed()).then(|| Part {
            connection: Arc::clone(&in_use.connection),
            in_use: Some(in_use),
        })
    }
}
