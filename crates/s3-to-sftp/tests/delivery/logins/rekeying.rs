//! Keys that are exchanged anew in the midst of a large file, over several channels.

use std::sync::Arc;

use bytes::Bytes;
use s3_to_sftp::ssh::{Algorithms, Connection};
use sftp::{Attributes, OpenFlags, Upload};
use testkit::payload;
use testkit::servers::Sshd;

use super::algorithms::target;
use super::{BY_KEY, delivers};
use crate::world::World;

const SIZE: usize = 96 * 1024 * 1024;
const OFTEN: usize = 4 * 1024 * 1024;

/// The server asks for it: `RekeyLimit`.
#[tokio::test]
async fn openssh_exchanges_keys_in_the_midst_of_a_large_file() {
    let server = Sshd::start_with(&["RekeyLimit 4M", "LogLevel DEBUG3"]).await;
    let server = Arc::new(server.unwrap_or_else(|missing| panic!("{missing}")));
    let world = World::new(server.account(), Arc::clone(&server)).await;
    world.put("large", payload::ramp(SIZE));
    let settings = [BY_KEY, &[("SSH_CHANNELS", "4")]].concat();
    let outcome = world.deliver_by(&world.deliverer(&settings), "large").await;
    let receipt = crate::promises::links::delivered(outcome);
    assert_eq!(receipt.channels, 4);
    assert!(world.file("large") == payload::ramp(SIZE), "byte by byte");
    let exchanges = server.logs().matches("SSH2_MSG_NEWKEYS received").count();
    assert!(exchanges > SIZE / OFTEN / 2, "{exchanges}");
    delivers(&world, &settings).await;
}

/// We ask for it: after a GiB, here after 4 MiB.
#[tokio::test]
async fn we_exchange_keys_in_the_midst_of_a_large_file() {
    let server = Sshd::start().await;
    let server = server.unwrap_or_else(|missing| panic!("{missing}"));
    let account = server.account();
    let (mut target, credentials) = target(&account, Algorithms::default());
    target.rekey_after = OFTEN;
    let connection = Connection::open(&target, &credentials, None).await;
    let connection = connection.unwrap_or_else(|error| panic!("{error:?}"));
    let path = format!("{}/large", account.home.display());
    let session = connection.sftp();
    let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREAT;
    let handle = session.open(&path, flags, Attributes::default()).await;
    let handle = handle.expect("opened");
    let mut upload = Upload::new(session, handle.clone()).await;
    let further = connection.further(3).await;
    assert_eq!(further.len(), 3);
    for (index, piece) in payload::ramp(SIZE).chunks(1_000_003).enumerate() {
        if index == 1 {
            upload.widen(further.clone(), &path).await.expect("widened");
        }
        let taken = upload.write(Bytes::copy_from_slice(piece)).await;
        taken.expect("taken");
    }
    upload.drain().await.expect("acknowledged");
    assert!(upload.channels() > 1);
    session.close(&handle).await.expect("closed");
    let difference = payload::first_difference_in_file(&path, SIZE as u64);
    assert_eq!(difference.expect("there"), None);
    let exchanges = connection.negotiated().exchanges as usize;
    assert!(exchanges > SIZE / OFTEN / 2, "{exchanges}");
    assert!(connection.negotiated().is_strict);
    connection.close().await;
}
