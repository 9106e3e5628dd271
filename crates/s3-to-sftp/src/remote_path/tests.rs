#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

mod directory;
mod prefix;
mod rules;
mod templates;
mod temporaries;

use time::macros::datetime;

use super::*;
use crate::object::ObjectName;

pub(super) fn object(key: &str) -> ObjectVersion {
    ObjectVersion {
        name: ObjectName {
            bucket: "acme".to_owned(),
            key: key.to_owned(),
        },
        etag: "\"9b2cf535f27731c974343645a3985328\"".to_owned(),
        version_id: None,
        size: 1,
        last_modified: datetime!(2026-11-22 23:05:09 -10),
    }
}

fn resolve(
    template: &str,
    strip: Option<&str>,
    dir: Option<&str>,
    key: &str,
) -> Result<RemotePath, PathRefused> {
    RemotePath::resolve(
        &FilenameTemplate::parse(template).unwrap(),
        strip,
        dir,
        &object(key),
    )
}

fn full(template: &str, key: &str) -> String {
    resolve(template, None, Some("in"), key)
        .unwrap()
        .full()
        .to_owned()
}

fn refused(dir: Option<&str>, key: &str) -> Option<PathRule> {
    resolve("{key}", None, dir, key)
        .err()
        .map(|error| error.rule())
}
