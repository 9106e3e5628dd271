//! The command line.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::SystemTime;

use soak::world::ServerKind;
use soak::{Known, Options};

pub(crate) const USAGE: &str = "\
Delivers objects through the function's own executable to real servers, kills, freezes and disturbs everything
meanwhile, and compares every file. Exit status 1 at the first broken promise.

usage: soak [--kills N] [--seed S] [--size BYTES] [--server sshd|rclone|both] [--round N]
            [--known GAP]… [--report FILE] [--bootstrap PATH]

  --kills N          how often the function is killed or frozen, at least (50); other disturbances come on top
  --seed S           what happens, and when (a new one each time)
  --size BYTES       of the objects (268435456)
  --server KIND      sshd, rclone or both (both)
  --round N          this round of the plan only
  --known GAP        a gap of the function that is not held against it: temporaries (those that a retry by a
                     queue or a sleeper leaves are counted) or corrupt-rest (what is read after S3's answer
                     broke off arrives right)
  --report FILE      writes the figures as Markdown
  --bootstrap PATH   the function's executable; else $BOOTSTRAP
";

pub(crate) enum Command {
    Run(Run),
    Help,
}

pub(crate) struct Run {
    pub(crate) options: Options,
    pub(crate) report: Option<PathBuf>,
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options {
        kills: 50,
        seed: new_seed(),
        size: 256 << 20,
        servers: vec![ServerKind::Sshd, ServerKind::Rclone],
        only: None,
        known: Known::default(),
        bootstrap: PathBuf::new(),
    };
    let mut report = None;
    let mut bootstrap = env::var_os("BOOTSTRAP").filter(|path| !path.is_empty());
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        if matches!(name.to_str(), Some("--help" | "-h")) {
            return Ok(Command::Help);
        }
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{} needs a value", name.display()))
        };
        match name.to_str() {
            Some("--kills") => options.kills = number(&value()?)?,
            Some("--seed") => options.seed = number(&value()?)?,
            Some("--size") => options.size = number(&value()?)?,
            Some("--round") => options.only = Some(number(&value()?)?),
            Some("--server") => {
                options.servers = match value()?.to_str() {
                    Some("sshd") => vec![ServerKind::Sshd],
                    Some("rclone") => vec![ServerKind::Rclone],
                    Some("both") => vec![ServerKind::Sshd, ServerKind::Rclone],
                    _ => return Err("--server is sshd, rclone or both".into()),
                }
            }
            Some("--known") => match value()?.to_str() {
                Some("temporaries") => options.known.temporaries = true,
                Some("corrupt-rest") => options.known.corrupt_rest = true,
                _ => return Err("--known is temporaries or corrupt-rest".into()),
            },
            Some("--report") => report = Some(value()?.into()),
            Some("--bootstrap") => bootstrap = Some(value()?),
            _ => return Err(format!("unknown argument {}", name.display())),
        }
    }
    // A moment has to lie somewhere within the object.
    if options.size < 4096 {
        return Err("--size is 4096 at least".into());
    }
    let path = PathBuf::from(
        bootstrap.ok_or("the function is not named: make soak does, or --bootstrap PATH")?,
    );
    options.bootstrap = path
        .canonicalize()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Command::Run(Run { options, report }))
}

fn number<T: FromStr>(value: &OsString) -> Result<T, String> {
    value
        .to_str()
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| format!("{} is no number that fits", value.display()))
}

/// Short enough to be typed.
fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::from(now.unwrap_or_default().subsec_nanos()) % 1_000_000
}
