//! How a server behaves, request by request.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

/// What becomes of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Honest,
    /// Carried out after so many milliseconds; what is behind it waits.
    Late(u64),
    /// Carried out behind so many of the requests that follow it.
    Behind(usize),
    Refused(u32),
    /// The connection ends, before or after it is carried out.
    Cut(Carried),
    /// From here on nothing is answered.
    Silent,
    /// Half of an answer, and the end.
    Half,
    Twice,
    OtherType,
    /// Bytes that are no packet.
    Garbage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Out,
    Not,
}

/// A server, for one channel.
#[derive(Clone)]
pub(crate) struct Script {
    /// One for each request; honest ones behind the last.
    pub(crate) answers: Vec<Answer>,
    /// The longest write, as `limits@openssh.com` tells it; none where the server has no such extension.
    pub(crate) write_length: Option<u32>,
    /// What it stores of a write.
    pub(crate) keeps: Option<usize>,
    /// In what pieces answers come.
    pub(crate) piece: usize,
}

impl Script {
    /// A server that does what it is asked to.
    pub(crate) fn honest() -> Self {
        Self {
            answers: Vec::new(),
            write_length: None,
            keeps: None,
            piece: 4096,
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let odd = self.answers.iter().enumerate();
        let odd: Vec<_> = odd.filter(|(_, it)| **it != Answer::Honest).collect();
        write!(
            f,
            "{odd:?} write_length {:?} keeps {:?} piece {}",
            self.write_length, self.keeps, self.piece
        )
    }
}

/// A server that is slow, and that answers in no order, and nothing worse.
pub(crate) fn slow() -> impl Strategy<Value = Script> {
    let answer = prop_oneof![
        12 => Just(Answer::Honest),
        // Below the stall time-out.
        1 => (0..29_000_u64).prop_map(Answer::Late),
        4 => (1..6_usize).prop_map(Answer::Behind),
    ];
    script(answer, Just(None))
}

/// Any.
pub(crate) fn any_script() -> impl Strategy<Value = Script> {
    let answer = prop_oneof![
        400 => Just(Answer::Honest),
        4 => (0..60_000_u64).prop_map(Answer::Late),
        100 => (1..6_usize).prop_map(Answer::Behind),
        1 => prop_oneof![Just(2), Just(3), Just(4), Just(8), Just(4711)].prop_map(Answer::Refused),
        2 => Just(Answer::Cut(Carried::Out)),
        2 => Just(Answer::Cut(Carried::Not)),
        2 => Just(Answer::Silent),
        1 => Just(Answer::Half),
        1 => Just(Answer::Twice),
        1 => Just(Answer::OtherType),
        1 => Just(Answer::Garbage),
    ];
    let keeps = prop_oneof![3 => Just(None), 1 => Just(Some(32 * 1024))];
    script(answer, keeps)
}

fn script(
    answer: impl Strategy<Value = Answer>,
    keeps: impl Strategy<Value = Option<usize>>,
) -> impl Strategy<Value = Script> {
    let write_length = prop_oneof![
        1 => Just(None),
        2 => (700..5000_u32).prop_map(Some),
        1 => Just(Some(64 * 1024)),
    ];
    let piece = prop_oneof![4 => Just(4096), 1 => 1..40_usize];
    (vec(answer, 0..80), write_length, keeps, piece).prop_map(
        |(answers, write_length, keeps, piece)| Script {
            answers,
            write_length,
            keeps,
            piece,
        },
    )
}
