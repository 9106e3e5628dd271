//! Who delivers: what makes a temporary one delivery's own.

use std::fmt;

/// How many attempts before this one may have left something: more are `s3-to-sftp clean`'s.
const REMEMBERED: u32 = 3;

/// One attempt of one chain of attempts.
///
/// From a queue each receive of a message is an attempt, for its predecessor may still be alive. An
/// asynchronous invocation keeps its request id in its retries, which Lambda starts only when the one
/// before is over: they are one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    chain: String,
    /// 0 where attempts do not differ.
    attempt: u32,
}

impl Owner {
    /// An attempt of a chain, counted from 1.
    pub fn attempt(chain: impl Into<String>, attempt: u32) -> Self {
        Self {
            chain: chain.into(),
            attempt,
        }
    }

    /// Whether other attempts of the chain are the same owner.
    pub(crate) fn is_of_all_attempts(&self) -> bool {
        self.attempt == 0
    }

    /// The attempts before this one, oldest first.
    pub(crate) fn predecessors(&self) -> impl Iterator<Item = Self> {
        let first = self.attempt.saturating_sub(REMEMBERED).max(1);
        let chain = self.chain.clone();
        (first..self.attempt).map(move |attempt| Self::attempt(chain.clone(), attempt))
    }
}

impl From<&str> for Owner {
    fn from(chain: &str) -> Self {
        Self::attempt(chain, 0)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempt {
            0 => f.write_str(&self.chain),
            attempt => write!(f, "{}#{attempt}", self.chain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempts_are_remembered_oldest_first() {
        let before = |attempt| -> Vec<String> {
            let owner = Owner::attempt("m", attempt);
            owner.predecessors().map(|it| it.to_string()).collect()
        };
        assert_eq!(before(0), Vec::<String>::new());
        assert_eq!(before(1), Vec::<String>::new());
        assert_eq!(before(2), ["m#1"]);
        assert_eq!(before(9), ["m#6", "m#7", "m#8"]);
    }
}
