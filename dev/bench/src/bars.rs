//! What the function has to reach, and whether it does.

use crate::environment::Environment;
use crate::payload::Payload;
use crate::record::{Figure, Record, Records};
use crate::statistics::Spread;
use crate::tool::Tool;

const MIB: f64 = 1_048_576.0;

/// Growth within this is none.
const FLAT: f64 = 0.15;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The work.
    pub work: &'static str,
    /// What is asked of it.
    pub asked: String,
    /// What was measured; none where it was not.
    pub figure: Option<String>,
    /// Whether that is enough; none where figures are of another kind.
    pub is_met: Option<bool>,
}

/// All bars, on what was measured.
#[must_use]
pub fn judge(records: &Records, environment: &Environment) -> Vec<Bar> {
    let mut bars = Vec::new();
    large(records, &mut bars);
    far(records, &mut bars);
    single(records, &mut bars);
    memory(records, &mut bars);
    start(records, environment, &mut bars);
    growth(records, &mut bars);
    if environment.not_judged().is_some() {
        for bar in &mut bars {
            bar.is_met = None;
        }
    }
    bars
}

/// rclone is both: as it comes, and with what its manual offers.
const RCLONES: [Tool; 2] = [Tool::Rclone, Tool::RcloneTuned];

fn large(records: &Records, bars: &mut Vec<Bar>) {
    let work = "1 GiB, 0 ms";
    let of = |tool, figure: Figure| records.ratio("large-0ms", (Tool::Function, tool), figure);
    for tool in RCLONES {
        let wall = of(tool, Record::time_per_unit);
        bars.push(at_most(work, &format!("wall ≤ 0.6 × {tool}"), wall, 0.6));
        let cpu = of(tool, Record::cpu_per_unit);
        bars.push(at_most(work, &format!("CPU ≤ 0.6 × {tool}"), cpu, 0.6));
    }
    let wall = of(Tool::Sftp, Record::time_per_unit);
    let asked = "wall ≤ 1.2 × sftp from a local file";
    bars.push(at_most(work, asked, wall, 1.2));
}

fn far(records: &Records, bars: &mut Vec<Bar>) {
    for (work, workload, factor) in [
        ("256 MiB, 50 ms, warm", "medium-50ms", 5.0),
        ("1 GiB, 100 ms, warm", "large-100ms", 7.0),
    ] {
        let ours = records.of(workload, Tool::Function);
        let connections = ours.map(|record| record.connections).max();
        for tool in [Tool::Sftp, Tool::Rclone, Tool::RcloneTuned] {
            // Their time by ours is our throughput by theirs.
            let ratio = records.ratio(workload, (tool, Tool::Function), Record::time_per_unit);
            let asked = format!("throughput ≥ {factor} × {tool}, one connection");
            bars.push(Bar {
                work,
                asked,
                figure: ratio.map(|it| {
                    let connections = connections.unwrap_or_default();
                    format!("{}, connections: {connections}", times(it))
                }),
                is_met: ratio.map(|it| it.median >= factor && connections == Some(1)),
            });
        }
    }
    for tool in RCLONES {
        let ratio = records.ratio("many-50ms", (Tool::Function, tool), Record::time_per_unit);
        let asked = format!("wall ≤ 0.1 × {tool}");
        bars.push(at_most(
            "500 × 10 KiB, one event, 50 ms",
            &asked,
            ratio,
            0.1,
        ));
    }
}

fn single(records: &Records, bars: &mut Vec<Bar>) {
    for (work, workload, most) in [
        ("one 10 KiB object, 50 ms, warm", "single-warm-50ms", 5.0),
        ("one 10 KiB object, 50 ms, cold", "single-cold-50ms", 13.0),
    ] {
        let trips = records.spread(workload, Tool::Function, round_trips);
        bars.push(Bar {
            work,
            asked: format!("≤ {most} round trips in wall time"),
            figure: trips.map(|it| spread(it, 1)),
            is_met: trips.map(|it| it.median <= most),
        });
    }
}

fn memory(records: &Records, bars: &mut Vec<Bar>) {
    for (work, asked, most, is_meant) in [
        (
            "memory, any size, defaults",
            "peak ≤ 96 MiB",
            96.0,
            (|memory| memory > 128) as fn(u32) -> bool,
        ),
        (
            "memory, 128 MB function",
            "peak ≤ 80 MiB",
            80.0,
            |memory| memory == 128,
        ),
    ] {
        let peaks = records
            .iter()
            .filter(|it| it.tool == Tool::Function && it.payload != Payload::NONE)
            .filter(|it| is_meant(it.memory_mib))
            .max_by_key(|it| it.peak);
        bars.push(Bar {
            work,
            asked: asked.to_owned(),
            figure: peaks.map(|it| format!("{:.0} MiB, in {}", mib(it.peak), it.workload)),
            is_met: peaks.map(|it| mib(it.peak) <= most),
        });
    }
}

fn start(records: &Records, environment: &Environment, bars: &mut Vec<Bar>) {
    let work = "cold start";
    let start = records.spread("start", Tool::Function, |it| it.wall * 1e3);
    let starts = records.of("start", Tool::Function).count();
    bars.push(Bar {
        work,
        asked: "exec to first poll ≤ 20 ms median".into(),
        figure: start.map(|it| format!("{} ms, {starts} starts", spread(it, 1))),
        is_met: start.map(|it| it.median <= 20.0),
    });
    let zip = environment.package_size();
    bars.push(Bar {
        work,
        asked: "package.zip ≤ 6 MB".into(),
        figure: zip.map(|bytes| {
            let tens_of_kilobytes = bytes.div_ceil(10_000);
            format!(
                "{}.{:02} MB",
                tens_of_kilobytes / 100,
                tens_of_kilobytes % 100
            )
        }),
        is_met: zip.map(|bytes| bytes <= 6_000_000),
    });
}

fn growth(records: &Records, bars: &mut Vec<Bar>) {
    let grown = |kind| {
        let time = |step| {
            let name = format!("growth-{kind}-{step}");
            records.spread(&name, Tool::Function, Record::time_per_unit)
        };
        let times: Option<Vec<f64>> = (1..=4).map(|step| Some(time(step)?.median)).collect();
        let times = times?;
        Spread::of(times.iter().skip(1).map(|time| time / times[0]))
    };
    let figure = |it: Spread| format!("{:.2} to {:.2} × that of the least", it.min, it.max);
    let bytes = grown("bytes");
    bars.push(Bar {
        work: "growth",
        asked: "time per byte flat (± 15 %) from 256 MiB to 8 GiB".into(),
        figure: bytes.map(figure),
        is_met: bytes.map(|it| it.min >= 1.0 - FLAT && it.max <= 1.0 + FLAT),
    });
    let files = grown("files");
    bars.push(Bar {
        work: "growth",
        // One connection is shared by all: the more files, the less of it for each.
        asked: "time per file does not rise (+ 15 %) from 100 to 5,000".into(),
        figure: files.map(figure),
        is_met: files.map(|it| it.max <= 1.0 + FLAT),
    });
}

fn at_most(work: &'static str, asked: &str, ratio: Option<Spread>, most: f64) -> Bar {
    Bar {
        work,
        asked: asked.to_owned(),
        figure: ratio.map(times),
        is_met: ratio.map(|it| it.median <= most),
    }
}

/// Wall time in round trips of the line.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "a round trip is a few milliseconds"
)]
pub fn round_trips(record: &Record) -> f64 {
    record.wall * 1e3 / record.rtt_ms.max(1) as f64
}

fn times(it: Spread) -> String {
    format!("{:.2} × ({:.2}–{:.2})", it.median, it.min, it.max)
}

fn spread(it: Spread, decimals: usize) -> String {
    format!(
        "{:.decimals$} ({:.decimals$}–{:.decimals$})",
        it.median, it.min, it.max
    )
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    fn bar(records: &Records, asked: &str) -> Bar {
        let bars = judge(records, &Environment::default());
        let found = bars.into_iter().find(|bar| bar.asked.starts_with(asked));
        found.unwrap_or_else(|| panic!("there is no bar {asked}"))
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        for bar in judge(&Records::default(), &Environment::default()) {
            assert_eq!((bar.figure, bar.is_met), (None, None), "{}", bar.asked);
        }
    }

    #[test]
    fn a_ratio_is_judged_by_its_median() {
        let mut records = Records::default();
        for (round, ours, theirs) in [(1, 5.0, 10.0), (2, 5.0, 10.0), (3, 9.0, 10.0)] {
            records.add(record("large-0ms", Tool::Function, round, ours));
            records.add(record("large-0ms", Tool::Rclone, round, theirs));
        }
        let wall = bar(&records, "wall ≤ 0.6 × rclone");
        assert_eq!(wall.figure.as_deref(), Some("0.50 × (0.50–0.90)"));
        assert_eq!(wall.is_met, Some(true));
    }

    #[test]
    fn a_second_connection_does_not_count_as_one() {
        let mut records = Records::default();
        records.add(record("medium-50ms", Tool::Sftp, 1, 10.0));
        records.add(record("medium-50ms", Tool::Function, 1, 1.0));
        assert_eq!(bar(&records, "throughput ≥ 5 × sftp").is_met, Some(true));
        records.add(Record {
            connections: 2,
            ..record("medium-50ms", Tool::Function, 1, 1.0)
        });
        assert_eq!(bar(&records, "throughput ≥ 5 × sftp").is_met, Some(false));
    }

    #[test]
    fn the_worst_memory_of_all_workloads_counts() {
        let mut records = Records::default();
        records.add(record("large-0ms", Tool::Function, 1, 1.0));
        assert_eq!(bar(&records, "peak ≤ 96 MiB").is_met, Some(true));
        records.add(Record {
            peak: 97 << 20,
            ..record("many-0ms", Tool::Function, 1, 1.0)
        });
        let memory = bar(&records, "peak ≤ 96 MiB");
        assert_eq!(memory.figure.as_deref(), Some("97 MiB, in many-0ms"));
        assert_eq!(memory.is_met, Some(false));
        assert_eq!(bar(&records, "peak ≤ 80 MiB").is_met, None);
    }

    #[test]
    fn growth_compares_units_and_needs_every_step() {
        let mut records = Records::default();
        for (step, gib, wall) in [(1, 1, 4.0), (2, 2, 8.1), (3, 4, 15.9)] {
            records.add(Record {
                payload: Payload::one(gib << 30),
                ..record(&format!("growth-bytes-{step}"), Tool::Function, 1, wall)
            });
        }
        assert_eq!(bar(&records, "time per byte").is_met, None);
        records.add(Record {
            payload: Payload::one(8 << 30),
            ..record("growth-bytes-4", Tool::Function, 1, 40.0)
        });
        let bytes = bar(&records, "time per byte");
        assert_eq!(bytes.is_met, Some(false), "{bytes:?}");
    }

    #[test]
    fn five_round_trips_are_not_six() {
        let mut records = Records::default();
        records.add(record("single-warm-50ms", Tool::Function, 1, 0.25));
        assert_eq!(bar(&records, "≤ 5 round trips").is_met, Some(true));
        records.add(record("single-warm-50ms", Tool::Function, 1, 0.3));
        assert_eq!(bar(&records, "≤ 5 round trips").is_met, Some(false));
    }
}
