//! What is measured: payloads, round trips, and who takes part.

use crate::payload::Payload;
use crate::tool::Tool;
use crate::tool::Tool::{Function, Lftp, LftpTuned, Python, Rclone, RcloneTuned, Sftp};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What the README's deployment gives to the function.
const MEMORY: u32 = 512;
/// The least that Lambda gives.
const LEAST_MEMORY: u32 = 128;

/// How a measured run of the function begins. Other programs always begin with their exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the process's exec.
    Cold,
    /// With the event, after the process has delivered another one.
    Warm,
    /// With exec, and it ends with the first call of the Runtime API: no event at all.
    Poll,
    /// With the first event of a process that has polled, and it ends with the first byte to the SSH server: nothing
    /// is delivered.
    FirstByte,
}

/// One line of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// As in the raw figures and behind `--only`.
    pub name: &'static str,
    /// The delay of the line to the SFTP server; S3 is never delayed.
    pub rtt_ms: u64,
    /// See there.
    pub start: Start,
    /// What the function is told that it has.
    pub memory_mib: u32,
    /// Who takes part, and with what: slow ones get less, and are compared by the byte or the file.
    pub entries: Vec<(Tool, Payload)>,
    /// Cheap runs are repeated more often, whatever was asked for.
    pub least_rounds: u32,
    /// Whether files arrive in memory: a disk is slower after it has taken much, and for each file that it syncs.
    pub in_memory: bool,
}

impl Workload {
    fn new(name: &'static str, rtt_ms: u64, entries: &[(Tool, Payload)]) -> Self {
        Self {
            name,
            rtt_ms,
            start: Start::Warm,
            memory_mib: MEMORY,
            entries: entries.to_vec(),
            least_rounds: 1,
            in_memory: false,
        }
    }

    /// The function alone.
    fn alone(name: &'static str, rtt_ms: u64, payload: Payload) -> Self {
        Self::new(name, rtt_ms, &[(Function, payload)])
    }

    /// One file, for everybody; Python's is smaller.
    fn one_file(name: &'static str, rtt_ms: u64, bytes: u64, least: u64) -> Self {
        let whole = Payload::one(bytes);
        let mut entries: Vec<_> = [Function, Sftp, Rclone, RcloneTuned, Lftp, LftpTuned]
            .map(|tool| (tool, whole))
            .into();
        entries.push((Python, Payload::one(least)));
        Self::new(name, rtt_ms, &entries)
    }

    /// Many files; those that take them one after the other get fewer where each costs round trips.
    fn many_files(name: &'static str, rtt_ms: u64, files: u64, fewer: u64) -> Self {
        let some = |files| Payload::many(files, 10 * KIB);
        Self::new(
            name,
            rtt_ms,
            &[
                (Function, some(files)),
                (Sftp, some(fewer)),
                (Rclone, some(files)),
                (RcloneTuned, some(files)),
                (Lftp, some(fewer)),
                (LftpTuned, some(files)),
                (Python, some(fewer)),
            ],
        )
    }

    fn starting(self, start: Start) -> Self {
        Self { start, ..self }
    }

    fn with_memory(self, memory_mib: u32) -> Self {
        Self { memory_mib, ..self }
    }

    fn in_memory(self) -> Self {
        Self {
            in_memory: true,
            ..self
        }
    }

    fn at_least(self, least_rounds: u32) -> Self {
        Self {
            least_rounds,
            ..self
        }
    }

    /// The most bytes that one of them moves.
    #[must_use]
    pub fn largest(&self) -> u64 {
        let totals = self.entries.iter().map(|(_, payload)| payload.total());
        totals.max().unwrap_or_default()
    }
}

/// All of them. Quick ones show that everything runs, and are too small to judge anybody by.
#[must_use]
pub fn plan(quick: bool) -> Vec<Workload> {
    let sized = |whole: u64, small: u64| if quick { small } else { whole };
    let large = sized(GIB, 64 * MIB);
    let medium = sized(256 * MIB, 16 * MIB);
    let pythons = sized(8 * MIB, MIB);
    let files = sized(500, 20);
    let starts = if quick { 3 } else { 20 };
    let short = if quick { 1 } else { 5 };
    let single = Payload::one(10 * KIB);
    let singles = [Function, Sftp, Rclone, Lftp, Python].map(|tool| (tool, single));
    let growing = |name, payload| Workload::alone(name, 0, payload).in_memory();
    let grown = |name, whole, small| growing(name, Payload::one(sized(whole, small)));
    let more = |name, whole, small| growing(name, Payload::many(sized(whole, small), 10 * KIB));
    vec![
        Workload::alone("start", 0, Payload::NONE)
            .starting(Start::Poll)
            .at_least(starts),
        Workload::alone("first-byte", 0, single)
            .starting(Start::FirstByte)
            .at_least(starts),
        Workload::one_file("large-0ms", 0, large, pythons),
        Workload::one_file("medium-0ms", 0, medium, pythons),
        Workload::one_file("medium-20ms", 20, medium, pythons),
        Workload::one_file("medium-50ms", 50, medium, pythons),
        Workload::one_file("medium-100ms", 100, medium, pythons),
        Workload::one_file("large-100ms", 100, large, pythons),
        Workload::many_files("many-0ms", 0, files, files),
        Workload::many_files("many-50ms", 50, files, sized(50, 10)),
        Workload::new("single-cold-50ms", 50, &singles)
            .starting(Start::Cold)
            .at_least(short),
        Workload::new("single-warm-50ms", 50, &singles[..1]).at_least(short),
        Workload::alone("least-memory-0ms", 0, Payload::one(large)).with_memory(LEAST_MEMORY),
        Workload::alone("least-memory-100ms", 100, Payload::one(medium)).with_memory(LEAST_MEMORY),
        grown("growth-bytes-1", 256 * MIB, 8 * MIB).at_least(if quick { 1 } else { 9 }),
        grown("growth-bytes-2", GIB, 16 * MIB).at_least(short),
        grown("growth-bytes-3", 4 * GIB, 32 * MIB),
        grown("growth-bytes-4", 8 * GIB, 64 * MIB),
        more("growth-files-1", 100, 5),
        more("growth-files-2", 500, 10),
        more("growth-files-3", 2000, 20),
        more("growth-files-4", 5000, 40),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_workloads_apart() {
        for quick in [false, true] {
            let mut names: Vec<_> = plan(quick).iter().map(|workload| workload.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }

    #[test]
    fn a_quick_plan_is_small() {
        let most = plan(true).iter().map(Workload::largest).max();
        assert!(most <= Some(64 * MIB));
    }
}
