//! The promises, against OpenSSH's sshd: an implementation that we did not write.

use testkit::servers::Sshd;

use crate::promises::promises;
use crate::world::World;

async fn world() -> World {
    let server = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    World::new(server.account(), server).await
}

promises!(world);
