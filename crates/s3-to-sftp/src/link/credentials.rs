//! What an account logs in with, fetched when it is needed.

use std::time::SystemTime;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Cause, Stage};
use crate::secret::Secret;
use crate::settings::{Place, Settings};
use crate::source::{S3, SourceError};
use crate::ssh::private_key::PrivateKeyError;
use crate::ssh::{Certificate, Credentials, PrivateKey};

pub(super) async fn fetch(settings: &Settings, s3: &S3) -> Result<Credentials, (Stage, Cause)> {
    let private_key = match &settings.private_key {
        None => None,
        Some(place) => Some(
            private_key(settings, s3, place)
                .await
                .map_err(|cause| (Stage::PrivateKey, cause))?,
        ),
    };
    let certificate = match &settings.certificate {
        None => None,
        Some(place) => Some(
            certificate(settings, s3, place)
                .await
                .map_err(|cause| (Stage::Certificate, cause))?,
        ),
    };
    let credentials = Credentials {
        private_key,
        certificate,
        password: settings.password.clone(),
    };
    credentials.check(SystemTime::now()).map_err(|source| {
        let place = settings.certificate.as_ref();
        let place = place.map(|it| it.named("SSH_CERTIFICATE"));
        let place = place.unwrap_or_default();
        (
            Stage::Certificate,
            Cause::CertificateUnusable { place, source },
        )
    })?;
    Ok(credentials)
}

async fn private_key(settings: &Settings, s3: &S3, place: &Place) -> Result<PrivateKey, Cause> {
    let text = text(settings, s3, place)
        .await
        .map_err(|(name, source)| Cause::KeyUnavailable { name, source })?;
    let passphrase = settings.passphrase.clone();
    // A passphrase is made expensive to try, by design: that must not hold up the bodies that are on their way.
    let parsing = spawn_blocking(move || PrivateKey::parse(&text, passphrase.as_ref()));
    let parsed = match timeout(settings.stall_timeout, parsing).await {
        Ok(Ok(parsed)) => parsed,
        // A panic of a library about this key.
        Ok(Err(panic)) => Err(PrivateKeyError::Damaged(panic.into())),
        Err(_) => Err(PrivateKeyError::TooSlow(settings.stall_timeout)),
    };
    parsed.map_err(|source| Cause::KeyUnusable {
        place: place.named("SSH_PRIVATE_KEY"),
        source,
    })
}

async fn certificate(settings: &Settings, s3: &S3, place: &Place) -> Result<Certificate, Cause> {
    let text = text(settings, s3, place)
        .await
        .map_err(|(name, source)| Cause::CertificateUnavailable { name, source })?;
    let certificate =
        Certificate::parse(text.expose()).map_err(|source| Cause::CertificateUnusable {
            place: place.named("SSH_CERTIFICATE"),
            source,
        })?;
    if !certificate.names(&settings.username) {
        tracing::warn!(
            certificate = certificate.description(),
            "SSH_CERTIFICATE is not for {}: the server takes it only if it knows one of its principals as this account",
            settings.username,
        );
    }
    Ok(certificate)
}

/// The text itself, from wherever it stands.
async fn text(
    settings: &Settings,
    s3: &S3,
    place: &Place,
) -> Result<Secret<String>, (crate::object::ObjectName, SourceError)> {
    match place {
        Place::Setting(text) => Ok(text.clone()),
        Place::Object(name) => timeout(settings.stall_timeout, s3.read_small(name))
            .await
            .unwrap_or_else(|elapsed| Err(SourceError::Other(elapsed.into())))
            .map_err(|source| (name.clone(), source)),
    }
}
