//! A file is read back from the server, and its checksum compared with what was read from S3.

use sftp::{Attributes, Handle, OpenFlags, Readback, Session};

use crate::deadline::Deadline;
use crate::error::Cause;
use crate::hand_over::ReadbackState;
use crate::source::{Algorithm, Digest};

/// What a comparison came to.
#[derive(Debug)]
pub(crate) enum Compared {
    Equal,
    /// There was no time for all of it.
    Until(ReadbackState),
}

/// Reads `size` bytes of the file `name`, from where an earlier invocation has stopped, until `stop`, and
/// compares them with `expected`.
pub(crate) async fn read_back(
    session: &Session,
    name: &str,
    size: u64,
    expected: &Digest,
    from: Option<&ReadbackState>,
    stop: &Deadline,
) -> Result<Compared, Cause> {
    let begun = from.filter(|from| from.offset <= size).and_then(|from| {
        Digest::resume(Algorithm::Crc64Nvme, &from.state, from.offset)
            .map(|digest| (from.offset, digest))
    });
    let (offset, mut digest) = begun.unwrap_or_else(|| (0, Digest::crc64nvme()));
    let handle = open(session, name).await?;
    let mut file = Readback::new(session, handle, offset, size).await;
    let finished = stop.within(hash(&mut file, &mut digest)).await;
    let offset = file.offset();
    let closed = session.close(file.handle());
    match finished {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(Cause::sftp(format!("READ of {name}"))(error)),
        Err(_) => {
            // Its answer comes behind those to all READs under way, and there is no time for them.
            drop(closed);
            let state = digest.state();
            return Ok(Compared::Until(ReadbackState { offset, state }));
        }
    }
    // It was read to its end: what the server says to the CLOSE changes nothing.
    _ = closed.await;
    if offset == size && digest.checksum() == expected.checksum() {
        Ok(Compared::Equal)
    } else {
        Err(Cause::Readback {
            name: name.to_owned(),
        })
    }
}

/// The checksum of the first `size` bytes of a file; none where the server does not give them.
pub(crate) async fn file_digest(
    session: &Session,
    name: &str,
    size: u64,
) -> Result<Option<Digest>, Cause> {
    let handle = match open(session, name).await {
        Ok(handle) => handle,
        Err(cause) if cause.is_broken_connection() => return Err(cause),
        Err(_) => return Ok(None),
    };
    let mut digest = Digest::crc64nvme();
    // One byte more than there should be, so that a longer file is not taken for this one.
    let mut file = Readback::new(session, handle, 0, size.saturating_add(1)).await;
    let read = hash(&mut file, &mut digest).await;
    let complete = read.is_ok() && file.offset() == size;
    _ = session.close(file.handle()).await;
    match read {
        Err(error) if error.status().is_none() => {
            Err(Cause::sftp(format!("READ of {name}"))(error))
        }
        _ => Ok(complete.then_some(digest)),
    }
}

async fn hash(file: &mut Readback<'_>, digest: &mut Digest) -> sftp::Result<()> {
    while let Some(bytes) = file.next().await? {
        digest.update(&bytes);
    }
    Ok(())
}

async fn open(session: &Session, name: &str) -> Result<Handle, Cause> {
    session
        .open(name, OpenFlags::READ, Attributes::default())
        .await
        .map_err(Cause::sftp(format!("OPEN of {name} to read it back")))
}
