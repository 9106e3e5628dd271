//! A server that compares what is written in place of storing it.

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use testkit::payload::ramp_at;
use testkit::sftp::{SftpServer, Written};

use crate::{Client, client};

const CHUNK: u32 = 32 * 1024;

async fn world() -> (SftpServer, Client, String) {
    let server = SftpServer::builder().verify_ramp().start().await;
    let client = client(&server).await;
    let flags = OpenFlags::WRITE | OpenFlags::READ | OpenFlags::CREATE;
    let handle = client.open("f", flags).await.expect("opened");
    (server, client, handle)
}

impl Client {
    /// Writes the chunk of the ramp that begins at `offset`, or one that is off by `shift`.
    async fn ramp(&self, handle: &str, offset: u64, shift: u64) {
        let data = ramp_at(offset + shift, CHUNK as usize).to_vec();
        self.sftp
            .write(handle, offset, data)
            .await
            .expect("written");
    }
}

fn written(size: u64, wrong: Option<u64>, missing: Option<u64>) -> Option<Written> {
    Some(Written {
        size,
        wrong,
        missing,
    })
}

#[tokio::test]
async fn what_is_written_in_whatever_order_is_compared_and_takes_no_room() {
    use std::os::unix::fs::MetadataExt;

    let (server, client, handle) = world().await;
    let chunk = u64::from(CHUNK);
    for number in [1, 0, 3] {
        client.ramp(&handle, number * chunk, 0).await;
    }
    assert_eq!(
        server.written("f"),
        written(4 * chunk, None, Some(2 * chunk))
    );
    client.ramp(&handle, 2 * chunk, 0).await;
    let far = 20 << 30;
    client.ramp(&handle, far, 0).await;
    assert_eq!(
        server.written("f"),
        written(far + chunk, None, Some(4 * chunk))
    );
    let metadata = std::fs::metadata(server.home().join("f")).expect("there");
    assert_eq!((metadata.len(), metadata.blocks()), (far + chunk, 0));

    client
        .sftp
        .fsetstat(
            &handle,
            FileAttributes {
                size: Some(4 * chunk),
                ..FileAttributes::empty()
            },
        )
        .await
        .expect("cut");
    assert!(server.written("f").expect("there").is_ramp(4 * chunk));
    assert!(!server.written("f").expect("there").is_ramp(4 * chunk + 1));
    let read = client.sftp.read(&handle, 1000, 5000).await.expect("read");
    assert!(read.data == ramp_at(1000, 5000));
}

#[tokio::test]
async fn what_is_not_the_ramp_is_found_and_what_is_written_over_is_forgotten() {
    let (server, client, handle) = world().await;
    let chunk = u64::from(CHUNK);
    client.ramp(&handle, 0, 0).await;
    client.ramp(&handle, chunk, 1).await;
    assert_eq!(server.written("f"), written(2 * chunk, Some(chunk), None));
    client.ramp(&handle, chunk, 0).await;
    assert!(server.written("f").expect("there").is_ramp(2 * chunk));
    client.ramp(&handle, 0, 250).await;
    assert_eq!(server.written("f"), written(2 * chunk, Some(0), None));
}

#[tokio::test]
async fn a_name_is_nothing_and_a_new_file_begins_anew() {
    let (server, client, handle) = world().await;
    let chunk = u64::from(CHUNK);
    client.ramp(&handle, 0, 0).await;
    client.sftp.close(handle).await.expect("closed");
    client.sftp.rename("f", "g").await.expect("renamed");
    assert_eq!(server.written("f"), None);
    assert!(server.written("g").expect("there").is_ramp(chunk));

    // Emptied, and written again with a hole at its beginning.
    let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE | OpenFlags::CREATE;
    let handle = client.open("g", flags).await.expect("opened");
    assert_eq!(server.written("g"), written(0, None, None));
    client.ramp(&handle, chunk, 0).await;
    assert_eq!(server.written("g"), written(2 * chunk, None, Some(0)));
    client.sftp.remove("g").await.expect("removed");
    assert_eq!(server.written("g"), None);
}
