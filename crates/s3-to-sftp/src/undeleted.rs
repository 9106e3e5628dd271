//! Sources that this process has delivered and could not dispose of: a sweep must not have them sent again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::object::ObjectName;
use crate::receipt::{Outcome, Receipt};
use crate::source::Disposal;

/// More are not remembered: whoever cannot delete a thousand sources is told of it by the first.
const REMEMBERED: usize = 1000;

/// Their names.
#[derive(Debug, Default)]
pub(crate) struct Undeleted(Mutex<HashMap<ObjectName, Delivered>>);

#[derive(Debug)]
struct Delivered {
    etag: String,
    /// A sweep has had it sent again.
    went_once_more: bool,
}

impl Undeleted {
    /// Takes notice of what became of a record.
    pub(crate) fn notice(&self, outcome: &Outcome) {
        let Outcome::Delivered(receipt, disposal) = outcome else {
            return;
        };
        let Receipt { name, etag, .. } = &**receipt;
        let mut undeleted = self.lock();
        if *disposal != Disposal::NotDeleted {
            undeleted.remove(name);
        } else if let Some(delivered) = undeleted.get_mut(name) {
            delivered.went_once_more &= delivered.etag == *etag;
            delivered.etag.clone_from(etag);
        } else if undeleted.len() < REMEMBERED {
            let delivered = Delivered {
                etag: etag.clone(),
                went_once_more: false,
            };
            undeleted.insert(name.clone(), delivered);
        }
    }

    /// Whether this very object was delivered, and is still there for that reason.
    pub(crate) fn holds(&self, name: &ObjectName, etag: Option<&str>) -> bool {
        let undeleted = self.lock();
        // A receipt has none of the quotes that a listing has.
        let etag = etag.map(|etag| etag.trim_matches('"'));
        undeleted
            .get(name)
            .is_some_and(|delivered| Some(delivered.etag.as_str()) == etag)
    }

    /// Whether a sweep may have it sent again, now that S3 says that its directory's sources may be deleted: once. What is
    /// refused then is refused for this object alone, and would be sent every day.
    pub(crate) fn may_go_once_more(&self, name: &ObjectName) -> bool {
        let mut undeleted = self.lock();
        undeleted
            .get_mut(name)
            .is_none_or(|delivered| !std::mem::replace(&mut delivered.went_once_more, true))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectName, Delivered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
