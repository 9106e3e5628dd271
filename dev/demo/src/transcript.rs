//! What is printed. Aligned, with rounded times and the same checksums in every run: the README shows it, and only
//! ports and times differ from there.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use testkit::s3::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};

use crate::delivery::Delivery;
use crate::world::{BUCKET, World};

/// Characters of the column of keys; a longer key pushes its own line only.
const KEY: usize = 36;

/// Lines of the function's log that are shown when something failed.
const LOG_LINES: usize = 12;

/// Prints `text` on standard output. A reader that has seen enough (`make demo | head`) is no panic.
pub(crate) fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}

/// The transcript, line by line.
pub(crate) struct Transcript<Out> {
    out: Out,
}

/// What all deliveries came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) files: usize,
    pub(crate) bytes: usize,
    pub(crate) failed: usize,
    /// Files on the server that nobody uploaded.
    pub(crate) leftovers: usize,
}

impl Total {
    pub(crate) fn count(&mut self, delivery: &Delivery) {
        self.files += 1;
        self.bytes += delivery.bytes;
        self.failed += usize::from(!delivery.problems.is_empty());
    }

    pub(crate) fn is_well(&self) -> bool {
        self.failed == 0 && self.leftovers == 0
    }
}

impl<Out: Write> Transcript<Out> {
    pub(crate) fn new(out: Out) -> Self {
        Self { out }
    }

    pub(crate) fn title(&mut self) -> io::Result<()> {
        writeln!(
            self.out,
            "s3-to-sftp: an upload to S3 arrives on an SFTP server, and the source is deleted.\n\
             All of it runs on this machine, without any account, and ends with this program.\n"
        )?;
        self.out.flush()
    }

    pub(crate) fn started(&mut self, world: &World, took: Duration) -> io::Result<()> {
        let account = world.sftp.account();
        let (host, port, user) = (account.host, account.port, account.username);
        let fingerprint = world.sftp.fingerprint();
        writeln!(
            self.out,
            "S3           {:24} in memory, bucket {BUCKET}\n\
             SFTP server  {:24} user {user}, host key {fingerprint}\n\
             Lambda       {:24} the Runtime API, which hands events to the function\n\
             function     {:24} the executable that is uploaded to AWS; ready in {}\n\
             its log      {}\n",
            world.s3.endpoint(),
            format!("{host}:{port}"),
            world.api.address(),
            from_here(&world.executable),
            seconds(took),
            from_here(&world.log),
        )
    }

    pub(crate) fn heading(&mut self) -> io::Result<()> {
        writeln!(
            self.out,
            "{:KEY$} {:>11} {:>13}   {:19}   source",
            format!("uploaded to s3://{BUCKET}/"),
            "bytes",
            "delivered in",
            "SHA-256, both sides",
        )
    }

    /// The first half of a file's line: it is seen before the file is there.
    pub(crate) fn uploading(&mut self, key: &str, bytes: usize) -> io::Result<()> {
        write!(self.out, "{key:KEY$} {:>11} ", thousands(bytes))?;
        self.out.flush()
    }

    /// The other half, and below it what is wrong.
    pub(crate) fn delivered(&mut self, delivery: &Delivery) -> io::Result<()> {
        let sent = &delivery.sent;
        let (sign, received) = match &delivery.received {
            Some(received) if received == sent => ('=', received.as_str()),
            Some(received) => ('≠', received.as_str()),
            None => ('≠', "nothing"),
        };
        let source = if delivery.gone { "gone" } else { "STILL THERE" };
        let took = seconds(delivery.took);
        writeln!(
            self.out,
            "{took:>13}   {sent} {sign} {received:8}   {source}"
        )?;
        for problem in &delivery.problems {
            writeln!(self.out, "  why: {}", problem.replace('\n', "\n       "))?;
        }
        self.out.flush()
    }

    pub(crate) fn leftovers(&mut self, paths: &[String]) -> io::Result<()> {
        for path in paths {
            writeln!(
                self.out,
                "FAILED: on the server is {path:?}, which nobody uploaded"
            )?;
        }
        Ok(())
    }

    pub(crate) fn summary(&mut self, total: &Total, took: Duration) -> io::Result<()> {
        let Total {
            files,
            bytes,
            failed,
            leftovers,
        } = total;
        if !total.is_well() {
            return writeln!(
                self.out,
                "\nFAILED: {failed} of {files} files; {leftovers} left over on the server."
            );
        }
        writeln!(
            self.out,
            "\n{files} files, {} bytes in {}: every byte compared, every source gone.",
            thousands(*bytes),
            seconds(took)
        )
    }

    /// The end of what the function wrote.
    pub(crate) fn log(&mut self, world: &World) -> io::Result<()> {
        let log = world.function_log();
        writeln!(
            self.out,
            "\nThe last lines of {}:\n{}",
            from_here(&world.log),
            last_lines(&log, LOG_LINES)
        )
    }

    pub(crate) fn next_steps(&mut self) -> io::Result<()> {
        writeln!(
            self.out,
            "\nnext:  make demo ARGS=--stay   the same, then deliver what you upload\n       \
             make package             package.zip, to upload to AWS Lambda"
        )
    }

    pub(crate) fn staying(&mut self, world: &World) -> io::Result<()> {
        let account = world.sftp.account();
        let (host, port, user) = (account.host, account.port, account.username);
        let password = account.password.unwrap_or_default();
        let endpoint = world.s3.endpoint();
        writeln!(
            self.out,
            "\nStaying until Ctrl-C. Upload a file, and look at it on the server (password: {password}):\n\n\
             AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} \
             aws --endpoint-url {endpoint} s3 cp FILE s3://{BUCKET}/\n\
             sftp -P {port} {user}@{host}\n\n\
             Without the AWS CLI:\n\
             curl --aws-sigv4 aws:amz:{REGION}:s3 --user {ACCESS_KEY_ID}:{SECRET_ACCESS_KEY} \
             -H x-amz-content-sha256:UNSIGNED-PAYLOAD -T FILE {endpoint}/{BUCKET}/\n"
        )?;
        self.out.flush()
    }

    pub(crate) fn ended(&mut self, total: &Total) -> io::Result<()> {
        let (files, delivered) = (total.files, total.files - total.failed);
        writeln!(
            self.out,
            "\nended: {delivered} of {files} uploads delivered."
        )
    }
}

/// A path as one would type it in this directory.
fn from_here(path: &Path) -> String {
    let here = env::current_dir().and_then(|here| here.canonicalize());
    let relative = here.ok().and_then(|here| path.strip_prefix(here).ok());
    relative.unwrap_or(path).display().to_string()
}

/// Rounded to tenths: the figure is to be felt, not compared.
fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths == 0 {
        return "< 0.1 s".into();
    }
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// `1,234,567`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl FnOnce(&mut Transcript<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut Transcript::new(&mut out)).expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    fn delivery(received: Option<&str>, gone: bool, problems: &[&str]) -> Delivery {
        Delivery {
            bytes: 12,
            took: Duration::from_millis(149),
            sent: "ba7816bf".into(),
            received: received.map(Into::into),
            gone,
            problems: problems.iter().map(|&problem| problem.into()).collect(),
        }
    }

    #[test]
    fn the_columns_are_aligned() {
        let text = printed(|transcript| {
            transcript.heading()?;
            transcript.uploading("Müller.pdf", 12)?;
            transcript.delivered(&delivery(Some("ba7816bf"), true, &[]))
        });
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        let [heading, line] = &lines[..] else {
            panic!("{text}");
        };
        let start = |line: &[char], wanted: &str| {
            let wanted: Vec<char> = wanted.chars().collect();
            line.windows(wanted.len()).position(|part| part == wanted)
        };
        let end = |line: &[char], wanted: &str| Some(start(line, wanted)? + wanted.chars().count());
        assert_eq!(end(heading, "bytes"), end(line, " 12"), "{text}");
        assert_eq!(end(heading, "delivered in"), end(line, "0.1 s"), "{text}");
        assert_eq!(start(heading, "SHA-256"), start(line, "ba7816bf"), "{text}");
        assert_eq!(start(heading, "source"), start(line, "gone"), "{text}");
    }

    #[test]
    fn what_differs_is_printed() {
        let lost = delivery(None, false, &["there is no such file\non the server"]);
        let text = printed(|transcript| transcript.delivered(&lost));
        assert!(text.contains("ba7816bf ≠ nothing "), "{text}");
        assert!(text.contains("STILL THERE\n  why: there is no such file\n       on the server\n"));
        let other = delivery(Some("e3b0c442"), true, &["differs from byte 0 on"]);
        let text = printed(|transcript| transcript.delivered(&other));
        assert!(
            text.contains("ba7816bf ≠ e3b0c442   gone\n  why: differs"),
            "{text}"
        );
    }

    #[test]
    fn the_summary_counts_failures() {
        let mut total = Total::default();
        total.count(&delivery(Some("ba7816bf"), true, &[]));
        let text = printed(|transcript| transcript.summary(&total, Duration::from_secs(1)));
        assert_eq!(
            text,
            "\n1 files, 12 bytes in 1.0 s: every byte compared, every source gone.\n"
        );
        total.count(&delivery(
            None,
            true,
            &["there is no such file on the server"],
        ));
        let text = printed(|transcript| transcript.summary(&total, Duration::from_secs(1)));
        assert_eq!(text, "\nFAILED: 1 of 2 files; 0 left over on the server.\n");
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_582_913), "12,582,913");
        assert_eq!(seconds(Duration::from_millis(49)), "< 0.1 s");
        assert_eq!(seconds(Duration::from_millis(50)), "0.1 s");
        assert_eq!(seconds(Duration::from_millis(12_340)), "12.3 s");
    }

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}
