//! Futures a few at a time, their results in order.

use std::collections::BTreeMap;
use std::future::Future;

use futures_util::{StreamExt, stream};

/// Runs `futures`, at most `width` at once and begun in order, and tells their results in order, each as soon as
/// those before it are there.
///
/// A slow one holds up the telling of those behind it, not their running.
pub async fn side_by_side<F: Future>(
    width: usize,
    futures: impl IntoIterator<Item = F>,
    mut tell: impl FnMut(F::Output),
) {
    let numbered = futures
        .into_iter()
        .enumerate()
        .map(|(number, future)| async move { (number, future.await) });
    let mut running = std::pin::pin!(stream::iter(numbered).buffer_unordered(width.max(1)));
    let (mut next, mut early) = (0, BTreeMap::new());
    while let Some((number, result)) = running.next().await {
        early.insert(number, result);
        while let Some(result) = early.remove(&next) {
            tell(result);
            next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn results_come_in_order_and_a_slow_one_holds_nobody_up() {
        let (last_is_done, running, most) = (Notify::new(), Cell::new(0), Cell::new(0));
        let told = RefCell::new(Vec::new());
        let one = |number: usize| {
            let (last_is_done, running, most) = (&last_is_done, &running, &most);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                match number {
                    0 => last_is_done.notified().await,
                    9 => last_is_done.notify_one(),
                    _ => tokio::task::yield_now().await,
                }
                running.set(running.get() - 1);
                number
            }
        };
        side_by_side(3, (0..10).map(one), |number| told.borrow_mut().push(number)).await;
        assert_eq!(told.into_inner(), (0..10).collect::<Vec<_>>());
        assert_eq!(most.get(), 3);
    }
}
