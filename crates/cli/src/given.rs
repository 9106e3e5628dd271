//! What a command is given its settings by: a file, where one is named, and the environment.

use std::env;
use std::fmt;
use std::path::Path;

use s3_to_sftp::settings::{Fallback, Row};

use crate::env_file::{EnvFile, EnvFileError};

/// What is asked for a setting, in this order: the file that was named, then the environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    file: Option<EnvFile>,
}

/// Where a value is from; nothing where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    File(&'a Path),
    Environment,
    Default,
    Nothing,
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Environment => f.write_str("environment"),
            Self::Default => f.write_str("default"),
            Self::Nothing => f.write_str("not set"),
        }
    }
}

impl Given {
    pub(crate) fn new(file: Option<&Path>) -> Result<Self, EnvFileError> {
        let file = file.map(EnvFile::read).transpose()?;
        Ok(Self { file })
    }

    pub(crate) fn lookup(&self, name: &str) -> Option<String> {
        let in_file = self.file.as_ref().and_then(|file| file.get(name));
        in_file.map(str::to_owned).or_else(|| env::var(name).ok())
    }

    /// Where a value that is in effect is from. Empty is unset, and yet it hides what the environment has.
    pub(crate) fn source(&self, row: &Row) -> Source<'_> {
        let name = row.name;
        let is_set = self.lookup(name).is_some_and(|value| !value.is_empty());
        let file = self.file.as_ref().filter(|file| file.get(name).is_some());
        match (is_set, file, row.fallback) {
            (true, Some(file), _) => Source::File(file.path()),
            (true, None, _) => Source::Environment,
            (false, _, Fallback::Value(_)) => Source::Default,
            (false, ..) => Source::Nothing,
        }
    }

    /// What is probably not meant as it is written.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let names = self.file.iter().flat_map(|file| {
            let path = file.path().display();
            let names = file.names_of_aws().into_iter();
            names.map(move |name| {
                format!("{name} in {path} is not looked at: AWS's own libraries read it in the environment alone")
            })
        });
        names.collect()
    }
}
