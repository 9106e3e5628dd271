//! Why records have failed, as one name and one text; what can still be hoped for.

use std::borrow::Borrow;

use crate::error::{Error, Scope, Verdict, VerdictKind};

/// An error's message is for people: this many failed records are spelt out.
const REPORTED: usize = 20;

/// Why an invocation, a batch or a message has failed.
#[derive(Debug)]
pub struct Reason {
    /// A type of errors.
    pub name: &'static str,
    /// What happened, and what to do next.
    pub message: String,
}

impl Reason {
    /// One for all that failed: their own name where they share it.
    pub fn of(errors: &[impl Borrow<Error>]) -> Self {
        let name_of = |error: &_| Borrow::<Error>::borrow(error).name();
        let name = match errors {
            [first, rest @ ..] if rest.iter().all(|error| name_of(error) == name_of(first)) => {
                name_of(first)
            }
            _ => "DeliveriesFailed",
        };
        let mut message = errors
            .iter()
            .take(REPORTED)
            .map(|error| error.borrow().report())
            .collect::<Vec<_>>()
            .join("\n");
        if errors.len() > REPORTED {
            message.push_str(&format!("\nand {} more", errors.len() - REPORTED));
        }
        Self { name, message }
    }
}

/// Whether these objects can never be delivered as they are: there is something, and nothing in it that another
/// attempt, or another day of the server, could change.
pub fn is_hopeless(errors: &[impl Borrow<Error>]) -> bool {
    let hopeless = Verdict {
        kind: VerdictKind::Reject,
        scope: Scope::Object,
    };
    let is_hopeless = |error: &_| Borrow::<Error>::borrow(error).verdict() == hopeless;
    !errors.is_empty() && errors.iter().all(is_hopeless)
}

/// Whether a later attempt may go well: then it is worth its own time.
pub fn is_worth_waiting(errors: &[impl Borrow<Error>]) -> bool {
    errors.iter().any(|error| {
        let verdict = error.borrow().verdict();
        verdict.kind == VerdictKind::Retry || verdict.scope == Scope::Destination
    })
}
