//! The server's disk says no.

use testkit::payload;
use testkit::sftp::{Action, Operation, disk_full_beyond, every, status};

use super::{failure, world};

#[tokio::test]
async fn permission_denied_on_the_server() {
    for operation in [
        Operation::Open,
        Operation::Write,
        Operation::Fsync,
        Operation::Close,
    ] {
        let (world, server) = world().await;
        server.hook(every(operation, || {
            Action::refuse(status::PERMISSION_DENIED)
        }));
        let (name, report) = failure(&world, &[]).await;
        assert_eq!(name, "PermissionDenied", "{operation:?}");
        assert!(report.contains("SFTP status 3"), "{operation:?}: {report}");
    }
}

#[tokio::test]
async fn permission_denied_for_the_rename() {
    let (world, server) = world().await;
    server.hook(every(Operation::PosixRename, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "PermissionDenied");
    assert!(
        report.contains("SFTP status 3") && report.contains("publishing"),
        "{report}"
    );
}

#[tokio::test]
async fn a_full_disk() {
    let (world, server) = world().await;
    world.put("f", payload::ramp(8 * 1024 * 1024));
    server.hook(disk_full_beyond(5_000_000));
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "SftpFailure");
    assert!(
        report.contains("SFTP status 4") && report.contains("No space left"),
        "{report}"
    );
}
