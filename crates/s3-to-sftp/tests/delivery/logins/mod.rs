//! Who gets in, and by which algorithms, on servers that we did not write. `docs/authentication.md` has a table of these.

mod algorithms;
mod asyncssh;
mod openssh;
mod others;
mod rekeying;

use s3_to_sftp::receipt::Outcome;
use testkit::payload;

use crate::world::World;

/// What is set, and where the key lies.
pub(crate) const BY_KEY: &[(&str, &str)] =
    &[("SSH_PRIVATE_KEY", "secrets:key"), ("SSH_PASSWORD", "")];
pub(crate) const BY_PASSWORD: &[(&str, &str)] = &[];
pub(crate) const BY_BOTH: &[(&str, &str)] = &[("SSH_PRIVATE_KEY", "secrets:key")];

/// A file arrives.
pub(crate) async fn delivers(world: &World, extra: &[(&str, &str)]) {
    world.put("f", payload::ramp(100_000));
    let outcome = world.deliver_by(&world.deliverer(extra), "f").await;
    match outcome {
        Outcome::Failed(error) => panic!("{}", error.report()),
        Outcome::Delivered(..) => {}
        other => panic!("{other:?}"),
    }
    assert!(world.file("f") == payload::ramp(100_000), "byte by byte");
}
