//! The settings: one table, read once, all problems reported together.
//!
//! The library never looks at the environment itself; whoever calls it hands in how a name is looked up.

mod after_delivery;
mod algorithms;
mod choice;
mod near_miss;
mod problem;
mod reader;
mod table;
mod value;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use after_delivery::{AfterDelivery, ArchivePrefix};
pub use choice::{Channels, OnConflict, UploadMode, Verify};
pub use problem::{Problem, Problems};
pub use table::{Fallback, Row, Shown, TABLE, describe, markdown};
pub use value::LogLevel;

use crate::object::ObjectName;
use crate::remote_path::{FilenameTemplate, TemporaryTemplate};
use crate::secret::Secret;
use crate::ssh::Algorithms;
use crate::ssh::host_key::HostKeys;
use reader::Reader;

/// What to deliver to, and how. Everything in it has been checked as far as that goes without a connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `SSH_HOST`: a name or an address, IPv6 without brackets.
    pub host: String,
    /// `SSH_PORT`, never 0.
    pub port: u16,
    /// `SSH_USERNAME`.
    pub username: String,
    /// `SSH_PASSWORD`. This, or the key, or both are there.
    pub password: Option<Secret<String>>,
    /// `SSH_PRIVATE_KEY`: where the key lies in S3.
    pub private_key: Option<ObjectName>,
    /// `SSH_DIR`, without trailing slashes; none for the login directory.
    pub dir: Option<String>,
    /// `SSH_FILENAME`.
    pub filename: FilenameTemplate,
    /// `S3_STRIP_PREFIX`.
    pub strip_prefix: Option<String>,
    /// `S3_AFTER_DELIVERY`.
    pub after_delivery: AfterDelivery,
    /// `SSH_TEMPORARY_NAME`.
    pub temporary_name: TemporaryTemplate,
    /// `SSH_HOST_KEY`; none accepts any, with a warning.
    pub host_keys: Option<HostKeys>,
    /// `SSH_CIPHERS` and the four other lists.
    pub algorithms: Algorithms,
    /// `SSH_ON_CONFLICT`.
    pub on_conflict: OnConflict,
    /// `SSH_UPLOAD`.
    pub upload: UploadMode,
    /// `SSH_FILE_MODE`, never above `0o7777`; none leaves the server's.
    pub file_mode: Option<u32>,
    /// `SSH_VERIFY`.
    pub verify: Verify,
    /// `SSH_CHANNELS`.
    pub channels: Channels,
    /// `SSH_MAX_FILES`, 1 to 256.
    pub max_files: usize,
    /// `SSH_KEEP_CONNECTION`.
    pub keep_connection: bool,
    /// `SSH_CONNECT_TIMEOUT`, for each address.
    pub connect_timeout: Duration,
    /// `SSH_STALL_TIMEOUT`.
    pub stall_timeout: Duration,
    /// `DEAD_LETTER_QUEUE_URL`.
    pub dead_letter_queue_url: Option<String>,
    /// `LOGGING_LEVEL`.
    pub log_level: LogLevel,
    /// The memory that Lambda gives the function, in bytes: `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, which Lambda
    /// sets, and nobody else. None elsewhere.
    pub memory: Option<u64>,
}

impl Settings {
    /// Reads every setting. Empty is unset.
    ///
    /// # Errors
    ///
    /// Every problem that there is, and not the first one alone.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
        let mut reader = Reader::new(&lookup);
        let host = reader.value("SSH_HOST", value::host);
        let username = reader.value("SSH_USERNAME", value::username);
        let password = reader.optional("SSH_PASSWORD", value::secret);
        let private_key = reader.optional("SSH_PRIVATE_KEY", value::object);
        let port = reader.value("SSH_PORT", value::port);
        let dir = reader.optional("SSH_DIR", value::directory);
        let filename = reader.value("SSH_FILENAME", value::filename);
        let strip_prefix = reader.optional("S3_STRIP_PREFIX", value::text);
        let after_delivery = reader.value("S3_AFTER_DELIVERY", after_delivery::after_delivery);
        let temporary_name = reader.value("SSH_TEMPORARY_NAME", value::temporary_name);
        let host_keys = reader.optional("SSH_HOST_KEY", value::host_keys);
        let on_conflict = reader.value("SSH_ON_CONFLICT", choice::on_conflict);
        let upload = reader.value("SSH_UPLOAD", choice::upload);
        let file_mode = reader.optional("SSH_FILE_MODE", value::file_mode);
        let verify = reader.value("SSH_VERIFY", choice::verify);
        let channels = reader.value("SSH_CHANNELS", choice::channels);
        let max_files = reader.value("SSH_MAX_FILES", value::max_files);
        let keep_connection = reader.value("SSH_KEEP_CONNECTION", choice::yes_or_no);
        let algorithms = algorithms::algorithms(&mut reader);
        let connect_timeout = reader.value("SSH_CONNECT_TIMEOUT", value::duration);
        let stall_timeout = reader.value("SSH_STALL_TIMEOUT", value::duration);
        let dead_letter_queue_url = reader.optional("DEAD_LETTER_QUEUE_URL", value::queue_url);
        let log_level = reader.value("LOGGING_LEVEL", value::log_level);
        let memory = lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|it| value::memory(&it));

        if !reader.is_set("SSH_PASSWORD") && !reader.is_set("SSH_PRIVATE_KEY") {
            reader.problem(
                "SSH_PASSWORD",
                "neither this nor SSH_PRIVATE_KEY is set; set one of the two, or both",
            );
        }

        let mut warnings = near_miss::warnings(&lookup);
        warnings.extend(choice::warnings(on_conflict, upload, verify));
        if filename
            .as_ref()
            .is_some_and(|template| !template.tells_objects_apart())
        {
            warnings.push(
                "SSH_FILENAME gives different objects one name, and the later one overwrites the earlier; \
                 use {key}, or {dir} with {name}, or {etag}, or {version}"
                    .to_owned(),
            );
        }

        // What is missing here has left its problem with the reader.
        let settings = move || {
            Some(Self {
                host: host?,
                port: port?,
                username: username?,
                password: password?,
                private_key: private_key?,
                dir: dir?.flatten(),
                filename: filename?,
                strip_prefix: strip_prefix?,
                after_delivery: after_delivery?,
                temporary_name: temporary_name?,
                host_keys: host_keys?,
                algorithms: algorithms?,
                on_conflict: on_conflict?,
                upload: upload?,
                file_mode: file_mode?,
                verify: verify?,
                channels: channels?,
                max_files: max_files?,
                keep_connection: keep_connection?,
                connect_timeout: connect_timeout?,
                stall_timeout: stall_timeout?,
                dead_letter_queue_url: dead_letter_queue_url?,
                log_level: log_level?,
                memory,
            })
        };
        reader
            .finish(settings())
            .map(|settings| Loaded { settings, warnings })
    }

    /// What of the function's own this object is, if the settings say so. It is never delivered:
    /// uploading the private key to the bucket that triggers the function would send it to the partner,
    /// and delete it; an archive in that bucket would be sent again, and moved into itself.
    pub fn names(&self, object: &ObjectName) -> Option<&'static str> {
        if self.private_key.as_ref() == Some(object) {
            return Some("private key (SSH_PRIVATE_KEY)");
        }
        match &self.after_delivery {
            AfterDelivery::Move(archive) if archive.holds(object) => {
                Some("archive (S3_AFTER_DELIVERY)")
            }
            _ => None,
        }
    }
}

/// Settings, and what is worth telling about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What is probably not meant as it is written. One line each, no secrets in them.
    pub warnings: Vec<String>,
}
