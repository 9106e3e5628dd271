//! The messages that are being worked at: hidden from others for as long as that takes, then deleted, or shown again.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use aws_sdk_sqs::Client;
use s3_to_sftp::batch::{End, Queue};
use s3_to_sftp::error::Cause;
use s3_to_sftp::event::Message;
use s3_to_sftp::receipt::Outcome;
use tokio::sync::{OwnedSemaphorePermit, RwLock};
use tokio::time::sleep;

use super::inbox::{AT_ONCE, Inbox};
use crate::send::record;

/// The messages in hand.
pub(super) struct InHand {
    inbox: Inbox,
    /// For how long a message is hidden, and hidden anew.
    visibility: Duration,
    /// By the receipt handle.
    held: RefCell<HashMap<String, Held>>,
    /// Written by whoever hides messages anew, read by whoever takes one out: no request of the first may arrive behind one
    /// of the second.
    renewing: RwLock<()>,
    /// What is broken off from now on has failed by the stop, and by nothing else.
    is_stopping: Cell<bool>,
    /// Messages that have to come again, by their ids.
    failed: RefCell<HashSet<String>>,
    has_given_up: Cell<bool>,
    json: bool,
}

struct Held {
    /// One of the jobs.
    _slot: OwnedSemaphorePermit,
    /// Whether it was told that it cannot be hidden any longer.
    is_told: bool,
}

impl InHand {
    pub(super) fn new(inbox: Inbox, visibility: Duration, json: bool) -> Self {
        Self {
            inbox,
            visibility,
            held: RefCell::default(),
            renewing: RwLock::default(),
            is_stopping: Cell::new(false),
            failed: RefCell::default(),
            has_given_up: Cell::new(false),
            json,
        }
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(super) fn visibility(&self) -> Duration {
        self.visibility
    }

    /// Takes a message that was received; the slot is free again when it has come to its end.
    pub(super) fn take(&self, message: &Message, slot: OwnedSemaphorePermit) {
        if let Some(handle) = &message.receipt_handle {
            let held = Held {
                _slot: slot,
                is_told: false,
            };
            self.held.borrow_mut().insert(handle.clone(), held);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.held.borrow().len()
    }

    /// Whether everything that was received is done.
    pub(super) fn is_all_done(&self) -> bool {
        self.failed.borrow().is_empty() && !self.has_given_up.get()
    }

    pub(super) fn stop(&self) {
        self.is_stopping.set(true);
    }

    /// Hides what is in hand anew, each time long before it would be shown to others.
    pub(super) async fn renew(&self) -> std::convert::Infallible {
        loop {
            sleep(self.visibility / 3).await;
            let _renewing = self.renewing.write().await;
            for handles in self.handles().chunks(AT_ONCE) {
                match self.inbox.hide(handles, self.visibility).await {
                    Ok(refused) => {
                        for (handle, why) in refused {
                            self.tell(&handle, &why);
                        }
                    }
                    Err(error) => tracing::warn!(
                        "messages that are being worked at could not be hidden for longer; one that others receive \
                         meanwhile is delivered twice: {error}"
                    ),
                }
            }
        }
    }

    /// Once for each message: what SQS refuses it goes on to refuse, after twelve hours in any case.
    fn tell(&self, handle: &str, why: &str) {
        if let Some(held) = self.held.borrow_mut().get_mut(handle)
            && !held.is_told
        {
            held.is_told = true;
            tracing::warn!(
                "a message that is being worked at cannot be hidden for longer; its delivery goes on, and if others \
                 receive it meanwhile it is delivered twice: {why}"
            );
        }
    }

    /// Has all that is in hand shown to others at once.
    pub(super) async fn put_all_back(&self) {
        let _renewing = self.renewing.write().await;
        let handles = self.handles();
        self.held.borrow_mut().clear();
        self.show_at_once(&handles).await;
    }

    /// Has messages that were received in the last moment shown to others at once.
    pub(super) async fn put_back(&self, messages: &[Message]) {
        let handles: Vec<String> = messages
            .iter()
            .filter_map(|message| message.receipt_handle.clone())
            .collect();
        for handle in &handles {
            self.held.borrow_mut().remove(handle);
        }
        self.show_at_once(&handles).await;
    }

    async fn show_at_once(&self, handles: &[String]) {
        for handles in handles.chunks(AT_ONCE) {
            self.show(handles, Duration::ZERO).await;
        }
    }

    async fn show(&self, handles: &[String], after: Duration) {
        let why = match self.inbox.hide(handles, after).await {
            Ok(refused) => match refused.into_values().next() {
                Some(why) => why,
                None => return,
            },
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            "a message that has to come again does so when its {} s are over: {why}",
            self.visibility.as_secs()
        );
    }

    fn handles(&self) -> Vec<String> {
        self.held.borrow().keys().cloned().collect()
    }
}

impl Queue for InHand {
    fn sqs(&self) -> &Client {
        self.inbox.client()
    }

    fn random(&self, range: RangeInclusive<i32>) -> i32 {
        rand::random_range(range)
    }

    fn told(&self, outcome: &Outcome) {
        // Whoever read the results may have left: the work goes on.
        _ = record::print(outcome, self.json);
    }

    async fn ended(&self, message: &Message, end: End<'_>) {
        let Some(handle) = &message.receipt_handle else {
            return;
        };
        let _not_renewed = self.renewing.read().await;
        // Its slot is free when this is over.
        let _held = self.held.borrow_mut().remove(handle);
        let id = message.id.clone().unwrap_or_default();
        match end {
            End::Done | End::GivenUp => {
                if matches!(end, End::GivenUp) {
                    self.has_given_up.set(true);
                }
                self.failed.borrow_mut().remove(&id);
                if let Err(error) = self.inbox.delete(handle).await {
                    tracing::error!("message {id} is done, and comes again: {error}");
                    self.failed.borrow_mut().insert(id);
                }
            }
            End::Failed(again) => {
                self.failed.borrow_mut().insert(id);
                let is_late = |it: &std::sync::Arc<s3_to_sftp::error::Error>| {
                    matches!(it.cause, Cause::Deadline)
                };
                let seconds = if self.is_stopping.get() && again.because.iter().any(is_late) {
                    Some(0)
                } else {
                    again.seconds
                };
                // Where another attempt would change nothing, it comes when it would have come by itself.
                if let Some(seconds) = seconds.and_then(|it| u64::try_from(it).ok()) {
                    let handle = std::slice::from_ref(handle);
                    self.show(handle, Duration::from_secs(seconds)).await;
                }
            }
        }
    }
}
