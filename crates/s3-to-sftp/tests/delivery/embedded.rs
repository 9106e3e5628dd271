//! The promises, against the embedded server in each of the ways that servers rename.

mod openssh_like {
    use testkit::sftp::SftpServer;

    use crate::world::World;

    async fn world() -> World {
        let server = SftpServer::start().await;
        World::new(server.account(), server).await
    }

    crate::promises::promises!(world);
}

/// No extension at all: writes of 32 KiB, no fsync, and a rename that fails where the target exists.
mod without_extensions {
    use testkit::sftp::{Extensions, SftpServer};

    use crate::world::World;

    async fn world() -> World {
        let server = SftpServer::builder()
            .extensions(Extensions::NONE)
            .start()
            .await;
        World::new(server.account(), server).await
    }

    crate::promises::promises!(world);
}
