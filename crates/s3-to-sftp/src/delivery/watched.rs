//! An object's bytes, and whoever watches them pass.

use bytes::Bytes;

use crate::journal::Journal;
use crate::object::ObjectVersion;
use crate::source::{Body, SourceError};
use crate::transfer::Source;

pub(super) struct Watched<'a> {
    pub(super) body: &'a mut Body,
    pub(super) version: &'a ObjectVersion,
    pub(super) journal: &'a dyn Journal,
}

impl Source for Watched<'_> {
    type Error = SourceError;

    async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        let bytes = self.body.next().await?;
        let ObjectVersion { name, size, .. } = self.version;
        self.journal.moved(name, self.body.offset(), *size);
        Ok(bytes)
    }
}
