//! What happens at one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use s3_to_sftp::invocation::Deliverer;
use testkit::s3::{Action as S3Action, Request, Store};
use testkit::sftp::{Action, Operation, Request as SftpRequest};

use crate::invariants::Ending;
use crate::world::{BUCKET, Bucket, Once, Round, deliver, first_content, second_content};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The connection to the server is cut before a request is carried out.
    LinkCutBefore,
    /// It is cut after the request was carried out, and before its answer.
    LinkCutAfter,
    /// The same event arrives in another environment, which delivers it whole.
    Twin,
    /// A user puts other content under the key.
    OtherContent,
    /// The same, and another environment delivers it whole at once.
    NewerDelivered,
    /// A user puts the same content again.
    SameContent,
    /// A user deletes the object.
    Deleted,
    /// S3 carries a request out and its answer is lost; the SDK repeats it.
    S3AnswerLost,
}

impl Event {
    pub(crate) const ALL: [Self; 8] = [
        Self::LinkCutBefore,
        Self::LinkCutAfter,
        Self::Twin,
        Self::OtherContent,
        Self::NewerDelivered,
        Self::SameContent,
        Self::Deleted,
        Self::S3AnswerLost,
    ];

    /// Whether it can happen at requests to the server, or to S3, or to both.
    fn sides(self) -> (bool, bool) {
        match self {
            Self::LinkCutBefore | Self::LinkCutAfter => (true, false),
            Self::S3AnswerLost => (false, true),
            _ => (true, true),
        }
    }

    pub(crate) fn cuts_the_link(self) -> bool {
        matches!(self, Self::LinkCutBefore | Self::LinkCutAfter)
    }

    pub(crate) fn ending(self) -> Ending {
        match self {
            Self::OtherContent | Self::NewerDelivered => Ending::SecondDelivered,
            Self::Deleted => Ending::MayBeWithdrawn,
            _ => Ending::Delivered,
        }
    }
}

/// One event at the `at`th request of those that it can happen at.
pub(crate) struct Plan {
    event: Event,
    at: usize,
    seen: AtomicUsize,
    happened: Once,
    key: String,
    store: Store,
    environment: Arc<Deliverer>,
    ignores_if_match: bool,
}

impl Plan {
    pub(crate) fn new(round: &Round<'_>, event: Event, at: usize) -> Self {
        Self {
            event,
            at,
            seen: AtomicUsize::new(0),
            happened: Once::default(),
            key: round.key.clone(),
            store: round.world.s3.store(),
            environment: round.world.other_environment(),
            ignores_if_match: round.world.bucket == Bucket::IgnoresIfMatch,
        }
    }

    /// Whether it has happened.
    pub(crate) fn is_over(&self) -> bool {
        self.happened.is_taken()
    }

    pub(crate) fn at_sftp(&self, request: &SftpRequest) -> Option<Action> {
        // The last look is sent when the last write is acknowledged. A version whose whole life fits
        // between it and the rename is what is left unpromised.
        let before_the_look = matches!(
            request.operation,
            Operation::Init | Operation::Limits | Operation::Open | Operation::Write
        );
        let unpromised = self.event == Event::NewerDelivered && !before_the_look;
        if !self.event.sides().0 || unpromised || !self.is_now() {
            return None;
        }
        match self.event {
            Event::LinkCutBefore => Some(Action::Disconnect),
            Event::LinkCutAfter => Some(Action::DisconnectAfter),
            Event::Twin | Event::NewerDelivered => {
                self.user_acts();
                Some(Action::Wait(Box::pin(self.other_delivery())))
            }
            _ => {
                self.user_acts();
                None
            }
        }
    }

    pub(crate) fn at_s3(&self, request: &Request) -> S3Action {
        // Between the look and a DELETE that knows no condition a put is lost: that is not promised
        // for such stores, and cannot be.
        let unguarded = self.ignores_if_match && request.operation == "DeleteObject";
        let writes = matches!(
            self.event,
            Event::OtherContent | Event::NewerDelivered | Event::SameContent
        );
        if !self.event.sides().1 || (unguarded && writes) || !self.is_now() {
            return S3Action::Pass;
        }
        match self.event {
            Event::S3AnswerLost => S3Action::LoseAnswer,
            Event::Twin | Event::NewerDelivered => {
                self.user_acts();
                S3Action::hold(self.other_delivery())
            }
            _ => {
                self.user_acts();
                S3Action::Pass
            }
        }
    }

    fn is_now(&self) -> bool {
        !self.is_over()
            && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at
            && self.happened.take()
    }

    fn other_delivery(&self) -> impl Future<Output = ()> + Send + 'static {
        let (environment, key) = (Arc::clone(&self.environment), self.key.clone());
        async move {
            _ = deliver(&environment, &key, "other").await;
        }
    }

    fn user_acts(&self) {
        let (store, key) = (&self.store, self.key.as_str());
        match self.event {
            Event::OtherContent | Event::NewerDelivered => {
                store.put(BUCKET, key, second_content());
            }
            Event::SameContent => {
                store.put(BUCKET, key, first_content());
                // S3's clock has seconds, and the test is faster than that.
                let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
                store.set_last_modified(BUCKET, key, later);
            }
            Event::Deleted => store.delete(BUCKET, key),
            _ => {}
        }
    }
}
