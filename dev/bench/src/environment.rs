//! The machine and the versions that figures are of.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

/// The row that says why the bars are not for these figures.
const NOT_JUDGED: &str = "not judged";
const COMMIT: &str = "s3-to-sftp";
const PACKAGE: &str = "package.zip";

/// Names and values, in the order of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Asks this machine. Bars are not for figures of everything: `not_judged` says why.
    #[must_use]
    pub fn of_this_machine(
        not_judged: Option<String>,
        package: Option<&Path>,
        python: Option<&Path>,
    ) -> Self {
        let cores = available_parallelism().map_or(0, usize::from);
        let mut rows = vec![
            ("date", said("date", &["-u", "+%Y-%m-%d"])),
            ("processor", field("/proc/cpuinfo", "model name")),
            ("cores", cores.to_string()),
            ("memory", field("/proc/meminfo", "MemTotal")),
            ("kernel", file("/proc/sys/kernel/osrelease")),
            ("load average before", load()),
            (COMMIT, commit()),
            ("OpenSSH", said("ssh", &["-V"])),
            ("rclone", said("rclone", &["version"])),
            ("lftp", said("lftp", &["--version"])),
            ("Python", python.map_or_else(String::new, python_versions)),
        ];
        if let Some(size) = package.and_then(|path| fs::metadata(path).ok()) {
            rows.push((PACKAGE, format!("{} bytes", size.len())));
        }
        rows.extend(not_judged.map(|why| (NOT_JUDGED, why)));
        Self(
            rows.into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// What an earlier call has left in a file.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        Ok(Self(
            text.lines()
                .filter_map(|line| line.split_once(','))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        ))
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// What the disk answers.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let lines = self
            .0
            .iter()
            .map(|(name, value)| format!("{name},{value}\n"));
        fs::write(path, lines.collect::<String>())
    }

    /// For a table.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Why nothing is judged by these figures, where that is so.
    #[must_use]
    pub fn not_judged(&self) -> Option<&str> {
        self.value(NOT_JUDGED)
    }

    /// What of this repository is measured.
    #[must_use]
    pub fn commit(&self) -> &str {
        self.value(COMMIT).unwrap_or("unknown")
    }

    /// Of `package.zip`, in bytes.
    #[must_use]
    pub fn package_size(&self) -> Option<u64> {
        let (bytes, _) = self.value(PACKAGE)?.split_once(' ')?;
        bytes.parse().ok()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.rows()
            .find_map(|(row, value)| (row == name).then_some(value))
    }
}

fn commit() -> String {
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    // Not the figures themselves, which change with each call.
    let changes = "status --porcelain --untracked-files=no -- . :!bench/results";
    let changes: Vec<_> = changes.split(' ').collect();
    match said("git", &changes).as_str() {
        "" => commit,
        _ => format!("{commit}-changed"),
    }
}

fn python_versions(python: &Path) -> String {
    let versions = "import sys, boto3, paramiko; \
                    print(sys.version.split()[0], 'boto3', boto3.__version__, 'paramiko', paramiko.__version__)";
    said(&python.to_string_lossy(), &["-c", versions])
}

/// The first line of what a program says, on whichever output; empty where there is no such program.
fn said(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        return String::new();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next().unwrap_or_default();
    // lftp has its authors on that line.
    line.split(" | Copyright").next().unwrap_or(line).to_owned()
}

fn file(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

fn field(path: &str, name: &str) -> String {
    file(path)
        .lines()
        .find_map(|line| line.split_once(':').filter(|(it, _)| it.trim() == name))
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

fn load() -> String {
    let load = file("/proc/loadavg");
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("environment.csv");
        let written = Environment(vec![
            ("OpenSSH".into(), "OpenSSH_9.2p1, OpenSSL 3.0".into()),
            (PACKAGE.into(), "6040000 bytes".into()),
            (NOT_JUDGED.into(), "small".into()),
        ]);
        written.write(&path).expect("written");
        let read = Environment::read(&path).expect("read");
        assert_eq!(read, written);
        assert_eq!(read.package_size(), Some(6_040_000));
        assert_eq!(read.not_judged(), Some("small"));
        assert_eq!(read.commit(), "unknown");
    }
}
