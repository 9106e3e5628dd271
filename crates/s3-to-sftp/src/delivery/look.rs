//! The last look at the source, as the destination asks for it before a rename.

use crate::destination;
use crate::error::Cause;
use crate::rules::{Rule, Rules};
use crate::source::LastLook;

/// A look that counts for 2 s.
#[derive(Debug)]
pub(super) struct Look<'a> {
    look: LastLook<'a>,
    rules: Rules,
    has_looked: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(look: LastLook<'a>, rules: Rules) -> Self {
        Self {
            look,
            rules,
            has_looked: false,
        }
    }
}

impl destination::LastLook for Look<'_> {
    async fn confirm(&mut self) -> Result<(), Cause> {
        let is_enough = self.has_looked && !self.rules.hold(Rule::FreshLook);
        if is_enough || !self.rules.hold(Rule::LastLook) {
            return Ok(());
        }
        self.has_looked = true;
        Ok(self.look.confirm().await?)
    }
}
