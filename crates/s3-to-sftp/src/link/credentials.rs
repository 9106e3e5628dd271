//! What an account logs in with, fetched when it is needed.

use tokio::time::timeout;

use crate::error::Cause;
use crate::settings::Settings;
use crate::source::{S3, SourceError};
use crate::ssh::{Credentials, PrivateKey};

pub(super) async fn fetch(settings: &Settings, s3: &S3) -> Result<Credentials, Cause> {
    let private_key = match &settings.private_key {
        None => None,
        Some(name) => {
            let text = timeout(settings.stall_timeout, s3.read_small(name))
                .await
                .unwrap_or_else(|elapsed| Err(SourceError::Other(elapsed.into())))
                .map_err(|source| Cause::KeyUnavailable {
                    name: name.clone(),
                    source,
                })?;
            let key = PrivateKey::parse(&text).map_err(|source| Cause::KeyUnusable {
                name: name.clone(),
                source,
            })?;
            Some(key)
        }
    };
    Ok(Credentials {
        private_key,
        password: settings.password.clone(),
    })
}
