//! The figures in Markdown.

use std::collections::BTreeSet;

use crate::bars::{Bar, judge, round_trips};
use crate::charts::{mib_per_second, peak_mib};
use crate::environment::Environment;
use crate::losses;
use crate::payload::Payload;
use crate::record::{Figure, Record, Records};
use crate::statistics::Spread;
use crate::svg::{Chart, rounded};
use crate::tool::Tool;
use crate::workload::{Start, Workload, plan};

/// What has to be known to read the tables.
const READING: &str = "\
- Medians, with the lowest and the highest round in parentheses. *theirs/ours* compares the wall time of the same rounds, by the
  byte or the file: above 1, s3-to-sftp is faster.
- The server is OpenSSH's sshd with its defaults, on loopback. A delay is a proxy that holds every chunk for half the round
  trip in each direction, with an unbounded queue; at 0 ms there is no proxy. S3 is the test kit's, a process of its own
  without any delay, the same for all.
- `sftp` and `lftp` have no S3 leg: they send a local file that lies in the page cache, and are spared half of the work.
- Everybody but s3-to-sftp is measured from exec to exit. s3-to-sftp is measured from the event to its answer, by a process that has
  delivered one small object before and has kept its connection, or, where it says *cold*, from exec. *first-byte*: from the first event
  of a process that waits for one to the first byte that it sends to the SSH server, its key fetched from S3 by then.
- s3-to-sftp does more in that time: it compares S3's checksum, syncs the file to the disk, publishes it by a rename, looks at what lies
  there, and deletes the source. rclone asks the server for an MD5 of small files; `sftp` and `lftp` verify nothing.
- `rclone-tuned`: `--sftp-chunk-size=255k --sftp-concurrency=64 --buffer-size=64M --transfers=16 --checkers=16`. `lftp-tuned`: 256 packets of
  64 KiB in flight, 16 files at once. `python`: boto3 and paramiko in the steps of the function that this one replaces,
  on less, for it is slow.
- CPU is user and system time, of children too; *sshd* and *S3* is what those spent meanwhile. Peak memory is the sum over a program and its children.
- *growth*: files arrive in memory. By the byte a large file is cheaper than a small one: in a session's first 0.15 s OpenSSH grows its buffers by
  copying them (a profile shows page faults and memmove), which is a fifth of the time that 256 MiB take. On a disk the server's syncs of each file and its directory take the longer, the more there are, and a disk
  that has taken some GiB is slower than before. A virtual machine may have given its free memory back to its host, and gets it again page by page:
  on the machine of 2026-11-28 `dd if=/dev/zero of=/dev/shm/…` alone took 0.4 s for each GiB that is there and 2.7 s for each that is not, which made 8 GiB look 1.47 times as
  expensive by the byte as 256 MiB. So a run finds as much memory occupied as it takes, which is given up 128 MiB ahead of what arrives.
- Every run was checked: names and lengths, the bytes of small files, and of large ones in the first round.
";

/// All of it.
#[must_use]
pub fn markdown(records: &Records, environment: &Environment, charts: &[Chart]) -> String {
    let mut text =
        "# Side by side\n\nWritten by `make bench`; raw figures are in `runs.csv`.\n".to_owned();
    if let Some(why) = environment.not_judged() {
        text += &format!("\n**Nothing is judged by these figures: {why}.**\n");
    }
    text += "\n## Bars\n\n| work | asked | measured | met |\n|---|---|---|---|\n";
    for bar in judge(records, environment) {
        text += &bar_row(&bar);
    }
    text += "\n## Where s3-to-sftp is behind\n\n";
    text += &losses_table(records);
    if !charts.is_empty() {
        text += "\n## Charts\n\n";
    }
    for chart in charts {
        text += &format!("![{}]({})\n\n", chart.title, chart.file);
    }
    text += "\n## Figures\n";
    for workload in plan(false) {
        text += &workload_table(records, &workload);
    }
    text += "\n## How to read them\n\n";
    text += READING;
    text += "\n## Machine\n\n| | |\n|---|---|\n";
    for (name, value) in environment.rows() {
        text += &format!("| {name} | {value} |\n");
    }
    let commits: BTreeSet<_> = records
        .iter()
        .map(|record| record.commit.as_str())
        .collect();
    let commits: Vec<_> = commits.into_iter().collect();
    text + &format!("\nCommits measured: {}.\n", commits.join(", "))
}

fn bar_row(bar: &Bar) -> String {
    let met = match bar.is_met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "—",
    };
    let figure = bar.figure.as_deref().unwrap_or("not measured");
    format!("| {} | {} | {figure} | {met} |\n", bar.work, bar.asked)
}

fn losses_table(records: &Records) -> String {
    let losses = losses::all(records);
    if losses.is_empty() {
        return "Nowhere by more than 2 %, in what was measured.\n".into();
    }
    let mut text = "| workload | ahead | in | s3-to-sftp has |\n|---|---|---|---:|\n".to_owned();
    for loss in losses {
        text += &format!(
            "| {} | {} | {} | {:.2} × |\n",
            loss.workload, loss.tool, loss.figure, loss.factor
        );
    }
    text
}

fn workload_table(records: &Records, workload: &Workload) -> String {
    let mut rows = String::new();
    for tool in Tool::ALL {
        if let Some(any) = records.any(workload.name, tool) {
            rows += &row(records, any, workload);
        }
    }
    if rows.is_empty() {
        return rows;
    }
    let start = match workload.start {
        Start::Cold => ", cold",
        Start::Warm => ", warm",
        Start::Poll => ", exec to first poll",
        Start::FirstByte => ", first event to first byte to the SSH server",
    };
    let memory = match workload.memory_mib {
        128 => ", 128 MB function",
        _ => "",
    };
    format!(
        "\n### {}: {} ms{start}{memory}\n\n\
         | program | moved | wall | speed | CPU s | peak MiB | sshd CPU s | S3 CPU s | theirs/ours |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|\n{rows}",
        workload.name, workload.rtt_ms,
    )
}

fn row(records: &Records, any: &Record, workload: &Workload) -> String {
    let (name, tool) = (workload.name, any.tool);
    let of = |figure: Figure| records.spread(name, tool, figure);
    let ratio = match tool {
        Tool::Function => None,
        _ => records.ratio(name, (tool, Tool::Function), Record::time_per_unit),
    };
    format!(
        "| {tool} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        any.payload,
        time(of(|record| record.wall)),
        speed(records, any, workload),
        cell(of(|record| record.cpu)),
        cell(of(peak_mib)),
        cell(of(|record| record.server_cpu)),
        cell(of(|record| record.s3_cpu)),
        cell(ratio),
    )
}

/// In the unit that fits.
fn speed(records: &Records, any: &Record, workload: &Workload) -> String {
    let of = |figure: Figure| {
        records
            .spread(workload.name, any.tool, figure)
            .map_or_else(String::new, |it| rounded(it.median))
    };
    match any.payload {
        Payload { files: 0, .. } => String::new(),
        _ if workload.start == Start::FirstByte => String::new(),
        Payload { files: 1, .. } if workload.name.starts_with("single") => {
            format!("{} round trips", of(round_trips))
        }
        Payload { files: 1, .. } => format!("{} MiB/s", of(mib_per_second)),
        _ => format!("{} files/s", of(|record| 1.0 / record.time_per_unit())),
    }
}

/// In milliseconds where seconds would say little.
fn time(spread: Option<Spread>) -> String {
    match spread {
        Some(it) if it.median < 1.0 => format!("{} ms", cell(Some(it.map(|time| time * 1e3)))),
        _ => format!("{} s", cell(spread)),
    }
}

fn cell(spread: Option<Spread>) -> String {
    match spread {
        None => String::new(),
        Some(Spread { median, min, max }) if min >= max => rounded(median),
        Some(Spread { median, min, max }) => {
            format!("{} ({}–{})", rounded(median), rounded(min), rounded(max))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn bars_losses_and_figures_are_told() {
        let mut records = Records::default();
        for (round, ours) in [(1, 4.0), (2, 5.0), (3, 4.5)] {
            records.add(record("large-0ms", Tool::Function, round, ours));
            records.add(record("large-0ms", Tool::Sftp, round, 3.0));
        }
        let text = markdown(&records, &Environment::default(), &[]);
        for line in [
            "| 1 GiB, 0 ms | wall ≤ 1.2 × sftp from a local file | 1.50 × (1.33–1.67) | **no** |",
            "| cold start | package.zip ≤ 6 MB | not measured | — |",
            "| large-0ms | sftp | wall time | 1.50 × |",
            "| s3-to-sftp | 1 GiB | 4.50 (4.00–5.00) s | 228 MiB/s | 2.25 (2.00–2.50) | 50.0 | 0.50 | 0.25 |  |",
            "| sftp | 1 GiB | 3.00 s | 341 MiB/s | 1.50 | 50.0 | 0.50 | 0.25 | 0.67 (0.60–0.75) |",
            "Commits measured: abc1234.",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("medium-50ms"), "{text}");
    }
}
