//! Reads values by the table, and collects what is wrong with them.

use super::problem::{Problem, Problems};
use super::table::{Fallback, Row, TABLE};
use super::value::Unfit;

pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
        }
    }

    /// A value that is required or has a default. None leaves a problem behind.
    pub(super) fn value<T>(
        &mut self,
        name: &'static str,
        parse: fn(&str) -> Result<T, Unfit>,
    ) -> Option<T> {
        let value = self.optional(name, parse)?;
        if value.is_none() {
            self.problem(name, "is required, and not set; set it");
        }
        value
    }

    /// A value that may be missing. The outer none leaves a problem behind.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: fn(&str) -> Result<T, Unfit>,
    ) -> Option<Option<T>> {
        let row = row(name);
        let set = set_value(self.lookup, name);
        let value = match (&set, row.map(|row| row.fallback)) {
            (Some(value), _) => value.as_str(),
            (None, Some(Fallback::Value(default))) => default,
            (None, _) => return Some(None),
        };
        match parse(value) {
            Ok(value) => Some(Some(value)),
            Err(Unfit(advice)) => {
                let found = row.map(|row| row.shown(value));
                self.problems.push(Problem {
                    name,
                    found,
                    advice,
                });
                None
            }
        }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        set_value(self.lookup, name).is_some()
    }

    pub(super) fn problem(&mut self, name: &'static str, advice: &str) {
        self.problems.push(Problem {
            name,
            found: None,
            advice: advice.to_owned(),
        });
    }

    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Problems(self.problems)),
        }
    }
}

/// A value that is set. Consoles and templates leave empty what they have no value for: empty is unset.
pub(super) fn set_value(lookup: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    lookup(name).filter(|value| !value.is_empty())
}

fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}
