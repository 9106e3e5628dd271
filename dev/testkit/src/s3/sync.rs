//! A mutex that survives a panic in a test.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A failed assertion in one task must not turn every later request into a second, misleading panic.
#[derive(Default)]
pub(super) struct Locked<T: ?Sized>(Mutex<T>);

impl<T> Locked<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }
}

impl<T: ?Sized> Locked<T> {
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
