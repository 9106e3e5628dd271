//! Lines for people, and bars below them where standard error is a terminal.

mod forgiving;

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use s3_to_sftp::journal::{Entry, Journal, Log};
use s3_to_sftp::object::ObjectName;
use tracing_subscriber::fmt::MakeWriter;

/// All bars. It draws nothing where standard error is no terminal.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(forgiving::target()));

/// How often a bar is drawn at least, so that it shows when nothing moves.
const TICK: Duration = Duration::from_millis(250);

/// Writes a line to standard output, above the bars.
///
/// # Errors
///
/// Whoever read it has gone.
pub(crate) fn print(line: &str) -> io::Result<()> {
    BARS.suspend(|| writeln!(io::stdout(), "{line}"))
}

/// Standard error, above the bars.
pub(crate) struct AboveBars;

impl MakeWriter<'_> for AboveBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

impl Write for AboveBars {
    /// The subscriber writes whole lines. A terminal that has disappeared is no error: the subscriber would complain of it
    /// there, and panic.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        _ = BARS.suspend(|| io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The log, and a bar for each object that is on its way.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<HashMap<ObjectName, ProgressBar>>);

impl Journal for Progress {
    fn write(&self, entry: &Entry<'_>) {
        if let Some(name) = entry.object() {
            let bar = self.bars().remove(name);
            if let Some(bar) = bar {
                bar.finish_and_clear();
                BARS.remove(&bar);
            }
        }
        Log.write(entry);
    }

    fn moved(&self, name: &ObjectName, bytes: u64, of: u64) {
        let mut bars = self.bars();
        let bar = bars.entry(name.clone()).or_insert_with(|| {
            let bar = BARS.add(ProgressBar::new(of).with_style(style()));
            bar.set_message(name.to_string());
            // What an earlier attempt has sent is no speed of this one.
            bar.set_position(bytes);
            bar.reset_eta();
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_length(of);
        bar.set_position(bytes);
    }
}

impl Progress {
    fn bars(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectName, ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without colours: there is nothing that they would tell.
fn style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{wide_msg} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} [{bar:20}]",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}
