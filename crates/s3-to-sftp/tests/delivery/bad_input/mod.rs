//! What bad input gets: a test per row, named after it. Rows about the process are tested with it,
//! in `s3-to-sftp-lambda`.

mod at_once;
mod broken_link;
mod channels;
mod choices;
mod connection;
mod hops;
mod host_keys;
mod kept;
mod lies;
mod login;
mod odd_store;
pub(crate) mod private_key;
mod relay;
mod remote_path;
mod restart;
mod round_trips;
mod server;
mod source;

use std::sync::Arc;

use s3_to_sftp::receipt::Outcome;
use testkit::sftp::{Builder, SftpServer};

use crate::world::World;

/// An embedded server, and a world with it.
pub(crate) async fn world() -> (World, Arc<SftpServer>) {
    with(SftpServer::builder()).await
}

pub(crate) async fn with(builder: Builder) -> (World, Arc<SftpServer>) {
    let server = Arc::new(builder.start().await);
    (
        World::new(server.account(), Arc::clone(&server)).await,
        server,
    )
}

/// Delivers `f` by settings with `extra`, and gives the name and the report of the failure. The
/// source has to be kept, and nothing to be left on the server.
pub(crate) async fn failure(world: &World, extra: &[(&str, &str)]) -> (&'static str, String) {
    if !world.has_source("f") {
        world.put("f", "content");
    }
    let outcome = world.deliver_by(&world.deliverer(extra), "f").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(world.has_source("f"), "the source is kept");
    world.assert_only(&[]);
    let report = error.report();
    assert!(
        report.contains("s3://inbox/f"),
        "the object is named: {report}"
    );
    (error.name(), report)
}
