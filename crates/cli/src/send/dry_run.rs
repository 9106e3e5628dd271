//! What a delivery would do, as far as S3 and the settings tell: a GET whose bytes are not read.

use std::io::{self, Write};

use s3_to_sftp::error::{Cause, Error, Stage};
use s3_to_sftp::event::{Item, Skip};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::object::{ObjectName, ObjectVersion};
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::remote_path::RemotePath;
use s3_to_sftp::source::Found;
use serde_json::json;

use super::record;

#[derive(Debug)]
pub(super) enum Foreseen {
    Delivery(ObjectVersion, RemotePath),
    /// Nothing would be sent.
    Other(Outcome),
}

pub(super) async fn foresee(deliverer: &Deliverer, item: Item) -> Foreseen {
    let name = match item {
        Item::Job(job) => job.name,
        Item::Continued(hand_over) => hand_over.name(),
        Item::Skipped { name, why } => return Foreseen::Other(Outcome::Skipped(name, why)),
        Item::Refused(error) => {
            return failed(Stage::Event, None, Cause::Event(error));
        }
    };
    let settings = deliverer.settings();
    if let Some(own) = settings.names(&name) {
        return failed(Stage::OpenSource, Some(name), Cause::OwnObject(own));
    }
    if let Some(why) = settings.skip(&name) {
        return Foreseen::Other(Outcome::Skipped(Some(name), why));
    }
    let version = match deliverer.s3().open(&name).await {
        Ok(Found::Object(version, _)) => version,
        Ok(Found::Nothing) => return Foreseen::Other(Outcome::Gone(name)),
        Err(error) => return failed(Stage::OpenSource, Some(name), Cause::Source(error)),
    };
    if name.key.ends_with('/') && version.size == 0 {
        return Foreseen::Other(Outcome::Skipped(Some(name), Skip::FolderMarker));
    }
    let path = RemotePath::resolve(
        &settings.filename,
        settings.strip_prefix.as_deref(),
        settings.dir.as_deref(),
        &version,
    );
    match path {
        Ok(path) => Foreseen::Delivery(version, path),
        Err(refused) => failed(Stage::RemotePath, Some(name), Cause::Path(refused)),
    }
}

/// In the log as each failure of a delivery.
fn failed(stage: Stage, object: Option<ObjectName>, cause: Cause) -> Foreseen {
    let error = Error {
        stage,
        object,
        cause,
    };
    tracing::error!(error_type = error.name(), "{}", error.report());
    Foreseen::Other(Outcome::Failed(error))
}

impl Foreseen {
    pub(super) fn print(&self, json: bool) -> io::Result<()> {
        let (version, path) = match self {
            Self::Other(outcome) => return record::print(outcome, json),
            Self::Delivery(version, path) => (version, path.full()),
        };
        let ObjectVersion { name, size, .. } = version;
        if json {
            let record = json!({
                "outcome": "foreseen",
                "bucket": name.bucket,
                "key": name.key,
                "bytes": size,
                "remote_path": path,
            });
            writeln!(io::stdout(), "{record}")
        } else {
            writeln!(
                io::stdout(),
                "would deliver {name} to {path} ({size} bytes)"
            )
        }
    }
}
