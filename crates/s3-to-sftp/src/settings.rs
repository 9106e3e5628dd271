//! The settings: one table, read once, all problems reported together.
//!
//! The library never looks at the environment itself; whoever calls it hands in how a name is looked up.

mod after_delivery;
mod algorithms;
mod choice;
mod host_keys;
mod near_miss;
mod place;
mod problem;
mod reader;
mod s3_prefix;
mod table;
mod value;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use after_delivery::AfterDelivery;
pub use choice::{Channels, OnConflict, UploadMode, Verify};
pub use host_keys::TrustedHostKeys;
pub use problem::{Problem, Problems};
pub use s3_prefix::S3Prefix;
pub use table::{Fallback, Row, Shown, TABLE, describe, markdown};
pub use value::LogLevel;

use crate::event::Skip;
use crate::object::ObjectName;
use crate::remote_path::{FilenameTemplate, TemporaryTemplate};
use crate::secrets::{Reference, SecretArn, SecretValue};
use crate::ssh::Algorithms;
use reader::Reader;
use value::Unfit;

/// What to deliver to, and how. Everything in it has been checked as far as that goes without a connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `SSH_HOST`: a name or an address, IPv6 without brackets.
    pub host: String,
    /// `SSH_PORT`, never 0.
    pub port: u16,
    /// `SSH_USERNAME`; none where `SSH_SECRET` has to tell it.
    pub username: Option<String>,
    /// `SSH_PASSWORD`. This, or the key, or both are there, or `SSH_SECRET` has to tell one.
    pub password: Option<SecretValue>,
    /// `SSH_PRIVATE_KEY`.
    pub private_key: Option<SecretValue>,
    /// `SSH_PASSPHRASE` of that key.
    pub passphrase: Option<SecretValue>,
    /// `SSH_CERTIFICATE` for that key.
    pub certificate: Option<SecretValue>,
    /// `SSH_SECRET`: tells what of these is not there, but for the certificate.
    pub secret: Option<SecretArn>,
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
    pub host_keys: Option<TrustedHostKeys>,
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
    /// `SWEEP_QUEUE_URL`.
    pub sweep_queue_url: Option<String>,
    /// `RECEIPT_BUS`: an event bus's name or ARN.
    pub receipt_bus: Option<String>,
    /// `RECEIPT_PREFIX`, never a whole bucket.
    pub receipt_prefix: Option<S3Prefix>,
    /// `POWERTOOLS_METRICS_NAMESPACE`.
    pub metrics_namespace: String,
    /// Whether there are any: not with `POWERTOOLS_METRICS_DISABLED`.
    pub has_metrics: bool,
    /// `POWERTOOLS_SERVICE_NAME`.
    pub service_name: Option<String>,
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
        let username = reader.optional("SSH_USERNAME", value::username);
        // What a secret has to tell is known when it is fetched.
        let has_secret = reader.is_set("SSH_SECRET");
        if !has_secret && !reader.is_set("SSH_USERNAME") {
            reader.problem("SSH_USERNAME", "is required, and not set; set it");
        }
        let password = reader.optional("SSH_PASSWORD", place::secret);
        let private_key = reader.optional("SSH_PRIVATE_KEY", place::private_key);
        let passphrase = reader.optional("SSH_PASSPHRASE", place::secret);
        let certificate = reader.optional("SSH_CERTIFICATE", place::certificate);
        let secret = reader.optional("SSH_SECRET", place::secret_arn);
        let port = reader.value("SSH_PORT", value::port);
        let dir = reader.optional("SSH_DIR", value::directory);
        let filename = reader.value("SSH_FILENAME", value::filename);
        let strip_prefix = reader.optional("S3_STRIP_PREFIX", value::text);
        let after_delivery = reader.value("S3_AFTER_DELIVERY", after_delivery::after_delivery);
        let temporary_name = reader.value("SSH_TEMPORARY_NAME", value::temporary_name);
        let host_keys = reader.optional("SSH_HOST_KEY", host_keys::written);
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
        let sweep_queue_url = reader.optional("SWEEP_QUEUE_URL", value::queue_url);
        let receipt_bus = reader.optional("RECEIPT_BUS", value::event_bus);
        let receipt_prefix = reader.optional("RECEIPT_PREFIX", s3_prefix::receipts);
        let metrics_namespace = reader.value("POWERTOOLS_METRICS_NAMESPACE", value::metrics_name);
        let metrics_disabled = reader.value("POWERTOOLS_METRICS_DISABLED", choice::yes_or_no);
        let service_name = reader.optional("POWERTOOLS_SERVICE_NAME", value::metrics_name);
        let log_level = reader.value("LOGGING_LEVEL", value::log_level);
        let memory = lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").and_then(|it| value::memory(&it));

        if !has_secret && !reader.is_set("SSH_PASSWORD") && !reader.is_set("SSH_PRIVATE_KEY") {
            reader.problem(
                "SSH_PASSWORD",
                "neither this nor SSH_PRIVATE_KEY is set; set one of the two, or both",
            );
        }
        let may_have_key = has_secret || reader.is_set("SSH_PRIVATE_KEY");
        if reader.is_set("SSH_CERTIFICATE") && !may_have_key {
            reader.problem(
                "SSH_CERTIFICATE",
                "is set without SSH_PRIVATE_KEY; set that to the key that the certificate is for",
            );
        }

        // Which lines count is known only beside the server's name.
        let host_keys = host_keys.and_then(|written| match (written, &host, port) {
            (None, ..) => Some(None),
            (Some(written), Some(host), Some(port)) => match written.of(host, port) {
                Ok(trusted) => Some(Some(trusted)),
                Err(Unfit(advice)) => {
                    reader.problem("SSH_HOST_KEY", &advice);
                    None
                }
            },
            (Some(_), ..) => None,
        });

        let mut warnings = near_miss::warnings(&lookup);
        if reader.is_set("SSH_PASSPHRASE") && !may_have_key {
            warnings.push(
                "SSH_PASSPHRASE is set without SSH_PRIVATE_KEY, and so does nothing; a password belongs into \
                 SSH_PASSWORD"
                    .to_owned(),
            );
        }
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
                passphrase: passphrase?,
                certificate: certificate?,
                secret: secret?,
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
                sweep_queue_url: sweep_queue_url?,
                receipt_bus: receipt_bus?,
                receipt_prefix: receipt_prefix?,
                metrics_namespace: metrics_namespace?,
                has_metrics: !metrics_disabled?,
                service_name: service_name?,
                log_level: log_level?,
                memory,
            })
        };
        reader
            .finish(settings())
            .map(|settings| Loaded { settings, warnings })
    }

    /// Whether anything of these lies in S3: in this program's region, where an ARN has its own.
    pub fn refer_to_s3(&self) -> bool {
        let is_object = |reference: &Reference| matches!(reference, Reference::Object(_));
        let secrets = [
            &self.password,
            &self.private_key,
            &self.passphrase,
            &self.certificate,
        ];
        let mut references = secrets
            .into_iter()
            .flatten()
            .filter_map(SecretValue::reference);
        references.any(is_object)
            || matches!(&self.host_keys, Some(TrustedHostKeys::At(it)) if is_object(it))
    }

    /// What of the function's own this object is, if the settings say so. It is never delivered:
    /// uploading a secret to the bucket that triggers the function would send it to the partner, and delete
    /// it; so with the host keys; an archive in that bucket would be sent again, and moved into itself.
    pub fn names(&self, object: &ObjectName) -> Option<&'static str> {
        let secrets = [
            (&self.private_key, "private key (SSH_PRIVATE_KEY)"),
            (&self.passphrase, "passphrase (SSH_PASSPHRASE)"),
            (&self.certificate, "certificate (SSH_CERTIFICATE)"),
            (&self.password, "password (SSH_PASSWORD)"),
        ];
        let is = |reference: &Reference| matches!(reference, Reference::Object(it) if it == object);
        for (value, name) in secrets {
            if value
                .as_ref()
                .and_then(SecretValue::reference)
                .is_some_and(is)
            {
                return Some(name);
            }
        }
        if matches!(&self.host_keys, Some(TrustedHostKeys::At(reference)) if is(reference)) {
            return Some("list of host keys (SSH_HOST_KEY)");
        }
        match &self.after_delivery {
            // Who has no prefix meant another bucket: to say nothing would be to deliver nothing.
            AfterDelivery::Move(archive) if archive.holds(object) && !archive.has_prefix() => {
                Some("archive (S3_AFTER_DELIVERY)")
            }
            _ => None,
        }
    }

    /// Why an object of the function's own making is not delivered. Where the archive or the receipts are below the prefix that
    /// triggers it, each delivery makes an event more.
    pub fn skip(&self, object: &ObjectName) -> Option<Skip> {
        if self
            .receipt_prefix
            .as_ref()
            .is_some_and(|prefix| prefix.holds(object))
        {
            return Some(Skip::Receipt);
        }
        let is_archived = matches!(&self.after_delivery, AfterDelivery::Move(archive) if archive.has_prefix() && archive.holds(object));
        is_archived.then_some(Skip::Archived)
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
