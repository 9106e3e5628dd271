//! An object that several records of an event name: it is delivered once, and they share one outcome.
//!
//! The same is what has the same bucket, key, version and ETag. Records of one key that differ in these are not merged,
//! although each brings only what is there *now*: the second one looks again, and finds that nothing is left, or
//! what a store that was slow to tell had kept from the first one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Error;
use crate::event::{Item, Job};
use crate::object::ObjectName;
use crate::receipt::Outcome;
use tokio::sync::OnceCell;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Same {
    name: ObjectName,
    etag: Option<String>,
    version_id: Option<String>,
}

impl Same {
    fn of(job: &Job) -> Self {
        Self {
            name: job.name.clone(),
            etag: job.etag.clone(),
            version_id: job.version_id.clone(),
        }
    }
}

/// Why it has failed, if it has.
pub(super) type Failed = Option<Arc<Error>>;

/// The outcome of each object that is named more than once.
#[derive(Debug, Default)]
pub(super) struct Once(HashMap<Same, OnceCell<Failed>>);

impl Once {
    /// Looks for those that are named more than once.
    pub(super) fn among<'a>(items: impl Iterator<Item = &'a Item>) -> Self {
        let mut times: HashMap<Same, u32> = HashMap::new();
        for item in items {
            if let Item::Job(job) = item {
                *times.entry(Same::of(job)).or_default() += 1;
            }
        }
        let several = times.into_iter().filter(|(_, times)| *times > 1);
        Self(several.map(|(same, _)| (same, OnceCell::new())).collect())
    }

    /// Delivers an item, or waits for the delivery that another one has begun.
    ///
    /// Nobody waits for ever: who waits, waits for a delivery that is under way.
    pub(super) async fn deliver<F>(&self, item: Item, deliver: impl FnOnce(Item) -> F) -> Failed
    where
        F: Future<Output = Outcome>,
    {
        let same = match &item {
            Item::Job(job) => Some(Same::of(job)),
            _ => None,
        };
        let Some((same, outcome)) = same.and_then(|same| self.0.get_key_value(&same)) else {
            return failed(deliver(item).await);
        };
        let mut is_first = false;
        let failed = outcome
            .get_or_init(|| {
                is_first = true;
                let delivery = deliver(item);
                async { failed(delivery.await) }
            })
            .await;
        if !is_first {
            tracing::info!(
                object = %same.name,
                failed = failed.is_some(),
                "named more than once: one delivery, and one outcome for all"
            );
        }
        failed.clone()
    }
}

/// The items without those that an earlier one says already.
pub fn without_repeated(items: Vec<Item>) -> Vec<Item> {
    let mut seen = std::collections::HashSet::new();
    let is_new = |item: &Item| match item {
        Item::Job(job) => {
            let is_new = seen.insert(Same::of(job));
            if !is_new {
                tracing::info!(object = %job.name, "named more than once: one delivery, and one outcome for all");
            }
            is_new
        }
        _ => true,
    };
    items.into_iter().filter(is_new).collect()
}

fn failed(outcome: Outcome) -> Failed {
    match outcome {
        Outcome::Failed(error) => Some(Arc::new(error)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::error::{Cause, Stage};
    use crate::side_by_side::side_by_side;

    use super::*;

    fn job(key: &str, etag: Option<&str>, version_id: Option<&str>) -> Item {
        Item::Job(Job {
            name: ObjectName {
                bucket: "inbox".to_owned(),
                key: key.to_owned(),
            },
            etag: etag.map(str::to_owned),
            version_id: version_id.map(str::to_owned),
            size: None,
            sequencer: None,
            time: None,
        })
    }

    /// Delivers all of them, some at once; how many deliveries there were, and which items failed.
    async fn deliver_all(items: &[Item], fails: bool) -> (usize, Vec<bool>) {
        let once = Once::among(items.iter());
        let deliveries = Cell::new(0);
        let deliver = |item| {
            deliveries.set(deliveries.get() + 1);
            async move {
                tokio::task::yield_now().await;
                let Item::Job(job) = item else {
                    panic!("only jobs here");
                };
                if fails {
                    Outcome::Failed(Error {
                        stage: Stage::Transfer,
                        object: Some(job.name),
                        cause: Cause::Deadline,
                    })
                } else {
                    Outcome::Gone(job.name)
                }
            }
        };
        let mut failed = Vec::new();
        let all = items.iter().map(|item| once.deliver(item.clone(), deliver));
        side_by_side(4, all, |it| failed.push(it.is_some())).await;
        (deliveries.get(), failed)
    }

    #[tokio::test]
    async fn one_delivery_has_one_outcome_for_all_who_name_it() {
        let items = [
            job("a", Some("1"), None),
            job("b", Some("1"), None),
            job("a", Some("1"), None),
            job("a", Some("1"), None),
        ];
        assert_eq!(deliver_all(&items, false).await, (2, vec![false; 4]));
        assert_eq!(deliver_all(&items, true).await, (2, vec![true; 4]));
        assert_eq!(without_repeated(items.to_vec()), items[..2]);
    }

    #[tokio::test]
    async fn what_may_be_another_version_is_looked_at_again() {
        let items = [
            job("a", Some("1"), Some("x")),
            job("a", Some("1"), Some("y")),
            job("a", Some("2"), Some("x")),
            job("a", None, None),
            job("A", None, None),
        ];
        assert_eq!(deliver_all(&items, true).await, (5, vec![true; 5]));
        assert_eq!(without_repeated(items.to_vec()), items);
    }
}
