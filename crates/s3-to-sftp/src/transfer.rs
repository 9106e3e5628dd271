//! Moves bytes from a source to a destination, in order, and counts them.
//!
//! The two traits are what the engine knows of S3 and of SFTP.

use std::future::Future;

use bytes::Bytes;

/// Where bytes come from.
pub trait Source {
    /// Why they do not.
    type Error;

    /// The next bytes in order; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Self::Error>> + Send;
}

/// Where bytes go.
pub trait Destination {
    /// Why they cannot.
    type Error;

    /// Takes the next bytes in order. Waits while too many are on their way.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// These were all. Whether they have arrived may be left to what follows.
    fn finish_writing(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Which end a transfer failed at.
#[derive(Debug)]
pub enum TransferError<S, D> {
    /// Reading failed.
    Source(S),
    /// Writing failed.
    Destination(D),
}

/// Moves everything, and says how many bytes that were.
///
/// # Errors
///
/// The first failure of either end. What was written so far is the destination's to take back.
pub async fn transfer<S: Source, D: Destination>(
    source: &mut S,
    destination: &mut D,
) -> Result<u64, TransferError<S::Error, D::Error>> {
    let mut moved = 0;
    while let Some(bytes) = source.next().await.map_err(TransferError::Source)? {
        moved += bytes.len() as u64;
        destination
            .write(bytes)
            .await
            .map_err(TransferError::Destination)?;
    }
    destination
        .finish_writing()
        .await
        .map_err(TransferError::Destination)?;
    Ok(moved)
}
