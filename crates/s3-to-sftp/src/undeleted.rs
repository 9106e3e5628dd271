//! Sources that this process has delivered and could not dispose of: a sweep must not have them sent again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::object::ObjectName;
use crate::receipt::{Outcome, Receipt};
use crate::source::Disposal;

/// More are not remembered: whoever cannot delete a thousand sources is told of it by the first.
const REMEMBERED: usize = 1000;

/// Their names, and the ETags that were delivered.
#[derive(Debug, Default)]
pub(crate) struct Undeleted(Mutex<HashMap<ObjectName, String>>);

impl Undeleted {
    /// Takes notice of what became of a record.
    pub(crate) fn notice(&self, outcome: &Outcome) {
        let Outcome::Delivered(receipt, disposal) = outcome else {
            return;
        };
        let Receipt {
            bucket, key, etag, ..
        } = &**receipt;
        let name = ObjectName {
            bucket: bucket.clone(),
            key: key.clone(),
        };
        let mut undeleted = self.lock();
        if *disposal != Disposal::NotDeleted {
            undeleted.remove(&name);
        } else if undeleted.len() < REMEMBERED {
            undeleted.insert(name, etag.clone());
        }
    }

    /// Whether this very object was delivered, and is still there for that reason.
    pub(crate) fn holds(&self, name: &ObjectName, etag: Option<&str>) -> bool {
        let undeleted = self.lock();
        // A receipt has none of the quotes that a listing has.
        let etag = etag.map(|etag| etag.trim_matches('"'));
        undeleted
            .get(name)
            .is_some_and(|delivered| Some(delivered.as_str()) == etag)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectName, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
