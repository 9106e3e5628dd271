//! One list, and OpenSSH's syntax for it (ssh_config(5)).

use std::fmt;

use super::Kind;
use super::near::near;
use crate::ssh::foreign::excerpt;

/// Algorithms of one kind, most wanted first. Never empty, and none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    names: Vec<&'static str>,
    /// What the setting names itself; nothing where it is unset.
    asked_for: Vec<&'static str>,
}

impl List {
    /// What is offered unless a setting says otherwise.
    pub fn safe(kind: Kind) -> Self {
        Self {
            names: kind.safe().to_vec(),
            asked_for: Vec::new(),
        }
    }

    /// Reads `a,b`, which takes the place of the safe list; `+a,b` behind it, `^a,b` before it; `-a,b*` out of it.
    ///
    /// # Errors
    ///
    /// A name that there is not, with those that there are.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, ListError> {
        let text = text.trim();
        let (change, items) = match text.chars().next() {
            Some(sign @ ('+' | '-' | '^')) => (Some(sign), &text[1..]),
            _ => (None, text),
        };
        let mut items = items.split(',').map(str::trim);
        let items: Vec<&str> = items.by_ref().filter(|item| !item.is_empty()).collect();
        if items.is_empty() {
            return Err(ListError::Empty);
        }
        if change == Some('-') {
            return Self::without(kind, &items);
        }
        let mut asked_for = Vec::new();
        for item in items {
            if is_pattern(item) {
                return Err(ListError::Pattern(excerpt(item)));
            }
            push(&mut asked_for, known(kind, item)?);
        }
        let safe = || kind.safe().iter().copied();
        let mut names = Vec::new();
        let all: Vec<&'static str> = match change {
            None => asked_for.clone(),
            Some('^') => asked_for.iter().copied().chain(safe()).collect(),
            Some(_) => safe().chain(asked_for.iter().copied()).collect(),
        };
        all.into_iter().for_each(|name| push(&mut names, name));
        Ok(Self { names, asked_for })
    }

    fn without(kind: Kind, items: &[&str]) -> Result<Self, ListError> {
        for item in items {
            // A pattern may well meet nothing: whole families are taken out, in case there are some.
            if !is_pattern(item) {
                known(kind, item)?;
            }
        }
        let mut names = kind.safe().to_vec();
        names.retain(|name| !items.iter().any(|pattern| matches(pattern, name)));
        if names.is_empty() {
            return Err(ListError::NothingLeft);
        }
        Ok(Self {
            names,
            asked_for: Vec::new(),
        })
    }

    /// The names, most wanted first.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    pub(super) fn asked_for(&self) -> &[&'static str] {
        &self.asked_for
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join(", "))
    }
}

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Nothing, or a sign and nothing behind it.
    #[error("names no algorithm; give `NAME,…`, `+NAME,…`, `-NAME,…` or `^NAME,…`")]
    Empty,
    /// There is no such algorithm here.
    #[error("{name} is none that this program has{}; it has {}", Meant(.meant), Known(*.kind))]
    Unknown {
        /// The beginning of what was found.
        name: String,
        /// What it may have been meant for.
        meant: Vec<&'static str>,
        /// What the list is of.
        kind: Kind,
    },
    /// A wildcard where a name has to stand.
    #[error(
        "{0} is a pattern, which stands only in a list that begins with `-`; write out the names"
    )]
    Pattern(String),
    /// All of the safe list was taken away.
    #[error("takes every algorithm away; leave one, or name those that you want")]
    NothingLeft,
}

struct Meant<'a>(&'a [&'static str]);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " (did you mean {}?)", self.0.join(" or "))
    }
}

struct Known(Kind);

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (safe, old) = (self.0.safe().join(", "), self.0.old().join(", "));
        write!(f, "{safe}, and where they are asked for {old}")
    }
}

fn known(kind: Kind, item: &str) -> Result<&'static str, ListError> {
    let all = || kind.safe().iter().chain(kind.old()).copied();
    all()
        .find(|name| *name == item)
        .ok_or_else(|| ListError::Unknown {
            name: excerpt(item),
            meant: near(item, all()),
            kind,
        })
}

fn push(names: &mut Vec<&'static str>, name: &'static str) {
    if !names.contains(&name) {
        names.push(name);
    }
}

fn is_pattern(item: &str) -> bool {
    item.contains(['*', '?'])
}

/// `*` is anything, `?` one character.
fn matches(pattern: &str, name: &str) -> bool {
    // Where the last `*` stood, and how much of the name it has taken so far.
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match &mut star {
                Some((begin, taken)) => {
                    *taken += 1;
                    (at, in_name) = (*begin + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_those_of_ssh_config() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*-cbc", "aes128-cbc", true),
            ("*-cbc", "aes128-ctr", false),
            ("aes*", "aes128-ctr", true),
            ("*sha1*", "hmac-sha1-etm@openssh.com", true),
            ("*sha1", "hmac-sha1-etm@openssh.com", false),
            ("aes???-ctr", "aes256-ctr", true),
            ("aes??-ctr", "aes256-ctr", false),
            ("*a*b", "aabxab", true),
            ("ssh-rsa", "ssh-rsa", true),
            ("ssh-rs", "ssh-rsa", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
