//! Which server is trusted: as it is set, or fetched for each connection that is made, so that a change holds at once.

use super::credentials::{Login, SECRET, Stores};
use crate::error::{Cause, Stage};
use crate::secrets::Version;
use crate::settings::TrustedHostKeys;
use crate::ssh::host_key::Pinned;

const SETTING: &str = "SSH_HOST_KEY";

impl Stores<'_> {
    /// By `SSH_HOST_KEY`; none where it is not set.
    pub(super) async fn host_keys(self) -> Result<Option<Pinned>, (Stage, Cause)> {
        let reference = match &self.settings.host_keys {
            None => return Ok(None),
            Some(TrustedHostKeys::Pinned(pinned)) => return Ok(Some(pinned.clone())),
            Some(TrustedHostKeys::At(reference)) => reference,
        };
        let text = self.fetch(SETTING, reference, Version::Current).await?;
        self.read(text.expose(), reference.to_string()).map(Some)
    }

    /// By the secret that the login is from; none where it tells none, and any server is trusted.
    pub(super) fn host_keys_of(self, login: &Login) -> Result<Option<Pinned>, (Stage, Cause)> {
        let Some(text) = &login.host_key else {
            return Ok(None);
        };
        self.read(text.expose(), format!("in {SECRET}")).map(Some)
    }

    fn read(self, text: &str, place: String) -> Result<Pinned, (Stage, Cause)> {
        Pinned::read(text, &self.settings.host, self.settings.port)
            .map_err(Box::new)
            .map_err(|source| (Stage::HostKeys, Cause::HostKeysUnusable { place, source }))
    }
}
