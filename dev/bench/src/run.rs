//! Runs workloads, round after round and one program after the other, and keeps what each took.

use std::path::Path;
use std::time::Instant;

use crate::errand::Errand;
use crate::memory::Occupied;
use crate::meter::Meter;
use crate::payload::Payload;
use crate::record::{Record, Records};
use crate::tool::Tool;
use crate::workload::{Start, Workload};
use crate::world::World;
use crate::{arrival, clients, function, spent};

/// One run of the plan.
struct Run<'a> {
    workload: &'a Workload,
    tool: Tool,
    payload: Payload,
    round: u32,
}

/// Runs one workload. What is measured is on disk as soon as it is.
pub(crate) async fn workload(
    world: &mut World,
    workload: &Workload,
    options: &crate::Options,
    commit: &str,
    raw: &Path,
    say: &mut impl FnMut(&str),
) -> Result<(), String> {
    world.has_room(workload.largest())?;
    let mut records = Records::read(raw).map_err(|error| format!("{}: {error}", raw.display()))?;
    for round in 1..=options.rounds.max(workload.least_rounds) {
        for &(tool, payload) in &workload.entries {
            if options.tool.is_some_and(|only| only != tool) {
                continue;
            }
            let run = Run {
                workload,
                tool,
                payload,
                round,
            };
            let begun = Instant::now();
            let record = carry_out(world, &run, commit)
                .await
                .map_err(|error| format!("{} by {tool}: {error}", workload.name))?;
            say(&format!(
                "{:<18} {tool:<12} round {round}  {:<14} {:>8.3} s  {:>6.2} CPU s  {:>4} MiB  (all in all {:.0} s)",
                workload.name,
                payload.to_string(),
                record.wall,
                record.cpu,
                record.peak >> 20,
                begun.elapsed().as_secs_f64(),
            ));
            records.add(record);
            records
                .write(raw)
                .map_err(|error| format!("{}: {error}", raw.display()))?;
        }
    }
    world.forget_local()
}

async fn carry_out(world: &mut World, run: &Run<'_>, commit: &str) -> Result<Record, String> {
    let Run {
        workload,
        tool,
        payload,
        round,
    } = *run;
    // Its bytes take longer to compare than to move.
    let compares = round == 1;
    let errand = Errand {
        payload,
        start: workload.start,
        memory_mib: workload.memory_mib,
        port: world.port(workload.rtt_ms).await,
        event: world.s3.put(payload)?,
        local: if tool.reads_s3() {
            None
        } else {
            Some(world.local(payload)?)
        },
    };
    // What earlier runs and the local copy have left to be written is nobody's burden.
    rustix::fs::sync();
    let memory = if workload.in_memory {
        Some(Occupied::beside(world.home(), payload.total())?)
    } else {
        None
    };
    let (spent, servers) = match tool {
        Tool::Function => function::deliver(&errand, world).await?,
        _ => {
            let command = clients::command(tool, &errand, world)?;
            let meter = Meter::begin(world)?;
            // Proxies and servers have threads of their own.
            let spent = spent::of_program(command)?;
            (spent, meter.end(world)?)
        }
    };
    if let Some(memory) = memory {
        memory.end()?;
    }
    if matches!(workload.start, Start::Cold | Start::Warm) {
        arrival::check(world.home(), payload, compares)?;
        if tool == Tool::Function && world.s3.count()? > 0 {
            return Err("a source is left".into());
        }
        arrival::clear(world.home())?;
    }
    Ok(Record {
        workload: workload.name.to_owned(),
        tool,
        round,
        payload,
        rtt_ms: workload.rtt_ms,
        memory_mib: workload.memory_mib,
        wall: spent.wall.as_secs_f64(),
        cpu: spent.cpu.as_secs_f64(),
        peak: spent.peak_memory,
        server_cpu: servers.server_cpu.as_secs_f64(),
        s3_cpu: servers.s3_cpu.as_secs_f64(),
        connections: servers.connections,
        compared: compares || !payload.is_ramp(),
        commit: commit.to_owned(),
    })
}
