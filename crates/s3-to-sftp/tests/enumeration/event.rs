//! What can happen at a request, and where it can.

use testkit::sftp::{Operation, Request as SftpRequest, flags};

use crate::manner::Left;

/// Who delivers besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// The same event, in another environment.
    Twin,
    /// The same message, received once more while the first attempt is alive.
    Retry,
    /// A user has put other content; its event comes first.
    Newer,
}

/// When the request that is held is carried out and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Both behind the other delivery.
    Before,
    /// Done at once, and answered behind it.
    Answer,
    /// Behind it, with what the client has sent since; none of it is answered, and the connection is cut.
    Frozen,
}

/// What becomes of a delivery that is held while another one is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    GoesOn,
    Dies,
}

/// Two other environments with the same event: with the first attempt three are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twins {
    /// Each comes as far as its operation, and goes on when the first attempt is over.
    Beside(Operation, Operation),
    /// One comes so far, and the other one delivers as a whole while the request is held.
    Among(Operation, Held),
    /// Both deliver as a whole, side by side, while the request is held.
    Whole(Held),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The connection to the server is cut before a request is carried out.
    CutBefore,
    /// It is cut after the request was carried out, and before its answer.
    CutAfter,
    /// The same, and the environment dies.
    KilledBefore,
    KilledAfter,
    /// A request is refused with FAILURE, once.
    Refused,
    /// Another environment delivers as a whole while the request is held.
    Whole(Actor, Held),
    /// Another environment comes as far as this operation, and goes on when the first attempt is over.
    Beside(Actor, Operation, After),
    /// Two other environments are under way.
    Twins(Twins),
    /// A user puts other content.
    OtherContent,
    /// The partner takes the file, and a user puts the same content again.
    SameContent,
    /// A user deletes the object.
    Deleted,
    /// S3 carries a request out and its answer is lost; the SDK repeats it.
    S3AnswerLost,
    /// A byte of a body arrives wrong.
    Corrupted,
    /// The invocation's time is over, and the rest is handed over.
    HandOver,
    /// The server goes down, and loses what was not synced.
    Reboot(Left),
    /// The partner's cleaner removes temporaries; with or without a cut before the request.
    Cleaned,
    CleanedAndCut,
    /// The last write is acknowledged and not stored.
    LastWriteLost,
    /// A write is acknowledged and not stored, and the CLOSE tells.
    ToldAtClose,
    /// The request takes longer than 2 s, and a newer version is delivered meanwhile.
    SlowAndNewer,
    /// Somebody else's file appears under the final name.
    ForeignFinal,
}

impl Event {
    /// Those that may happen anywhere.
    pub(crate) const ALL: [Self; 26] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Refused,
        Self::Whole(Actor::Twin, Held::Before),
        Self::Whole(Actor::Twin, Held::Answer),
        Self::Whole(Actor::Twin, Held::Frozen),
        Self::Whole(Actor::Retry, Held::Before),
        Self::Whole(Actor::Retry, Held::Answer),
        Self::Whole(Actor::Retry, Held::Frozen),
        Self::Whole(Actor::Newer, Held::Before),
        Self::Beside(Actor::Twin, Operation::Write, After::GoesOn),
        Self::Beside(Actor::Twin, Operation::Close, After::Dies),
        Self::Beside(Actor::Retry, Operation::Write, After::GoesOn),
        Self::Beside(Actor::Retry, Operation::Close, After::GoesOn),
        Self::OtherContent,
        Self::SameContent,
        Self::Deleted,
        Self::S3AnswerLost,
        Self::Corrupted,
        Self::HandOver,
        Self::Reboot(Left::Shorter),
        Self::Reboot(Left::Zeros),
        Self::Cleaned,
        Self::CleanedAndCut,
    ];

    /// Those without a retry beside a live attempt: only a queue has it.
    pub(crate) const ALONE: [Self; 9] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Refused,
        Self::Whole(Actor::Twin, Held::Frozen),
        Self::Deleted,
        Self::OtherContent,
        Self::HandOver,
    ];

    /// Those about what is in S3.
    pub(crate) const OF_SOURCES: [Self; 7] = [
        Self::CutAfter,
        Self::Whole(Actor::Twin, Held::Before),
        Self::Whole(Actor::Newer, Held::Before),
        Self::OtherContent,
        Self::SameContent,
        Self::Deleted,
        Self::S3AnswerLost,
    ];

    /// Those about how a server opens, closes and renames.
    pub(crate) const OF_SERVERS: [Self; 9] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::KilledAfter,
        Self::Refused,
        Self::Whole(Actor::Twin, Held::Answer),
        Self::Whole(Actor::Retry, Held::Frozen),
        Self::Beside(Actor::Twin, Operation::Write, After::GoesOn),
        Self::Beside(Actor::Retry, Operation::Close, After::GoesOn),
        Self::HandOver,
    ];

    /// Three deliveries of one event. A rename is either kind.
    pub(crate) const THREE: [Self; 5] = [
        Self::Twins(Twins::Beside(Operation::Write, Operation::Close)),
        Self::Twins(Twins::Beside(Operation::Close, Operation::Rename)),
        Self::Twins(Twins::Among(Operation::Rename, Held::Before)),
        Self::Twins(Twins::Among(Operation::Write, Held::Frozen)),
        Self::Twins(Twins::Whole(Held::Answer)),
    ];

    /// Those about a final name that is written to, and may not be replaced.
    pub(crate) const OF_CONFLICTS: [Self; 10] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::KilledAfter,
        Self::Refused,
        Self::Whole(Actor::Twin, Held::Before),
        Self::Whole(Actor::Twin, Held::Frozen),
        Self::Beside(Actor::Twin, Operation::Write, After::GoesOn),
        Self::Beside(Actor::Retry, Operation::Close, After::Dies),
        Self::ForeignFinal,
        Self::Deleted,
    ];

    pub(crate) const CUTS: [Self; 3] = [Self::CutBefore, Self::CutAfter, Self::KilledBefore];

    /// Whether a request to the server is one that it can happen at.
    pub(crate) fn is_for_sftp(self, request: &SftpRequest, size: usize) -> bool {
        let operation = request.operation;
        match self {
            Self::S3AnswerLost | Self::Corrupted => false,
            // A server that refuses these is another one.
            Self::Refused => !matches!(operation, Operation::Init | Operation::Limits),
            Self::HandOver => matches!(operation, Operation::Open | Operation::Write),
            Self::LastWriteLost => {
                operation == Operation::Write
                    && usize::try_from(request.offset).is_ok_and(|it| it + request.len >= size)
            }
            Self::ToldAtClose => operation == Operation::Write && request.offset > 0,
            Self::SlowAndNewer => operation == Operation::Close,
            _ => true,
        }
    }

    /// The same of S3.
    pub(crate) fn is_for_s3(self, operation: &str) -> bool {
        match self {
            Self::S3AnswerLost
            | Self::KilledBefore
            | Self::KilledAfter
            | Self::Whole(_, Held::Before)
            | Self::OtherContent
            | Self::Deleted => true,
            // Between the look and the DELETE a put is lost where its ETag is the same, or the store asks for
            // none: that is not promised, and cannot be.
            Self::SameContent => operation != "DeleteObject",
            Self::Corrupted => operation == "GetObject",
            _ => false,
        }
    }

    /// Whether somebody writes to the bucket.
    pub(crate) fn puts(self) -> bool {
        matches!(
            self,
            Self::OtherContent
                | Self::SameContent
                | Self::Whole(Actor::Newer, _)
                | Self::Beside(Actor::Newer, ..)
                | Self::SlowAndNewer
        )
    }

    /// Whether another environment delivers what is there now.
    pub(crate) fn delivers(self) -> bool {
        matches!(self, Self::Whole(..) | Self::Beside(..) | Self::Twins(_))
    }

    /// Whether the environment at work dies.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }

    /// Whether the connection ends at it, and with it whatever had to be cleaned up by it.
    pub(crate) fn cuts(self) -> bool {
        matches!(
            self,
            Self::CutBefore
                | Self::CutAfter
                | Self::KilledBefore
                | Self::KilledAfter
                | Self::Refused
                | Self::Whole(_, Held::Frozen)
                | Self::Twins(Twins::Among(_, Held::Frozen) | Twins::Whole(Held::Frozen))
                | Self::Reboot(_)
                | Self::CleanedAndCut
        )
    }
}

/// Whether the last look comes later than this request: it is sent when the last write is acknowledged. A
/// version whose whole life fits between it and the rename is what is left unpromised.
pub(crate) fn is_before_the_look(request: &SftpRequest) -> bool {
    match request.operation {
        Operation::Init | Operation::Limits | Operation::Write => true,
        Operation::Open => request.flags & flags::WRITE != 0,
        _ => false,
    }
}
