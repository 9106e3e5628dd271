//! What the servers spend while a client works, and how often they are connected to.

use std::time::Duration;

use crate::world::World;

/// The servers' state before.
pub(crate) struct Meter(Reading);

/// What they spent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) s3_cpu: Duration,
    pub(crate) server_cpu: Duration,
    pub(crate) connections: u64,
}

impl Meter {
    pub(crate) fn begin(world: &World) -> Result<Self, String> {
        read(world).map(Self)
    }

    pub(crate) fn end(self, world: &World) -> Result<Reading, String> {
        let now = read(world)?;
        Ok(Reading {
            s3_cpu: now.s3_cpu.saturating_sub(self.0.s3_cpu),
            server_cpu: now.server_cpu.saturating_sub(self.0.server_cpu),
            connections: now.connections.saturating_sub(self.0.connections),
        })
    }
}

fn read(world: &World) -> Result<Reading, String> {
    Ok(Reading {
        // First: it waits until all have hung up.
        server_cpu: world.server_cpu()?,
        s3_cpu: world.s3.cpu(),
        connections: world.connections(),
    })
}
