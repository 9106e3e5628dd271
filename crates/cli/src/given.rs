//! What a command is given its settings by: a file, where one is named, and the environment; or a deployed function, and
//! nothing else: what happens to be set here would make another way of it.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::path::Path;

use s3_to_sftp::settings::{Fallback, Row};

use crate::env_file::{EnvFile, EnvFileError};

/// What is asked for a setting.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    /// The file that was named, then the environment.
    Here(Option<EnvFile>),
    /// A function's variables, by its name.
    Function(String, HashMap<String, String>),
}

/// Where a value is from; nothing where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    File(&'a Path),
    Function(&'a str),
    Environment,
    Default,
    Nothing,
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Function(name) => write!(f, "function {name}"),
            Self::Environment => f.write_str("environment"),
            Self::Default => f.write_str("default"),
            Self::Nothing => f.write_str("not set"),
        }
    }
}

impl Given {
    pub(crate) fn here(file: Option<&Path>) -> Result<Self, EnvFileError> {
        file.map(EnvFile::read).transpose().map(Self::Here)
    }

    pub(crate) fn lookup(&self, name: &str) -> Option<String> {
        match self {
            Self::Here(file) => {
                let in_file = file.as_ref().and_then(|file| file.get(name));
                in_file.map(str::to_owned).or_else(|| env::var(name).ok())
            }
            Self::Function(_, variables) => variables.get(name).cloned(),
        }
    }

    /// Where a value that is in effect is from. Empty is unset, and yet it hides what the environment has.
    pub(crate) fn source(&self, row: &Row) -> Source<'_> {
        let name = row.name;
        if self.lookup(name).is_none_or(|value| value.is_empty()) {
            return match row.fallback {
                Fallback::Value(_) => Source::Default,
                Fallback::Required | Fallback::Nothing(_) => Source::Nothing,
            };
        }
        match self {
            Self::Function(function, _) => Source::Function(function),
            Self::Here(Some(file)) if file.get(name).is_some() => Source::File(file.path()),
            Self::Here(_) => Source::Environment,
        }
    }

    /// What is probably not meant as it is written.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let Self::Here(Some(file)) = self else {
            return Vec::new();
        };
        let path = file.path().display();
        let names = file.names_of_aws().into_iter();
        let warnings = names.map(|name| {
            format!("{name} in {path} is not looked at: AWS's own libraries read it in the environment alone")
        });
        warnings.collect()
    }
}
