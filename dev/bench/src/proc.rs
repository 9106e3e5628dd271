//! What Linux tells of a process: time on processors, memory, children.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

/// Time on processors, in user mode and in the kernel's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    /// Its own, threads that have ended included.
    pub(crate) own: Duration,
    /// That of children which ended and were waited for, and of theirs.
    pub(crate) children: Duration,
}

impl Cpu {
    pub(crate) fn total(self) -> Duration {
        self.own + self.children
    }
}

/// Also of a process that has ended and was not waited for yet.
pub(crate) fn cpu(pid: u32) -> Option<Cpu> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let cpu = parse_stat(&stat, clock_ticks_per_second())?;
    Some(Cpu {
        // Ticks are 10 ms, and more than a small file takes. Of threads, nanoseconds are told, but for those that have ended.
        own: cpu.own.max(of_threads(pid)),
        ..cpu
    })
}

fn of_threads(pid: u32) -> Duration {
    let threads = threads(pid).filter_map(|thread| {
        let schedule = fs::read_to_string(thread.join("schedstat")).ok()?;
        let nanoseconds = schedule.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds))
    });
    threads.sum()
}

fn threads(pid: u32) -> impl Iterator<Item = PathBuf> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    threads
        .into_iter()
        .flatten()
        .filter_map(|thread| Some(thread.ok()?.path()))
}

fn parse_stat(stat: &str, ticks_per_second: u64) -> Option<Cpu> {
    // The name is in parentheses and may hold anything. `state` follows, and eleven fields later `utime`.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system, children_user, children_system) = (ticks()?, ticks()?, ticks()?, ticks()?);
    let time = |ticks: u64| Duration::from_millis(ticks * 1000 / ticks_per_second.max(1));
    Some(Cpu {
        own: time(user + system),
        children: time(children_user + children_system),
    })
}

/// The most memory that it ever had resident, in bytes; none of a process that has ended.
pub(crate) fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// A process and all that it has started, as far as they have not ended.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        family.extend(children(member));
        next += 1;
    }
    family
}

fn children(pid: u32) -> Vec<u32> {
    threads(pid)
        .filter_map(|thread| fs::read_to_string(thread.join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_shifts_no_field() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 20 10 20 0 1 0 9 9 9";
        let cpu = parse_stat(stat, 100).expect("a line of stat");
        assert_eq!(cpu.own, Duration::from_secs(2));
        assert_eq!(cpu.children, Duration::from_millis(300));
        assert_eq!(cpu.total(), Duration::from_millis(2300));
    }

    #[test]
    fn this_process_has_memory_and_is_of_its_own_family() {
        let pid = std::process::id();
        assert!(peak_memory(pid).expect("Linux") > 0);
        assert!(family(pid).contains(&pid));
        assert!(cpu(pid).is_some());
    }
}
