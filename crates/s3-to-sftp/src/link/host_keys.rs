//! Which server is trusted: as it is set, or fetched for each connection that is made, so that a change holds at once.

use tokio::time::timeout;

use crate::error::Cause;
use crate::settings::{Settings, TrustedHostKeys};
use crate::source::{S3, SourceError};
use crate::ssh::host_key::Pinned;

/// None trusts any.
pub(super) async fn fetch(settings: &Settings, s3: &S3) -> Result<Option<Pinned>, Cause> {
    let name = match &settings.host_keys {
        None => return Ok(None),
        Some(TrustedHostKeys::Pinned(pinned)) => return Ok(Some(pinned.clone())),
        Some(TrustedHostKeys::At(name)) => name,
    };
    // In a box, as it is seldom needed: the future of a delivery holds this one.
    let text = timeout(settings.stall_timeout, Box::pin(s3.read_small(name)))
        .await
        .unwrap_or_else(|elapsed| Err(SourceError::Other(elapsed.into())))
        .map_err(|source| Cause::HostKeysUnavailable {
            name: name.clone(),
            source,
        })?;
    Pinned::read(text.expose(), &settings.host, settings.port)
        .map(Some)
        .map_err(|source| Cause::HostKeysUnusable {
            name: name.clone(),
            source: Box::new(source),
        })
}
