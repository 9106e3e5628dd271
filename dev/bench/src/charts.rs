//! Which charts there are.

use crate::bars::round_trips;
use crate::payload::size;
use crate::record::{Figure, Record, Records};
use crate::statistics::Spread;
use crate::svg::{Bar, Chart, Group};
use crate::tool::Tool;

const MIB: f64 = 1_048_576.0;

/// Those that anything was measured of.
#[must_use]
pub fn all(records: &Records) -> Vec<Chart> {
    let mut charts = vec![
        throughput(records),
        large(records),
        files(records),
        single(records),
        memory(records),
        growth(records),
    ];
    charts.retain(|chart| chart.groups.iter().any(|group| !group.bars.is_empty()));
    charts
}

fn throughput(records: &Records) -> Chart {
    let workloads = ["medium-0ms", "medium-20ms", "medium-50ms", "medium-100ms"];
    Chart {
        file: "throughput.svg",
        title: format!("{} from S3 to SFTP", moved(records, &workloads)),
        subtitle:
            "by round-trip time to the server; more is better; sftp and lftp send a local file"
                .into(),
        unit: "MiB/s",
        groups: by_round_trip(records, &workloads, mib_per_second),
    }
}

fn large(records: &Records) -> Chart {
    let workloads = ["large-0ms", "large-100ms"];
    Chart {
        file: "large.svg",
        title: format!("{} from S3 to SFTP", moved(records, &workloads)),
        subtitle:
            "by round-trip time to the server; more is better; sftp and lftp send a local file"
                .into(),
        unit: "MiB/s",
        groups: by_round_trip(records, &workloads, mib_per_second),
    }
}

fn files(records: &Records) -> Chart {
    let workloads = ["many-0ms", "many-50ms"];
    Chart {
        file: "files.svg",
        title: "Many files of 10 KiB".into(),
        subtitle: "time for each, by round-trip time to the server; less is better".into(),
        unit: "ms",
        groups: by_round_trip(records, &workloads, |record| record.time_per_unit() * 1e3),
    }
}

fn single(records: &Records) -> Chart {
    let groups = [
        ("single-cold-50ms", "with the program's start"),
        ("single-warm-50ms", "by a process that runs"),
    ];
    Chart {
        file: "single.svg",
        title: "One object of 10 KiB, 50 ms to the server".into(),
        subtitle: "round trips in wall time; less is better".into(),
        unit: "",
        groups: groups
            .into_iter()
            .map(|(workload, label)| Group {
                label: label.into(),
                bars: bars(records, workload, round_trips),
            })
            .filter(|group| !group.bars.is_empty())
            .collect(),
    }
}

fn memory(records: &Records) -> Chart {
    let workloads = ["large-0ms", "large-100ms"];
    Chart {
        file: "memory.svg",
        title: format!("Peak memory for {}", moved(records, &workloads)),
        subtitle: "with all that the program starts, by round-trip time; less is better".into(),
        unit: "MiB",
        groups: by_round_trip(records, &workloads, peak_mib),
    }
}

fn growth(records: &Records) -> Chart {
    let steps = |kind: &str, figure: Figure| -> Vec<Bar> {
        (1..=4)
            .filter_map(|step| {
                let name = format!("growth-{kind}-{step}");
                let payload = records.any(&name, Tool::Function)?.payload;
                Some(Bar {
                    label: match payload.files {
                        1 => size(payload.bytes),
                        files => format!("{files} files"),
                    },
                    spread: records.spread(&name, Tool::Function, figure)?,
                    is_ours: true,
                })
            })
            .collect()
    };
    let groups = [
        (
            "for each GiB",
            steps("bytes", |record| {
                record.time_per_unit() * f64::from(1 << 30)
            }),
        ),
        (
            "for a thousand files",
            steps("files", |record| record.time_per_unit() * 1e3),
        ),
    ];
    Chart {
        file: "growth.svg",
        title: "s3-to-sftp: what more takes".into(),
        subtitle: "time by the byte and by the file, 0 ms; equal is good".into(),
        unit: "s",
        groups: groups
            .into_iter()
            .map(|(label, bars)| Group {
                label: label.into(),
                bars,
            })
            .filter(|group| !group.bars.is_empty())
            .collect(),
    }
}

fn by_round_trip(records: &Records, workloads: &[&str], figure: Figure) -> Vec<Group> {
    workloads
        .iter()
        .filter_map(|workload| {
            let any = records.iter().find(|record| record.workload == *workload)?;
            Some(Group {
                label: format!("{} ms", any.rtt_ms),
                bars: bars(records, workload, figure),
            })
        })
        .collect()
}

fn bars(records: &Records, workload: &str, figure: Figure) -> Vec<Bar> {
    Tool::ALL
        .into_iter()
        .filter_map(|tool| {
            let spread: Spread = records.spread(workload, tool, figure)?;
            Some(Bar {
                label: tool.to_string(),
                spread,
                is_ours: tool == Tool::Function,
            })
        })
        .collect()
}

/// What most programs move: Python's payload is another.
fn moved(records: &Records, workloads: &[&str]) -> String {
    let moved = records.iter().filter(|record| {
        workloads.contains(&record.workload.as_str()) && record.tool != Tool::Python
    });
    let payload = moved.map(|record| record.payload).next();
    payload.map_or_else(String::new, |payload| payload.to_string())
}

/// Of one file.
#[must_use]
pub fn mib_per_second(record: &Record) -> f64 {
    1.0 / (record.time_per_unit() * MIB)
}

/// Its peak.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
pub fn peak_mib(record: &Record) -> f64 {
    record.peak as f64 / MIB
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn only_what_was_measured_is_drawn() {
        let mut records = Records::default();
        assert!(all(&records).is_empty());
        records.add(record("large-100ms", Tool::Function, 1, 4.0));
        let charts = all(&records);
        let files: Vec<_> = charts.iter().map(|chart| chart.file).collect();
        assert_eq!(files, ["large.svg", "memory.svg"]);
        assert_eq!(charts[0].title, "1 GiB from S3 to SFTP");
        assert_eq!(charts[0].groups[0].bars[0].spread.median, 256.0);
    }
}
