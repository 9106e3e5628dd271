//! The same bytes, from the same S3 to the same server, through this function and through other programs.
//!
//! A run is one program that does one workload once. Programs take turns within a round, so that what disturbs the machine
//! for a while disturbs all of them; everything that arrives is looked at before a run counts.
//!
//! # Layout
//!
//! | module | idea |
//! |---|---|
//! | [`workload`] | the plan: what is moved, over which line, by whom |
//! | [`payload`] | files of one size |
//! | [`tool`] | the programs by name |
//! | `world` | what all share: S3, sshd, lines, files |
//! | `s3_process` | the S3, in a process of its own |
//! | `run` | rounds |
//! | `errand`, `function`, `clients` | one run, by the function or by another program |
//! | `spent`, `meter`, `proc` | what it took: the client, the servers, from Linux |
//! | `arrival` | what lies on the server afterwards |
//! | [`record`] | the raw figures, which several calls add to |
//! | [`environment`] | machine and versions |
//! | [`statistics`] | medians, and ratios within a round |
//! | [`bars`] | what the function has to reach |
//! | [`losses`] | where it is behind |
//! | [`summary`] | Markdown |
//! | [`charts`], [`svg`] | which charts, and how one is drawn |

mod arrival;
pub mod bars;
pub mod charts;
mod clients;
pub mod environment;
mod errand;
mod function;
pub mod losses;
mod memory;
mod meter;
pub mod payload;
mod proc;
pub mod record;
mod run;
mod s3_process;
mod spent;
pub mod statistics;
pub mod summary;
pub mod svg;
pub mod tool;
pub mod workload;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

pub use s3_process::{ARGUMENT as SERVE_S3, serve as serve_s3};

use crate::environment::Environment;
use crate::record::Records;
use crate::tool::Tool;
use crate::workload::Workload;
use crate::world::World;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Small sizes.
    pub quick: bool,
    /// How often.
    pub rounds: u32,
    /// Of the line to the server, from clients to it, in bytes per second; none: no limit.
    pub rate: Option<u64>,
    /// Workloads, or how their names begin; none: all.
    pub only: Vec<String>,
    /// One program alone.
    pub tool: Option<Tool>,
    /// The directory of all that is written.
    pub out: PathBuf,
    /// The function's executable.
    pub bootstrap: PathBuf,
    /// Its zip.
    pub package: Option<PathBuf>,
    /// An interpreter that has what the Python way needs.
    pub python: Option<PathBuf>,
}

/// Runs what was asked for, and renders all figures that are there then.
///
/// # Errors
///
/// A program that fails or delivers something else, a server that is missing, a disk that is full.
pub async fn run(options: &Options, mut say: impl FnMut(&str)) -> Result<(), String> {
    let workloads = chosen(options)?;
    fs::create_dir_all(&options.out).map_err(|error| named(&options.out, &error))?;
    let environment = Environment::of_this_machine(
        not_judged(options),
        options.package.as_deref(),
        options.python.as_deref(),
    );
    let path = options.out.join(ENVIRONMENT);
    environment
        .write(&path)
        .map_err(|error| named(&path, &error))?;
    let raw = options.out.join(RAW);
    for group in workloads.chunk_by(|one, next| one.in_memory == next.in_memory) {
        let in_memory = group.iter().any(|workload| workload.in_memory);
        let mut world = World::start(options, in_memory).await?;
        for workload in group {
            run::workload(
                &mut world,
                workload,
                options,
                environment.commit(),
                &raw,
                &mut say,
            )
            .await?;
        }
    }
    let summary = report(&options.out)?;
    say(&format!("\n{}", summary.display()));
    Ok(())
}

const RAW: &str = "runs.csv";
const ENVIRONMENT: &str = "environment.csv";
const SUMMARY: &str = "summary.md";

/// Renders the summary and the charts of the raw figures in a directory, and answers where the summary is.
///
/// # Errors
///
/// What is missing there, or cannot be written.
pub fn report(out: &Path) -> Result<PathBuf, String> {
    let (raw, environment) = (out.join(RAW), out.join(ENVIRONMENT));
    let records = Records::read(&raw).map_err(|error| named(&raw, &error))?;
    let environment =
        Environment::read(&environment).map_err(|error| named(&environment, &error))?;
    let charts = charts::all(&records);
    for chart in &charts {
        let path = out.join(chart.file);
        fs::write(&path, svg::render(chart)).map_err(|error| named(&path, &error))?;
    }
    let path = out.join(SUMMARY);
    fs::write(&path, summary::markdown(&records, &environment, &charts))
        .map_err(|error| named(&path, &error))?;
    Ok(path)
}

fn not_judged(options: &Options) -> Option<String> {
    let small = options.quick.then(|| "sizes are small".to_owned());
    let slow = options
        .rate
        .map(|rate| format!("the line takes {} a second", payload::size(rate)));
    small.or(slow)
}

fn chosen(options: &Options) -> Result<Vec<Workload>, String> {
    let mut plan = workload::plan(options.quick);
    if let Some(nobody) = options
        .only
        .iter()
        .find(|name| !plan.iter().any(|it| it.name.starts_with(name.as_str())))
    {
        return Err(format!(
            "no workload begins with {nobody}: see `bench list`"
        ));
    }
    plan.retain(|workload| {
        let named = |name: &String| workload.name.starts_with(name.as_str());
        options.only.is_empty() || options.only.iter().any(named)
    });
    Ok(plan)
}

fn named(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
