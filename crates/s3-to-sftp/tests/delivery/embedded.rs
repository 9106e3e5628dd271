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

/// No STAT, LSTAT or FSTAT: acknowledgements count.
mod tells_nothing_of_files {
    use testkit::sftp::{Action, Operation, SftpServer, status};

    use crate::world::{Lack, World};

    async fn world() -> World {
        let tells_nothing = |request: &testkit::sftp::Request| match request.operation {
            Operation::Stat | Operation::Lstat | Operation::Fstat => {
                Action::refuse(status::OP_UNSUPPORTED)
            }
            _ => Action::Pass,
        };
        let server = SftpServer::builder().hook(tells_nothing).start().await;
        let world = World::new(server.account(), server).await;
        world.lacking(&[Lack::SeveralChannels, Lack::GoingOn, Lack::Telling])
    }

    crate::promises::promises!(world);
}

/// No SETSTAT and FSETSTAT, no REALPATH, no directory that may be listed, and no extension.
mod without_what_can_be_missed {
    use testkit::sftp::{Action, Extensions, Operation, SftpServer, status};

    use crate::world::{Lack, World};

    async fn world() -> World {
        let misses = |request: &testkit::sftp::Request| match request.operation {
            Operation::Setstat
            | Operation::Fsetstat
            | Operation::Realpath
            | Operation::Opendir
            | Operation::Readdir => Action::refuse(status::OP_UNSUPPORTED),
            _ => Action::Pass,
        };
        let server = SftpServer::builder()
            .extensions(Extensions::NONE)
            .hook(misses);
        let server = server.start().await;
        let world = World::new(server.account(), server).await;
        world.lacking(&[Lack::Modes, Lack::Cutting])
    }

    crate::promises::promises!(world);
}

/// Little room for what is on its way, and handles that are no text.
mod tight {
    use testkit::sftp::SftpServer;

    use crate::world::World;

    async fn world() -> World {
        let server = SftpServer::builder().window(64 * 1024).packet_size(4096);
        let server = server.opaque_handles().start().await;
        World::new(server.account(), server).await
    }

    crate::promises::promises!(world);
}

/// Every OPEN for writing cuts the file, whatever the flags: EXCL is no lock.
mod cuts_at_open {
    use testkit::sftp::{Action, Operation, SftpServer, flags};

    use crate::world::{Lack, World};

    async fn world() -> World {
        let cuts = |request: &testkit::sftp::Request| match request.operation {
            Operation::Open if request.flags & flags::WRITE != 0 => {
                Action::OpenWith((request.flags | flags::CREAT | flags::TRUNC) & !flags::EXCL)
            }
            _ => Action::Pass,
        };
        let server = SftpServer::builder().hook(cuts).start().await;
        let world = World::new(server.account(), server).await;
        world.lacking(&[Lack::SeveralChannels, Lack::GoingOn])
    }

    crate::promises::promises!(world);
}

/// A plain RENAME goes over what is there.
mod renames_over {
    use testkit::sftp::{Action, Extensions, Operation, SftpServer};

    use crate::world::World;

    async fn world() -> World {
        let renames_over = |request: &testkit::sftp::Request| match request.operation {
            Operation::Rename => Action::RenameOver,
            _ => Action::Pass,
        };
        let server = SftpServer::builder().extensions(Extensions::NONE);
        let server = server.hook(renames_over).start().await;
        World::new(server.account(), server).await
    }

    crate::promises::promises!(world);
}
