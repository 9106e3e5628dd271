//! `settings`: what is set, and where; all that can be set.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use s3_to_sftp::settings::{Settings, Shown, TABLE, describe, markdown};
use serde_json::json;

use crate::COULD_NOT_START;
use crate::given::Given;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print a JSON record per setting
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table of all settings as the README has it, whatever is set
    #[arg(long)]
    markdown: bool,
}

/// Settings that are wrong are shown, too: this is where one looks then.
pub(crate) fn run(arguments: &Arguments, given: &Given) -> ExitCode {
    if arguments.markdown {
        return print(&markdown(), ExitCode::SUCCESS);
    }
    let lookup = |name: &str| given.lookup(name);
    let shown = describe(lookup);
    let text = if arguments.json {
        json_lines(&shown, given)
    } else {
        lines(&shown, given)
    };
    let status = match Settings::from_lookup(lookup) {
        Ok(loaded) => {
            for warning in given.warnings().iter().chain(&loaded.warnings) {
                tracing::warn!("{warning}");
            }
            ExitCode::SUCCESS
        }
        Err(problems) => {
            crate::complain(&problems.to_string());
            ExitCode::from(COULD_NOT_START)
        }
    };
    print(&text, status)
}

/// Whoever read the results may have left: that is no error.
fn print(text: &str, status: ExitCode) -> ExitCode {
    _ = io::stdout().write_all(text.as_bytes());
    status
}

/// Three columns: name, value, and where it is from.
fn lines(shown: &[Shown], given: &Given) -> String {
    let names = shown.iter().map(|it| it.row.name.len()).max();
    let values = shown.iter().map(|it| it.value.chars().count()).max();
    // A long value is no reason to push all others' origins off the screen.
    let (names, values) = (names.unwrap_or(0), values.unwrap_or(0).min(40));
    let mut text = String::new();
    for Shown { row, value, .. } in shown {
        let source = given.source(row);
        _ = writeln!(text, "{:<names$}  {value:<values$}  {source}", row.name);
    }
    text
}

fn json_lines(shown: &[Shown], given: &Given) -> String {
    let mut text = String::new();
    for Shown { row, value, set } in shown {
        let record = json!({
            "name": row.name,
            "value": value,
            "set": set,
            "from": given.source(row).to_string(),
            "secret": row.secret,
        });
        _ = writeln!(text, "{record}");
    }
    text
}

/// The settings for `--help`: name, default, meaning.
pub(crate) fn help() -> String {
    let mut text = String::from("Settings, by --env-file or in the environment:\n");
    for row in TABLE {
        let fallback = row.fallback.to_string();
        let told = format!("[{fallback}] {}", row.meaning);
        _ = write!(text, "\n  {}\n", row.name);
        for line in wrapped(&plain(&told), 90) {
            _ = writeln!(text, "      {line}");
        }
    }
    text
}

/// Without Markdown's marks: backticks, and where links lead.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once("](") {
        let (before, told) = before.rsplit_once('[').unwrap_or((before, ""));
        text.push_str(before);
        text.push_str(told);
        rest = link.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text.replace('`', "")
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_loses_its_marks() {
        assert_eq!(
            plain("a [`b` c](docs/d.md#e), `f` [g] and [h](i)"),
            "a b c, f [g] and h"
        );
        assert_eq!(plain("nothing"), "nothing");
    }

    #[test]
    fn lines_are_no_longer_than_they_may_be() {
        assert_eq!(wrapped("aa bb cc d", 5), ["aa bb", "cc d"]);
        assert_eq!(wrapped("longer than that", 3), ["longer", "than", "that"]);
    }
}
