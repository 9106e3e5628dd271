//! The command line, and where `bootstrap` is.

use std::env;
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::Failure;

pub(crate) const USAGE: &str = "\
Uploads files to an S3 in memory and delivers them to an SFTP server, both of this program,
through the function's own executable. Needs no account, and leaves nothing but a log.

usage: demo [--stay] [--bootstrap PATH]

  --stay             goes on until Ctrl-C, and delivers what you upload
  --bootstrap PATH   the function's executable; else $BOOTSTRAP, else `bootstrap` beside this program
  --help             this text

exit status: 0 when every file was compared byte by byte and every source is gone, else 1
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Run(Options),
    Help,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) stay: bool,
    bootstrap: Option<PathBuf>,
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--stay") => options.stay = true,
            Some("--bootstrap") => {
                let path = arguments.next().ok_or("--bootstrap needs a path")?;
                options.bootstrap = Some(path.into());
            }
            Some("--help" | "-h") => return Ok(Command::Help),
            _ => return Err(format!("unknown argument {}", argument.display()).into()),
        }
    }
    Ok(Command::Run(options))
}

impl Options {
    /// The function's executable: it is there, or the error says how to get it.
    pub(crate) fn bootstrap(&self) -> Result<PathBuf, Failure> {
        let named = || env::var_os("BOOTSTRAP").filter(|path| !path.is_empty());
        let path = match self.bootstrap.clone().or_else(|| named().map(Into::into)) {
            Some(path) => path,
            None => env::current_exe()?.with_file_name(format!("bootstrap{EXE_SUFFIX}")),
        };
        if path.is_file() {
            // A bare name would be looked for in PATH.
            return Ok(path.canonicalize()?);
        }
        Err(format!(
            "there is no {}: `make demo` builds it, --bootstrap PATH names another",
            path.display()
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn all_options_are_optional() {
        assert_eq!(parsed(&[]), Ok(Command::Run(Options::default())));
        assert_eq!(
            parsed(&["--bootstrap", "a b", "--stay"]),
            Ok(Command::Run(Options {
                stay: true,
                bootstrap: Some("a b".into())
            }))
        );
        assert_eq!(parsed(&["--stay", "-h"]), Ok(Command::Help));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(parsed(&["--sty"]), Err("unknown argument --sty".into()));
        assert_eq!(
            parsed(&["--bootstrap"]),
            Err("--bootstrap needs a path".into())
        );
    }

    #[test]
    fn a_missing_executable_is_refused() {
        let options = Options {
            bootstrap: Some("/no/bootstrap".into()),
            ..Options::default()
        };
        let refused = options.bootstrap().expect_err("there is none");
        assert!(refused.to_string().starts_with("there is no /no/bootstrap"));
    }
}
