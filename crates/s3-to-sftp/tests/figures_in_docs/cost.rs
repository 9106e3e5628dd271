//! docs/cost.md: what it says is computed from the prices in its own table and from what `make bench` measured. Whoever has other prices
//! changes them there; `make readme` then writes the rest anew.

use std::collections::BTreeMap;

use crate::page::{assert_computed, between, read, thousands};
use crate::runs::Runs;

#[test]
fn the_page_of_costs_is_computed_from_its_prices_and_the_benchs_figures() {
    let prices = prices(between(&read("docs/cost.md"), "prices"));
    let model = Model::new(&prices, &Runs::read());
    assert_computed(
        "docs/cost.md",
        &[
            ("measured", model.measured()),
            ("rows", model.rows()),
            ("months", model.months()),
        ],
    );
}

/// So many alarms and dashboards has the template that the page reckons with.
#[test]
fn the_template_has_the_alarms_that_are_paid_for() {
    let prices = prices(between(&read("docs/cost.md"), "prices"));
    let template = read("deploy/cloudformation.yaml");
    let count = |kind: &str| template.matches(&format!("Type: {kind}\n")).count() as f64;
    assert_eq!(prices["alarms"], count("AWS::CloudWatch::Alarm"));
    assert_eq!(prices["dashboards"], count("AWS::CloudWatch::Dashboard"));
}

/// The rows `| name | value | …`.
fn prices(table: &str) -> BTreeMap<String, f64> {
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (name, value) = (cells.next()?, cells.next()?);
        Some((name.to_owned(), value.parse().ok()?))
    });
    rows.collect()
}

/// What is paid for, in dollars.
struct Model {
    /// Of one GiB over a line of 100 ms, and of one small file over 50 ms with its login: as measured.
    large: Run,
    small: Run,
    /// And as reckoned for a function of this size.
    seconds_of_a_gb: f64,
    seconds_of_a_file: f64,
    share: f64,
    a_slow_gb: f64,
    connector: Way,
    ways: [Way; 3],
    data_out: f64,
}

struct Run {
    wall: f64,
    cpu: f64,
    peak: f64,
}

struct Way {
    name: &'static str,
    month: f64,
    gb: f64,
    file: f64,
}

impl Way {
    fn costs(&self, gb: f64, files: f64) -> f64 {
        self.month + self.gb * gb + self.file * files
    }
}

impl Model {
    fn new(prices: &BTreeMap<String, f64>, runs: &Runs) -> Self {
        let price = |name: &str| *prices.get(name).unwrap_or_else(|| panic!("no {name}"));
        let large = Run::median(runs, "large-100ms");
        let small = Run::median(runs, "single-cold-50ms");
        let memory = price("memory, GB");
        // A function has processors by its memory: 1,769 MB are one.
        let share = memory * 1024.0 / price("MB of one processor");
        let seconds_of_a_gb = large.wall.max(large.cpu / share);
        let seconds_of_a_file = small.wall.max(small.cpu / share) + price("S3 of a file, s");
        let second = memory * price("Lambda, GB-second");
        let a_slow_gb = second * 1024.0 / price("a slow partner, MiB/s");
        let requests = price("Lambda, request")
            + price("EventBridge, event")
            + price("SQS requests of a file") * price("SQS, request")
            + price("S3 requests of a file") * price("S3, GET or HEAD")
            + price("log of a file, KB") * price("log, GB") / 1e6;
        let hours = price("hours of a month");
        let polls = price("pollers") * hours * 3600.0 / 20.0;
        let stack = price("alarms") * price("alarm, month")
            + price("dashboards") * price("dashboard, month")
            + price("metrics") * price("metric, month")
            + polls * price("SQS, request");
        let nat = (price("NAT, hour") + price("address, hour")) * hours;
        let data_out = price("data out, GB");
        let gb = seconds_of_a_gb * second + data_out;
        let file = seconds_of_a_file * second + requests;
        let way = |name, nat: f64, nat_gb: f64| Way {
            name,
            month: stack + nat,
            gb: gb + nat_gb,
            file,
        };
        let ways = [
            way("no static address", 0.0, 0.0),
            way(
                "a NAT shared",
                nat / price("partners that share a NAT"),
                price("NAT, GB"),
            ),
            way("a NAT of its own", nat, price("NAT, GB")),
        ];
        let connector = Way {
            name: "connectors",
            month: 0.0,
            gb: price("connector, GB"),
            file: price("connector, call"),
        };
        Self {
            large,
            small,
            seconds_of_a_gb,
            seconds_of_a_file,
            share,
            a_slow_gb,
            connector,
            ways,
            data_out,
        }
    }

    fn measured(&self) -> String {
        let row = |what: &str, run: &Run, seconds: f64| {
            format!(
                "| {what} | {:.2} s | {:.2} s | {:.0} MiB | {seconds:.2} s |\n",
                run.wall,
                run.cpu,
                run.peak / 1024.0 / 1024.0,
            )
        };
        format!(
            "| | wall time | processor time | peak memory | reckoned, with {:.2} of a processor |\n|---|---:|---:|---:|---:|\n{}{}",
            self.share,
            row(
                "1 GiB, 100 ms to the server (`large-100ms`)",
                &self.large,
                self.seconds_of_a_gb
            ),
            row(
                "10 KiB with its login, 50 ms (`single-cold-50ms`)",
                &self.small,
                self.seconds_of_a_file
            ),
        )
    }

    fn rows(&self) -> String {
        let mut text = String::from(
            "| | a month | a GB | 1,000 files | cheaper than connectors from | or from |\n|---|---:|---:|---:|---:|---:|\n",
        );
        let Way { name, gb, file, .. } = &self.connector;
        text += &format!(
            "| {name} | $0.00 | ${gb:.4} | ${:.4} | | |\n",
            file * 1000.0
        );
        for way in &self.ways {
            text += &format!(
                "| {} | ${:.2} | ${:.4} | ${:.4} | {:.0} GB | {} files |\n",
                way.name,
                way.month,
                way.gb,
                way.file * 1000.0,
                way.month / (self.connector.gb - way.gb),
                thousands(way.month / (self.connector.file - way.file)),
            );
        }
        let own = &self.ways[2];
        text += &format!(
            "\nIf AWS bills data out beside the connector's price as well, a NAT of its own pays from {:.0} GB. A partner whose line is slow costs \
             ${:.5} a GB of Lambda in place of ${:.5}.\n",
            own.month / (self.connector.gb + self.data_out - own.gb),
            self.a_slow_gb,
            self.ways[0].gb - self.data_out,
        );
        text
    }

    fn months(&self) -> String {
        let [none, shared, own] = self.ways.each_ref().map(|way| way.name);
        let mut text = format!(
            "| a month | connectors | {none} | {shared} | {own} |\n|---|---:|---:|---:|---:|\n"
        );
        for (files, gb) in [
            (100.0, 1.0),
            (1e3, 10.0),
            (1e4, 100.0),
            (1e5, 1e3),
            (1e6, 100.0),
        ] {
            text += &format!("| {} files, {} GB |", thousands(files), thousands(gb));
            for way in [&self.connector].into_iter().chain(&self.ways) {
                text += &format!(" ${:.2} |", way.costs(gb, files));
            }
            text.push('\n');
        }
        text
    }
}

impl Run {
    fn median(runs: &Runs, workload: &str) -> Self {
        let of = |column| runs.median(workload, "s3-to-sftp", column).expect(workload);
        Self {
            wall: of("wall_s"),
            cpu: of("cpu_s"),
            peak: of("peak_bytes"),
        }
    }
}

/// By hand, with prices that one can do in one's head.
#[test]
fn the_arithmetic_is_that_of_the_page() {
    let runs = "workload,tool,wall_s,cpu_s,peak_bytes\nlarge-100ms,s3-to-sftp,8,1,0\nlarge-100ms,rclone,99,99,0\n\
                large-100ms,s3-to-sftp,6,1,0\nsingle-cold-50ms,s3-to-sftp,1,3,0\n";
    let table = [
        ("connector, GB", 1.0),
        ("connector, call", 0.01),
        ("Lambda, GB-second", 0.01),
        ("Lambda, request", 0.0001),
        ("memory, GB", 1.0),
        ("MB of one processor", 2048.0),
        ("S3 of a file, s", 4.0),
        ("a slow partner, MiB/s", 1.0),
        ("EventBridge, event", 0.0001),
        ("SQS requests of a file", 2.0),
        ("SQS, request", 0.0001),
        ("S3 requests of a file", 3.0),
        ("S3, GET or HEAD", 0.0001),
        ("log of a file, KB", 1.0),
        ("log, GB", 100.0),
        ("hours of a month", 10.0),
        ("pollers", 1.0),
        ("alarms", 2.0),
        ("alarm, month", 1.0),
        ("dashboards", 1.0),
        ("dashboard, month", 3.0),
        ("metrics", 4.0),
        ("metric, month", 0.5),
        ("NAT, hour", 1.0),
        ("NAT, GB", 0.2),
        ("address, hour", 0.5),
        ("partners that share a NAT", 5.0),
        ("data out, GB", 0.1),
    ];
    let prices = table.map(|(name, price)| (name.to_owned(), price)).into();
    let Model {
        ways: [none, shared, own],
        seconds_of_a_file,
        ..
    } = Model::new(&prices, &Runs::of(runs));
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
    // 3 s of a whole processor are 6 of half a one, and S3's 4.
    near(seconds_of_a_file, 10.0);
    near(none.gb, 7.0 * 0.01 + 0.1);
    near(none.file, 10.0 * 0.01 + 0.0001 * 7.0 + 0.0001);
    // Alarms, dashboard, metrics, and 1,800 polls of 20 s.
    near(none.month, 2.0 + 3.0 + 2.0 + 0.18);
    near(shared.month, none.month + 15.0 / 5.0);
    near(own.month, none.month + 15.0);
    near(own.gb, none.gb + 0.2);
    near(own.costs(10.0, 0.0), own.month + 3.7);
}
