//! What may be done in S3: list, read, and dispose of what is delivered.

use std::fmt;
use std::str::FromStr;

use super::{Check, Step};
use crate::error::{Cause, Stage};
use crate::object::ObjectName;
use crate::settings::AfterDelivery;
use crate::source::{Found, Listed, directory};

/// `s3://BUCKET/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with; empty is all of it.
    pub prefix: String,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// What is expected in place of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected s3://BUCKET/PREFIX")]
pub struct NoPrefix;

impl FromStr for Prefix {
    type Err = NoPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("s3://").ok_or(NoPrefix)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(NoPrefix);
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl<F: FnMut(Step)> Check<'_, F> {
    /// Each of them by itself: whatever fails, the others are asked for too.
    pub(super) async fn bucket(&mut self, prefix: &Prefix) {
        let listed = self.list(prefix).await;
        self.read(prefix, listed.as_deref()).await;
        self.dispose(prefix, listed.as_deref().unwrap_or_default())
            .await;
    }

    /// What lies there; none where S3 did not tell.
    async fn list(&mut self, prefix: &Prefix) -> Option<Vec<Listed>> {
        match self.s3.list(&prefix.bucket, &prefix.prefix, None).await {
            Ok(page) => {
                let count = match (page.objects.len(), &page.next) {
                    (1, None) => "1 object".to_owned(),
                    (count, None) => format!("{count} objects"),
                    (count, Some(_)) => format!("{count} objects and more"),
                };
                self.ok("list", format!("{count} below {prefix}"));
                Some(page.objects)
            }
            Err(error) => {
                let cause = Cause::Listing(prefix.to_string(), error);
                self.fail("list", (Stage::OpenSource, cause));
                None
            }
        }
    }

    async fn read(&mut self, prefix: &Prefix, listed: Option<&[Listed]>) {
        let Some(listed) = listed else {
            self.ok("read", "not tried, for nothing can be listed".to_owned());
            return;
        };
        let settings = self.settings;
        let name = |object: &Listed| ObjectName {
            bucket: prefix.bucket.clone(),
            key: object.key.clone(),
        };
        let is_delivered = |name: &ObjectName| {
            settings.names(name).is_none()
                && settings.skip(name).is_none()
                && !name.key.ends_with('/')
        };
        let Some(name) = listed.iter().map(name).find(is_delivered) else {
            // A permission cannot be told without an object.
            self.ok("read", "nothing lies there to try it with".to_owned());
            return;
        };
        match self.s3.open(&name).await {
            Ok(Found::Object(version, _)) => {
                self.ok("read", format!("{name}, {} bytes", version.size));
            }
            Ok(Found::Nothing) => self.ok("read", format!("{name} is gone meanwhile")),
            Err(error) => {
                self.fail("read", (Stage::OpenSource, Cause::Source(error)));
            }
        }
    }

    async fn dispose(&mut self, prefix: &Prefix, listed: &[Listed]) {
        let after = &self.settings.after_delivery;
        if *after == AfterDelivery::Keep {
            self.ok("delete", "S3_AFTER_DELIVERY=keep: sources stay".to_owned());
            return;
        }
        let key = listed.first().map_or(prefix.prefix.as_str(), |it| &it.key);
        let name = ObjectName {
            bucket: prefix.bucket.clone(),
            key: key.to_owned(),
        };
        let beginning = directory(key);
        let nonce = &self.options.nonce;
        match self.s3.may_dispose(&name, beginning, after, nonce).await {
            Ok(()) => {
                let done = match after {
                    AfterDelivery::Move(_) => "moved into the archive",
                    _ => "deleted",
                };
                self.ok("delete", format!("sources may be {done}"));
            }
            Err(error) if error.is_disposal_denied() => {
                self.fail("delete", (Stage::Dispose, Cause::Source(error)));
            }
            // As where nothing lies there yet: S3 did not say.
            Err(error) => self.ok("delete", format!("S3 did not tell: {error}")),
        }
    }
}
