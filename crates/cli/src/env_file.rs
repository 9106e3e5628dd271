//! `--env-file`: settings in a file, one `NAME=VALUE` to a line, as `docker run --env-file` and systemd read them.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a file sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct EnvFile {
    path: PathBuf,
    values: HashMap<String, String>,
}

/// Why it cannot be used. It names the line and does not show it: it may hold a secret.
#[derive(Debug)]
pub(crate) struct EnvFileError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Unreadable(io::Error),
    NoAssignment(usize),
    NoName(usize),
    Twice {
        name: String,
        line: usize,
        before: usize,
    },
}

impl std::error::Error for EnvFileError {}

impl fmt::Display for EnvFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::Unreadable(error) => write!(f, "{path}: {error}"),
            Problem::NoAssignment(line) => write!(
                f,
                "{path}:{line}: expected NAME=VALUE, a comment that begins with #, or nothing"
            ),
            Problem::NoName(line) => write!(
                f,
                "{path}:{line}: what stands before the = is no name; give letters, digits and _"
            ),
            Problem::Twice { name, line, before } => write!(
                f,
                "{path}:{line}: {name} is set in line {before} already; leave one of the two"
            ),
        }
    }
}

impl EnvFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, EnvFileError> {
        let fail = |problem| EnvFileError {
            path: path.to_owned(),
            problem,
        };
        let text = fs::read_to_string(path).map_err(|error| fail(Problem::Unreadable(error)))?;
        let values = parse(&text).map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
            values,
        })
    }

    /// What it sets a name to.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Names that only the environment can set: AWS's own libraries read them there.
    pub(crate) fn names_of_aws(&self) -> Vec<&str> {
        let names = self.values.keys().map(String::as_str);
        let mut names: Vec<&str> = names.filter(|name| name.starts_with("AWS_")).collect();
        names.sort_unstable();
        names
    }
}

fn parse(text: &str) -> Result<HashMap<String, String>, Problem> {
    let mut values = HashMap::new();
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let beginning = line.trim_start();
        if beginning.is_empty() || beginning.starts_with('#') {
            continue;
        }
        let Some((name, value)) = beginning.split_once('=') else {
            return Err(Problem::NoAssignment(number));
        };
        let name = name.trim_end();
        let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
        if !is_name(name) {
            return Err(Problem::NoName(number));
        }
        if let Some(before) = lines.insert(name, number) {
            return Err(Problem::Twice {
                name: name.to_owned(),
                line: number,
                before,
            });
        }
        values.insert(name.to_owned(), unquoted(value).to_owned());
    }
    Ok(values)
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    characters.next().is_some_and(is_letter)
        && characters.all(|c| is_letter(c) || c.is_ascii_digit())
}

/// What stands between two quotes of a kind, or all of it without the blanks around it. Nothing in it is expanded:
/// passwords have `$` and `\`.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_stand() {
        let text = "# a comment\n\n  SSH_HOST=sftp.acme.example\r\nexport SSH_USERNAME = acme\n\
                    SSH_PASSWORD=pa$$word\\n#1 \nSSH_DIR=\" in box \"\nSSH_FILENAME='{key}'\nSSH_PORT=\nSSH_HOST_KEY=\"";
        let values = parse(text).expect("it is right");
        for (name, value) in [
            ("SSH_HOST", "sftp.acme.example"),
            ("SSH_USERNAME", "acme"),
            ("SSH_PASSWORD", "pa$$word\\n#1"),
            ("SSH_DIR", " in box "),
            ("SSH_FILENAME", "{key}"),
            ("SSH_PORT", ""),
            ("SSH_HOST_KEY", "\""),
        ] {
            assert_eq!(values[name], value, "{name}");
        }
        assert_eq!(values.len(), 7);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_not_shown() {
        for (text, told) in [
            ("A=1\ns3cret", "f:2: expected NAME=VALUE"),
            ("=s3cret", "f:1: what stands before the = is no name"),
            ("s3 cret=1", "f:1: what stands before the = is no name"),
            ("1A=s3cret", "f:1: what stands before the = is no name"),
            ("A=1\n#\nA=s3cret", "f:3: A is set in line 1 already"),
        ] {
            let error = EnvFileError {
                path: PathBuf::from("f"),
                problem: parse(text).expect_err(text),
            };
            let shown = error.to_string();
            assert!(shown.starts_with(told), "{text:?}: {shown}");
            assert!(!shown.contains("cret"), "{shown}");
        }
    }
}
