//! `clean`: lists the temporaries that dead deliveries left, and removes them with `--yes`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region};
use s3_to_sftp::clean::{Fate, Finding, Kept, Leftover, Looked, Options, clean};
use s3_to_sftp::error::Error;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;
use serde_json::{Value, json};

const AFTER_HELP: &str = "\
What is found has a name that SSH_TEMPORARY_NAME can have made, in SSH_DIR or below it. Symbolic links
are not followed.

Ages are counted by this machine's clock and the server's, which may differ: the day is the margin.
A much shorter time can take a file away from a delivery that is under way, which then fails and is
tried again.

A name with .old behind its tag is a file of the partner's that was moved aside to make room. Where
nothing has its own name now, it may be the only copy, and is not removed.

Exit status: 0 all that was found is dealt with, 1 something could not be read, or with --yes not be
removed, 2 could not start.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Remove what is found; without, it is only listed
    #[arg(long)]
    yes: bool,
    /// Only what nothing has been written to for so long: 90m, 12h, 7d
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = duration)]
    older_than: Duration,
    /// Print a JSON record per temporary
    #[arg(long)]
    json: bool,
}

/// As durations of settings, and hours and days.
fn duration(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "expected a time like 90m, 12h or 7d";
    let (digits, unit) = match text.char_indices().next_back() {
        Some((last, 's')) => (&text[..last], 1),
        Some((last, 'm')) => (&text[..last], 60),
        Some((last, 'h')) => (&text[..last], 3600),
        Some((last, 'd')) => (&text[..last], 24 * 3600),
        _ => (text, 1),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM);
    }
    let number: u64 = digits.parse().map_err(|_| FORM)?;
    match number.checked_mul(unit) {
        Some(0) => Err("that is no time at all: files of deliveries under way would be removed"),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(FORM),
    }
}

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> ExitCode {
    let mut aws = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if !settings.refer_to_s3() {
        // S3 is not asked for anything, so nobody has to be asked for its region.
        aws = aws.region(Region::from_static("us-east-1"));
    }
    let aws = aws.load().await;
    let (s3, secrets) = (S3::new(&aws), Secrets::new(&aws));
    let options = Options {
        older_than: arguments.older_than,
        remove: arguments.yes,
        now: SystemTime::now(),
    };
    let mut told = Told::default();
    let looked = clean(&settings, &s3, &secrets, &options, |finding| {
        told.count(&finding, arguments.yes);
        // Whoever read the results may have left: what was asked for is done all the same.
        _ = print(&finding, arguments.json);
    })
    .await;
    match looked {
        Ok(looked) => {
            _ = conclude(&told, looked, &arguments);
            if told.failed {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => {
            tracing::error!(error_type = error.name(), "{}", error.report());
            if arguments.json {
                _ = writeln!(io::stdout(), "{}", failure(&error));
            }
            ExitCode::FAILURE
        }
    }
}

/// What the results amount to.
#[derive(Debug, Default)]
struct Told {
    temporaries: u64,
    would_remove: u64,
    failed: bool,
}

impl Told {
    fn count(&mut self, finding: &Finding, yes: bool) {
        match finding {
            Finding::Unread { .. } => self.failed = true,
            Finding::Temporary(leftover) => {
                self.temporaries += 1;
                match &leftover.fate {
                    Fate::WouldRemove => self.would_remove += 1,
                    Fate::Removed | Fate::Gone => {}
                    Fate::Refused(_) | Fate::Kept(Kept::NameUnread { .. }) => self.failed = true,
                    // Somebody has to look at it, which is no failure of a mere list.
                    Fate::Kept(_) => self.failed |= yes,
                }
            }
        }
    }
}

fn print(finding: &Finding, json: bool) -> io::Result<()> {
    match finding {
        _ if json => writeln!(io::stdout(), "{}", json_line(finding)),
        Finding::Temporary(leftover) => writeln!(io::stdout(), "{}", line(leftover)),
        Finding::Unread { path, why } => writeln!(io::stderr(), "{path} could not be read: {why}"),
    }
}

/// For people.
fn line(
    Leftover {
        path,
        size,
        age,
        fate,
    }: &Leftover,
) -> String {
    let size = size.map_or("size unknown".to_owned(), |size| format!("{size} bytes"));
    let age = age.map_or("age unknown".to_owned(), spell);
    format!("{path}  {size}  {age}  {fate}")
}

/// `2d 3h`: the largest unit and the one below it.
fn spell(age: Duration) -> String {
    const UNITS: [(u64, char); 4] = [(24 * 3600, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];
    let seconds = age.as_secs();
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit);
    let Some((unit, letter)) = first.map(|first| UNITS[first]) else {
        return "0s".to_owned();
    };
    let mut text = format!("{}{letter}", seconds / unit);
    if let Some((smaller, letter)) = first.and_then(|first| UNITS.get(first + 1))
        && seconds % unit >= *smaller
    {
        text += &format!(" {}{letter}", seconds % unit / smaller);
    }
    text
}

/// For programs.
fn json_line(finding: &Finding) -> Value {
    match finding {
        Finding::Unread { path, why } => {
            json!({ "path": path, "outcome": "unread", "reason": why })
        }
        Finding::Temporary(Leftover {
            path,
            size,
            age,
            fate,
        }) => {
            let (outcome, reason) = match fate {
                Fate::WouldRemove => ("would_remove", None),
                Fate::Removed => ("removed", None),
                Fate::Gone => ("gone", None),
                Fate::Refused(error) => ("failed", Some(error.to_string())),
                Fate::Kept(kept) => ("kept", Some(kept.to_string())),
            };
            let age = age.map(|age| age.as_secs());
            let mut record =
                json!({ "path": path, "bytes": size, "age_seconds": age, "outcome": outcome });
            if let Some(reason) = reason {
                record["reason"] = reason.into();
            }
            record
        }
    }
}

fn failure(error: &Error) -> Value {
    json!({ "outcome": "failed", "error_type": error.name(), "error": error.report() })
}

/// What the lines do not say.
fn conclude(told: &Told, looked: Looked, arguments: &Arguments) -> io::Result<()> {
    let mut stderr = io::stderr();
    let older_than = spell(arguments.older_than);
    if told.temporaries == 0 {
        let Looked {
            directories,
            younger,
        } = looked;
        return writeln!(
            stderr,
            "nothing found: no temporary is older than {older_than} ({directories} directories read, \
             {younger} younger temporaries)"
        );
    }
    match told.would_remove {
        0 => Ok(()),
        count => writeln!(
            stderr,
            "nothing was removed; to remove {count} of them, add --yes"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [
            ("10", 10),
            ("10s", 10),
            ("2m", 120),
            ("12h", 43_200),
            ("7d", 604_800),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        let overflowing = format!("{}d", u64::MAX);
        for text in [
            "",
            "d",
            "0",
            "0d",
            "-1d",
            "+1d",
            "1w",
            "1 d",
            "1d2h",
            "1.5h",
            "٣d",
            &overflowing,
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_spelt() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3599, "59m 59s"),
            (3600, "1h"),
            (86_399, "23h 59m"),
            (86_400, "1d"),
            (183_600, "2d 3h"),
            (86_400 * 400 + 59, "400d"),
        ] {
            assert_eq!(spell(Duration::from_secs(seconds)), text);
        }
    }
}
