//! The figures.

use std::fmt;
use std::time::Duration;

use crate::Options;
use crate::world::ServerKind;

/// What happened, and what was compared.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The seed of it all.
    pub seed: u64,
    /// The size of the objects, in bytes.
    pub size: u64,
    servers: Vec<ServerKind>,
    /// Objects.
    pub rounds: u32,
    /// Processes that were killed in the midst of a delivery.
    pub kills: u32,
    /// Processes that were frozen and went on.
    pub stops: u32,
    /// Connections that were cut.
    pub cuts: u32,
    /// Lines that stalled, or were slow.
    pub stalls: u32,
    /// Servers that were killed and started again.
    pub restarts: u32,
    /// Answers of S3 that failed, broke off, were wrong or of another object.
    pub s3_faults: u32,
    /// Invocations.
    pub attempts: u32,
    /// The most that one event took.
    pub longest_recovery: u32,
    /// Bytes of final files that were compared.
    pub bytes_compared: u64,
    /// Bytes of objects that are gone and did not arrive.
    pub bytes_lost: u64,
    /// Files that took the place of an equal one.
    pub duplicates: u64,
    /// Looks at the final name while something happened.
    pub looks: u64,
    /// Temporaries that wait for `s3-to-sftp clean`.
    pub temporaries: u32,
    /// Sources that S3 refused to delete until the end, as the log said.
    pub not_deleted: u32,
    /// How long it took.
    pub wall_time: Duration,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            seed: options.seed,
            size: options.size,
            servers: options.servers.clone(),
            ..Self::default()
        }
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        vec![
            ("servers", servers.join(", ")),
            ("bytes of an object", self.size.to_string()),
            ("rounds", self.rounds.to_string()),
            ("kills (SIGKILL)", self.kills.to_string()),
            ("stops (SIGSTOP, SIGCONT)", self.stops.to_string()),
            ("cuts of the line", self.cuts.to_string()),
            ("stalled or slow lines", self.stalls.to_string()),
            ("server restarts", self.restarts.to_string()),
            ("S3 faults", self.s3_faults.to_string()),
            ("deliveries of events", self.attempts.to_string()),
            (
                "longest recovery, in deliveries",
                self.longest_recovery.to_string(),
            ),
            ("looks at the final name", self.looks.to_string()),
            ("bytes compared", self.bytes_compared.to_string()),
            ("bytes lost", self.bytes_lost.to_string()),
            ("duplicates seen", self.duplicates.to_string()),
            ("temporaries left for clean", self.temporaries.to_string()),
            ("sources left, and said so", self.not_deleted.to_string()),
            (
                "wall time",
                format!("{:.0} s", self.wall_time.as_secs_f64()),
            ),
            ("seed", self.seed.to_string()),
        ]
    }

    /// A table for the documentation.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = "| | |\n|---|---:|\n".to_owned();
        for (name, value) in self.rows() {
            text += &format!("| {name} | {value} |\n");
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.rows() {
            writeln!(f, "{name:<32} {value}")?;
        }
        Ok(())
    }
}
