//! docs/performance.md: the table of what was measured.

use crate::page::assert_computed;
use crate::runs::Runs;

/// The workloads that the page shows, in words.
const WORKLOADS: &[(&str, &str)] = &[
    ("large-0ms", "1 GiB, no distance"),
    ("medium-20ms", "256 MiB, 20 ms"),
    ("medium-50ms", "256 MiB, 50 ms"),
    ("medium-100ms", "256 MiB, 100 ms"),
    ("large-100ms", "1 GiB, 100 ms"),
    (
        "least-memory-0ms",
        "1 GiB, no distance, a function of 128 MB",
    ),
    (
        "least-memory-100ms",
        "256 MiB, 100 ms, a function of 128 MB",
    ),
    ("many-0ms", "500 × 10 KiB in one event, no distance"),
    ("many-50ms", "500 × 10 KiB in one event, 50 ms"),
    ("single-warm-50ms", "10 KiB, 50 ms, the connection is there"),
    (
        "single-cold-50ms",
        "10 KiB, 50 ms, from the start of the process",
    ),
];

const OTHERS: [&str; 3] = ["sftp", "rclone", "python"];

#[test]
fn the_page_of_performance_has_the_benchs_figures() {
    assert_computed("docs/performance.md", &[("figures", table(&Runs::read()))]);
}

fn table(runs: &Runs) -> String {
    let mut text = String::from(
        "| work (round trip) | s3-to-sftp | `sftp` | rclone | Python | processor | peak memory |\n|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for (workload, words) in WORKLOADS {
        let own = speed(runs, workload, "s3-to-sftp")
            .unwrap_or_else(|| panic!("{workload} was not measured"));
        text += &format!("| {words} | **{own}** |");
        for other in OTHERS {
            text += &format!(" {} |", speed(runs, workload, other).unwrap_or_default());
        }
        let of = |column| {
            runs.median(workload, "s3-to-sftp", column)
                .unwrap_or_default()
        };
        text += &format!(
            " {:.2} s | {:.0} MiB |\n",
            of("cpu_s"),
            of("peak_bytes") / 1024.0 / 1024.0
        );
    }
    text
}

/// Large files by the byte, many by the file, one small one by its time.
fn speed(runs: &Runs, workload: &str, tool: &str) -> Option<String> {
    if workload.starts_with("single") {
        let seconds = runs.median(workload, tool, "wall_s")?;
        return Some(format!("{:.0} ms", seconds * 1000.0));
    }
    if workload.starts_with("many") {
        let rate = runs.median_of(workload, tool, |cell| cell("files") / cell("wall_s"))?;
        return Some(format!("{rate:.0} files/s"));
    }
    let rate = runs.median_of(workload, tool, |cell| {
        cell("files") * cell("bytes") / 1024.0 / 1024.0 / cell("wall_s")
    })?;
    // Below one, the figures behind the point are all there is.
    Some(if rate < 10.0 {
        format!("{rate:.1} MiB/s")
    } else {
        format!("{rate:.0} MiB/s")
    })
}

#[test]
fn a_speed_is_told_in_the_unit_of_its_work() {
    let runs = Runs::of(
        "workload,tool,files,bytes,wall_s\nlarge-0ms,x,1,10485760,2\nlarge-0ms,y,1,104857600,2\nmany-0ms,x,50,10240,2\nsingle-warm,x,1,9,0.25\n",
    );
    let of = |workload, tool| speed(&runs, workload, tool);
    assert_eq!(of("large-0ms", "x").as_deref(), Some("5.0 MiB/s"));
    assert_eq!(of("large-0ms", "y").as_deref(), Some("50 MiB/s"));
    assert_eq!(of("many-0ms", "x").as_deref(), Some("25 files/s"));
    assert_eq!(of("single-warm", "x").as_deref(), Some("250 ms"));
    assert_eq!(of("single-warm", "y"), None);
}
