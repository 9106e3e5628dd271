//! The command line.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use bench::Options;

pub(crate) const USAGE: &str = "\
Moves the same bytes from an S3 to OpenSSH's sshd through this function and through other programs, in turn, and
writes raw figures, a summary and charts.

usage: bench [--quick] [--rounds N] [--only NAME]… [--tool NAME] [--rate MIB]
             [--out DIRECTORY] [--bootstrap PATH]
       bench list
       bench report [--out DIRECTORY]

  --quick            small sizes, one round: shows that everything runs
  --rounds N         how often each program does each workload (3)
  --only NAME        this workload, or those whose names begin so: figures of the others stay as they are
  --tool NAME        this program alone
  --rate MIB         so many MiB go through the line a second, to the server (no limit)
  --out DIRECTORY    where figures are kept and added to (bench/results; with --quick target/bench-quick, with
                     --rate target/bench-rate)
  --bootstrap PATH   the function's executable; else $BOOTSTRAP

  list               the workloads' names
  report             renders summary and charts anew, of the raw figures that are there

$PYTHON is an interpreter that has boto3 and paramiko, $PACKAGE_ZIP the function's zip, of which the size is judged.
`make bench` sets all three.
";

pub(crate) enum Command {
    Run(Options),
    Report(PathBuf),
    List,
    ServeS3,
    Help,
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let mut quick = false;
    let mut rounds = None;
    let mut only = Vec::new();
    let mut tool = None;
    let mut rate = None::<u64>;
    let mut out = None;
    let mut bootstrap = set("BOOTSTRAP").map(PathBuf::from);
    let mut command = None;
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{} needs a value", name.display()))
        };
        match name.to_str() {
            Some("--help" | "-h") => return Ok(Command::Help),
            Some(bench::SERVE_S3) => return Ok(Command::ServeS3),
            Some("--quick") => quick = true,
            Some("--rounds") => rounds = Some(read(&value()?)?),
            Some("--only") => only.push(read(&value()?)?),
            Some("--tool") => tool = Some(read(&value()?)?),
            Some("--rate") => rate = Some(read(&value()?)?),
            Some("--out") => out = Some(PathBuf::from(value()?)),
            Some("--bootstrap") => bootstrap = Some(PathBuf::from(value()?)),
            Some(word @ ("list" | "report")) if command.is_none() => {
                command = Some(word.to_owned())
            }
            _ => return Err(format!("unknown argument {}", name.display())),
        }
    }
    let out = out.unwrap_or_else(|| {
        PathBuf::from(match (quick, rate) {
            (true, _) => "target/bench-quick",
            (false, Some(_)) => "target/bench-rate",
            (false, None) => "bench/results",
        })
    });
    match command.as_deref() {
        Some("list") => return Ok(Command::List),
        Some(_) => return Ok(Command::Report(out)),
        None => {}
    }
    Ok(Command::Run(Options {
        quick,
        rounds: rounds.unwrap_or(if quick { 1 } else { 3 }),
        rate: rate.map(|mib| mib << 20),
        only,
        tool,
        out,
        bootstrap: bootstrap.ok_or("--bootstrap or $BOOTSTRAP names the function's executable")?,
        package: set("PACKAGE_ZIP").map(PathBuf::from),
        python: set("PYTHON").map(PathBuf::from),
    }))
}

fn read<T: FromStr<Err: std::fmt::Display>>(value: &OsString) -> Result<T, String> {
    let text = value.to_str().ok_or("arguments are text")?;
    text.parse().map_err(|error| format!("{text}: {error}"))
}
