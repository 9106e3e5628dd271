//! The raw figures: a line of CSV for each run.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use crate::payload::Payload;
use crate::statistics::{Spread, ratios};
use crate::tool::Tool;

const HEADER: &str = "workload,tool,round,files,bytes,rtt_ms,memory_mib,wall_s,cpu_s,peak_bytes,\
                      sshd_cpu_s,s3_cpu_s,connections,compared,commit";

/// What is taken from a run.
pub type Figure = fn(&Record) -> f64;

/// One run of one program.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The workload's name.
    pub workload: String,
    /// Who ran.
    pub tool: Tool,
    /// From 1.
    pub round: u32,
    /// What was moved.
    pub payload: Payload,
    /// Of the line, in milliseconds.
    pub rtt_ms: u64,
    /// What the function was told that it has.
    pub memory_mib: u32,
    /// Seconds from begin to end.
    pub wall: f64,
    /// Seconds on processors, of the program and what it started.
    pub cpu: f64,
    /// The most memory, in bytes.
    pub peak: u64,
    /// Seconds on processors of the SFTP server.
    pub server_cpu: f64,
    /// And of S3.
    pub s3_cpu: f64,
    /// How many connections the SFTP server saw.
    pub connections: u64,
    /// Whether all bytes were compared, not names and lengths alone.
    pub compared: bool,
    /// What of this repository was measured.
    pub commit: String,
}

impl Record {
    /// Seconds for each byte of one file, for each of many files, or for a start.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a payload is far below 2^52 bytes"
    )]
    pub fn time_per_unit(&self) -> f64 {
        self.wall / self.payload.units() as f64
    }

    /// Seconds on processors likewise.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a payload is far below 2^52 bytes"
    )]
    pub fn cpu_per_unit(&self) -> f64 {
        self.cpu / self.payload.units() as f64
    }

    fn line(&self) -> String {
        format!(
            "{},{},{},{},{},{},{},{:.6},{:.4},{},{:.4},{:.4},{},{},{}",
            self.workload,
            self.tool,
            self.round,
            self.payload.files,
            self.payload.bytes,
            self.rtt_ms,
            self.memory_mib,
            self.wall,
            self.cpu,
            self.peak,
            self.server_cpu,
            self.s3_cpu,
            self.connections,
            self.compared,
            self.commit,
        )
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [
            workload,
            tool,
            round,
            files,
            bytes,
            rtt_ms,
            memory_mib,
            wall,
            cpu,
            peak,
            server_cpu,
            s3_cpu,
            connections,
            compared,
            commit,
        ] = fields[..]
        else {
            return None;
        };
        Some(Self {
            workload: workload.to_owned(),
            tool: tool.parse().ok()?,
            round: round.parse().ok()?,
            payload: Payload {
                files: files.parse().ok()?,
                bytes: bytes.parse().ok()?,
            },
            rtt_ms: rtt_ms.parse().ok()?,
            memory_mib: memory_mib.parse().ok()?,
            wall: wall.parse().ok()?,
            cpu: cpu.parse().ok()?,
            peak: peak.parse().ok()?,
            server_cpu: server_cpu.parse().ok()?,
            s3_cpu: s3_cpu.parse().ok()?,
            connections: connections.parse().ok()?,
            compared: compared.parse().ok()?,
            commit: commit.to_owned(),
        })
    }
}

/// All runs, of one or several calls of the benchmark.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records(Vec<Record>);

impl Records {
    /// What earlier calls have left in a file; nothing where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is of another layout.
    pub fn read(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => text
                .parse()
                .map_err(|error: String| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes all of them.
    ///
    /// # Errors
    ///
    /// What the disk answers.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.csv())
    }

    /// Adds a run. With its first round, those that a tool has from an earlier call go.
    pub fn add(&mut self, record: Record) {
        self.0.retain(|other| {
            (&other.workload, other.tool) != (&record.workload, record.tool)
                || (record.round > 1 && other.round != record.round)
        });
        self.0.push(record);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.0.iter()
    }

    /// Those of a workload and a tool.
    pub fn of(&self, workload: &str, tool: Tool) -> impl Iterator<Item = &Record> {
        self.0
            .iter()
            .filter(move |record| record.workload == workload && record.tool == tool)
    }

    /// One of them, for what all rounds have in common.
    #[must_use]
    pub fn any(&self, workload: &str, tool: Tool) -> Option<&Record> {
        self.of(workload, tool).next()
    }

    /// A figure of theirs.
    #[must_use]
    pub fn spread(
        &self,
        workload: &str,
        tool: Tool,
        figure: impl Fn(&Record) -> f64,
    ) -> Option<Spread> {
        Spread::of(self.of(workload, tool).map(figure))
    }

    /// A figure of one tool by that of another, round by round.
    #[must_use]
    pub fn ratio(
        &self,
        workload: &str,
        tools: (Tool, Tool),
        figure: impl Fn(&Record) -> f64,
    ) -> Option<Spread> {
        let figures = |tool| -> Vec<_> {
            self.of(workload, tool)
                .map(|record| (record.round, figure(record)))
                .collect()
        };
        ratios(&figures(tools.0), &figures(tools.1))
    }

    /// The file's text, in an order that does not depend on that of the runs.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut records: Vec<_> = self.0.iter().collect();
        records.sort_by_key(|record| (record.workload.clone(), record.tool, record.round));
        let lines = records.iter().map(|record| record.line() + "\n");
        format!("{HEADER}\n") + &lines.collect::<String>()
    }
}

impl FromStr for Records {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err("these are figures of another layout: choose another --out".into());
        }
        lines
            .map(|line| Record::parse(line).ok_or_else(|| format!("no run: {line}")))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(workload: &str, tool: Tool, round: u32, wall: f64) -> Record {
        Record {
            workload: workload.to_owned(),
            tool,
            round,
            payload: Payload::one(1 << 30),
            rtt_ms: 50,
            memory_mib: 512,
            wall,
            cpu: wall / 2.0,
            peak: 50 << 20,
            server_cpu: 0.5,
            s3_cpu: 0.25,
            connections: 1,
            compared: round == 1,
            commit: "abc1234".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut records = Records::default();
        records.add(record("large-0ms", Tool::Function, 1, 4.5));
        records.add(record("large-0ms", Tool::RcloneTuned, 1, 6.5));
        assert_eq!(records.csv().parse(), Ok(records));
        assert!("workload,tool\n".parse::<Records>().is_err());
    }

    #[test]
    fn a_tool_that_runs_anew_replaces_its_own_rounds_alone() {
        let mut records = Records::default();
        for round in 1..=3 {
            records.add(record("large-0ms", Tool::Function, round, 9.0));
            records.add(record("large-0ms", Tool::Sftp, round, 5.0));
        }
        for round in 1..=2 {
            records.add(record("large-0ms", Tool::Function, round, 4.0));
        }
        let walls = |tool| -> Vec<f64> {
            let of = records.of("large-0ms", tool);
            of.map(|record| record.wall).collect()
        };
        assert_eq!(walls(Tool::Function), [4.0, 4.0]);
        assert_eq!(walls(Tool::Sftp), [5.0, 5.0, 5.0]);
    }
}
