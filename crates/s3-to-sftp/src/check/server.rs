//! What the server is, what it lets this account do, and whether a file can be written.

use bytes::Bytes;
use sftp::{Attributes, OpenFlags};

use super::{Check, Ended, Step, Told};
use crate::error::{Cause, Stage};
use crate::profile::Profile;
use crate::remote_path::TAG_LENGTH;
use crate::ssh::{Connection, Shown};

/// What a probe holds.
const PROBE: &[u8] =
    b"s3-to-sftp was here to see whether it can write, and has failed to remove this file.\n";

impl<F: FnMut(Step)> Check<'_, F> {
    pub(super) async fn server(&mut self, connection: &Connection) -> Told {
        self.sftp(connection).await;
        // In the words of a receipt; a server like OpenSSH has none.
        if let Some(names) = Profile::default().with(connection) {
            self.ok("quirks", names);
        }
        self.directory(connection).await?;
        if self.options.write {
            self.write(connection).await?;
        }
        Ok(())
    }

    /// What is known once keys are exchanged.
    pub(super) fn shown(&mut self, shown: &Shown) {
        let negotiated = &shown.negotiated;
        let mac = negotiated.mac.as_ref().map(|mac| format!(", {mac}"));
        self.ok(
            "ssh",
            format!(
                "{} at {}: {}, {}{}",
                shown.identification,
                shown.address,
                negotiated.key_exchange,
                negotiated.cipher,
                mac.unwrap_or_default()
            ),
        );
        let key = &shown.host_key;
        let known = if shown.is_host_key_known {
            "as SSH_HOST_KEY says".to_owned()
        } else {
            format!(
                "and any other would be taken: ask the partner whether it is this one, and set SSH_HOST_KEY={}",
                key.line
            )
        };
        self.ok(
            "host key",
            format!("{} {}, {known}", negotiated.host_key, key.fingerprint),
        );
        if let Some(by) = &shown.login {
            let offered = shown
                .offered
                .as_ref()
                .map(|it| format!("; the server offers {it}"));
            self.ok(
                "login",
                format!("{}, by {by}{}", shown.username, offered.unwrap_or_default()),
            );
        }
    }

    async fn sftp(&mut self, connection: &Connection) {
        let sftp = connection.sftp();
        let limits = sftp.limits().await;
        let names: Vec<&str> = sftp.extensions().names().collect();
        let names = if names.is_empty() {
            "no extensions".to_owned()
        } else {
            names.join(", ")
        };
        let handles = limits
            .open_handles
            .map(|it| format!(", {it} files at once"));
        self.ok(
            "sftp",
            format!(
                "{names}; {} bytes in a write{}",
                limits.write_length,
                handles.unwrap_or_default()
            ),
        );
    }

    async fn directory(&mut self, connection: &Connection) -> Told {
        let sftp = connection.sftp();
        let path = self.settings.dir.as_deref().unwrap_or(".");
        let (real, found) = tokio::join!(sftp.realpath(path), sftp.stat(path));
        // A server without REALPATH is one to deliver to all the same.
        let shown = match real {
            Ok(real) => String::from_utf8_lossy(&real).into_owned(),
            Err(_) => path.to_owned(),
        };
        match found {
            Ok(attributes) if attributes.is_directory() || attributes.permissions.is_none() => {
                self.ok("directory", shown);
                Ok(())
            }
            Ok(_) => {
                let cause = Cause::NoDirectory(shown);
                Err(self.fail("directory", (Stage::OpenTemporary, cause)))
            }
            // A store of objects has no directory while nothing lies in it, and takes files all the same.
            Err(source) if is_missing(&source) && self.settings.dir.is_none() => {
                self.ok(
                    "directory",
                    format!("{shown}, which the server does not show"),
                );
                Ok(())
            }
            Err(source) if is_missing(&source) => {
                let cause = Cause::NoDirectory(path.to_owned());
                Err(self.fail("directory", (Stage::OpenTemporary, cause)))
            }
            Err(source) => Err(self.refused("directory", &format!("STAT of {path}"), source)),
        }
    }

    /// Written, renamed as a delivery would, and removed, whatever came of it.
    async fn write(&mut self, connection: &Connection) -> Told {
        let sftp = connection.sftp();
        let dir = self.settings.dir.as_deref();
        let below = dir.map(|dir| format!("{}/", dir.trim_end_matches('/')));
        let below = below.unwrap_or_default();
        // With the tag of a temporary: so `clean` finds what is left.
        let tag: String = self.options.nonce.chars().take(TAG_LENGTH - 1).collect();
        let path = |last: char| {
            let template = &self.settings.temporary_name;
            template.beside(&below, "s3-to-sftp-check", &format!("{tag}{last}"))
        };
        let (first, second) = (path('0'), path('1'));
        // That they exist is the rule.
        for directory in &first.directories {
            _ = sftp.mkdir(directory).await;
        }
        let (first, second) = (first.full, second.full);
        self.ok("probe", format!("{first}, then {second}"));
        let written = probe(connection, &first, &second).await;
        _ = tokio::join!(sftp.remove(&first), sftp.remove(&second));
        match written {
            Ok(renamed) => {
                self.ok(
                    "write",
                    format!("{} bytes written, {renamed}, removed", PROBE.len()),
                );
                Ok(())
            }
            Err((request, source)) => Err(self.refused("write", &request, source)),
        }
    }

    fn refused(&mut self, name: &'static str, request: &str, source: sftp::Error) -> Ended {
        let cause = Cause::Sftp {
            request: request.to_owned(),
            source,
        };
        self.fail(name, (Stage::OpenTemporary, cause))
    }
}

fn is_missing(error: &sftp::Error) -> bool {
    error.is(sftp::StatusCode::NO_SUCH_FILE)
}

async fn probe(
    connection: &Connection,
    first: &str,
    second: &str,
) -> Result<&'static str, (String, sftp::Error)> {
    let sftp = connection.sftp();
    let flags = OpenFlags::WRITE | OpenFlags::CREAT | OpenFlags::EXCL;
    let at = |request: &str, path: &str| {
        let request = format!("{request} of {path}");
        move |error| (request, error)
    };
    let handle = sftp.open(first, flags, Attributes::default()).await;
    let handle = handle.map_err(at("OPEN", first))?;
    let written = sftp
        .write(&handle, 0, vec![Bytes::from_static(PROBE)])
        .await;
    let closed = sftp.close(&handle).await;
    written.map_err(at("WRITE", first))?;
    closed.map_err(at("CLOSE", first))?;
    if sftp.has_posix_rename() {
        let renamed = sftp.posix_rename(first, second).await;
        renamed.map_err(at("posix-rename", first))?;
        Ok("renamed by posix-rename@openssh.com")
    } else {
        sftp.rename(first, second)
            .await
            .map_err(at("RENAME", first))?;
        Ok("renamed")
    }
}
