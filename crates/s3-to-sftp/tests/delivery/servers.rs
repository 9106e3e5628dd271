//! The promises, against servers that share no code with OpenSSH's, nor with ours. Each module is a column of the table in
//! docs/servers.md, and what its world lacks is told there.

use testkit::servers::Missing;

#[track_caller]
fn there<T>(server: Result<T, Missing>) -> T {
    server.unwrap_or_else(|missing| panic!("{missing}"))
}

/// mod_sftp as it comes: it opens no file that exists.
mod proftpd {
    use testkit::servers::ProFtpd;

    use super::there;
    use crate::world::{Lack, World};

    async fn world() -> World {
        let server = there(ProFtpd::start_with(&[]).await);
        let world = World::new(server.account(), server).await;
        world.lacking(&[Lack::SeveralChannels, Lack::GoingOn, Lack::Reopening])
    }

    crate::promises::promises!(world);
}

mod proftpd_with_allow_overwrite {
    use testkit::servers::ProFtpd;

    use super::there;
    use crate::world::{Lack, World};

    async fn world() -> World {
        let server = there(ProFtpd::start_with(&["AllowOverwrite on"]).await);
        let world = World::new(server.account(), server).await;
        world.lacking(&[Lack::SeveralChannels])
    }

    crate::promises::promises!(world);
}

/// Go's x/crypto and pkg/sftp below rclone's file system, which cuts a file at every OPEN and writes in order only.
mod rclone {
    use testkit::servers::Rclone;

    use super::there;
    use crate::world::{Lack, World};

    async fn world() -> World {
        let server = there(Rclone::start().await);
        let world = World::new(server.account(), server).await;
        world.lacking(&[Lack::SeveralChannels, Lack::GoingOn, Lack::Modes])
    }

    crate::promises::promises!(world);
}

mod asyncssh {
    use testkit::servers::AsyncSsh;
    use testkit::servers::asyncssh::Logins;

    use super::there;
    use crate::world::World;

    async fn world() -> World {
        let server = there(AsyncSsh::start(Logins::default()).await);
        World::new(server.account(), server).await
    }

    crate::promises::promises!(world);
}

/// MiniStack's Transfer Family: a bucket, into which a file is put at CLOSE.
mod transfer {
    use testkit::servers::Transfer;

    use super::there;
    use crate::files::Files;
    use crate::world::{Lack, World};

    async fn world() -> World {
        let server = there(Transfer::start().await);
        let (s3, bucket) = server.bucket();
        let world = World::new(server.account(), server).await;
        let world = world.over(Files::Bucket(s3, bucket));
        world.lacking(&[Lack::SeveralChannels, Lack::Modes, Lack::Cutting])
    }

    crate::promises::promises!(world);
}
