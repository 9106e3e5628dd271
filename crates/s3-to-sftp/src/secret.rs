//! A value that never prints itself.

use std::fmt;

use zeroize::Zeroize;

/// A password, a passphrase or a private key: prints `***`, and overwrites its memory when dropped.
///
/// Only what the value holds at its end is overwritten: a `String` that grew has left copies behind, so
/// put a secret in here as soon as it is known, and take it out by [`Secret::expose`] alone.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value that is a secret from here on.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What is shown where a secret would stand. Of one length, or it would tell the secret's.
pub(crate) const MASK: &str = "***";

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn prints_stars_whatever_the_format() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "*** *** ***");
        assert_eq!(format!("{:?}", Some(secret)), "Some(***)");
    }

    #[test]
    fn gives_its_value_when_asked() {
        assert_eq!(Secret::from(b"key".to_vec()).expose(), b"key");
    }

    /// Freed memory cannot be looked at without `unsafe`, so this asks whether the overwriting was called.
    #[test]
    fn is_overwritten_when_dropped() {
        struct Probe(Arc<AtomicBool>);
        impl Zeroize for Probe {
            fn zeroize(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }

        let overwritten = Arc::new(AtomicBool::new(false));
        drop(Secret::new(Probe(Arc::clone(&overwritten))));
        assert!(overwritten.load(Ordering::Relaxed));
    }
}
