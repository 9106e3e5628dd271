//! What an account logs in with, fetched when it is needed.

use std::time::SystemTime;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Cause, Stage};
use crate::secret::Secret;
use crate::secrets::{
    FetchError, Fields, Reference, SecretError, SecretValue, Secrets, Version, without_line_break,
};
use crate::settings::Settings;
use crate::source::S3;
use crate::ssh::private_key::PrivateKeyError;
use crate::ssh::{Certificate, Credentials, PrivateKey, Refused};

/// The setting that names a secret of several fields.
pub(super) const SECRET: &str = "SSH_SECRET";

/// Who logs in, and by what.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) credentials: Credentials,
    /// Host keys that the same secret tells.
    pub(crate) host_key: Option<Secret<String>>,
    /// When it was fetched, by the wall clock: the monotonic one stands still while an environment is frozen.
    pub(crate) fetched: SystemTime,
}

impl Login {
    /// Less what was refused already, for the same account. None where nothing is left to offer, or all was offered so.
    pub(super) fn without(mut self, refusals: &[(Self, Refused)]) -> Option<Self> {
        for (other, refused) in refusals {
            if self.username != other.username {
                continue;
            }
            if self.credentials == other.credentials {
                return None;
            }
            self.credentials = self.credentials.without(&other.credentials, *refused)?;
        }
        Some(self)
    }
}

/// Where values come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stores<'a> {
    pub(super) settings: &'a Settings,
    pub(super) s3: &'a S3,
    pub(super) secrets: &'a Secrets,
}

impl<'a> Stores<'a> {
    /// Whether anything of the login lies in a store, where it can be changed.
    pub(super) fn may_change(self) -> bool {
        self.settings.secret.is_some() || self.references().next().is_some()
    }

    /// Whether a store keeps an older version of anything.
    pub(super) fn have_previous(self) -> bool {
        let mut references = self.references();
        self.settings.secret.is_some()
            || references.any(|reference| matches!(reference, Reference::Secret { .. }))
    }

    fn references(self) -> impl Iterator<Item = &'a Reference> {
        let settings = self.settings;
        let values = [
            &settings.password,
            &settings.private_key,
            &settings.passphrase,
            &settings.certificate,
        ];
        let values = values.into_iter().flatten();
        values.filter_map(SecretValue::reference)
    }

    /// The login, all of it at once: what `SSH_SECRET` tells fills what is not set.
    pub(super) async fn login(self, version: Version) -> Result<Login, (Stage, Cause)> {
        let settings = self.settings;
        let fetched = SystemTime::now();
        let (secret, password, private_key, passphrase, certificate) = tokio::join!(
            self.secret(version),
            self.value("SSH_PASSWORD", &settings.password, version),
            self.value("SSH_PRIVATE_KEY", &settings.private_key, version),
            self.value("SSH_PASSPHRASE", &settings.passphrase, version),
            self.value("SSH_CERTIFICATE", &settings.certificate, version),
        );
        let mut texts = Texts {
            username: settings.username.clone(),
            password: password?,
            private_key: private_key?,
            passphrase: passphrase?,
            host_key: None,
        };
        if let (Some(fields), Some(arn)) = (secret?, &settings.secret) {
            let filled = texts.fill(&fields);
            filled.map_err(|source| Cause::unavailable(SECRET, arn, source))?;
        }
        // The settings have made sure of it where no secret tells it.
        let username = texts.username.unwrap_or_default();
        let private_key = match texts.private_key {
            Some(text) => Some(self.private_key(text, texts.passphrase).await?),
            None => None,
        };
        let certificate = match certificate? {
            Some(text) => Some(self.certificate(&text, &username)?),
            None => None,
        };
        let credentials = Credentials {
            private_key,
            certificate,
            password: texts.password,
        };
        credentials.check(SystemTime::now()).map_err(|source| {
            let place = named(&settings.certificate, "SSH_CERTIFICATE");
            let cause = Cause::CertificateUnusable { place, source };
            (Stage::Certificate, cause)
        })?;
        Ok(Login {
            username,
            credentials,
            host_key: texts.host_key,
            fetched,
        })
    }

    async fn secret(self, version: Version) -> Result<Option<Fields>, (Stage, Cause)> {
        let Some(arn) = &self.settings.secret else {
            return Ok(None);
        };
        let fetching = Box::pin(self.secrets.fields(arn, version));
        let fields = timeout(self.settings.stall_timeout, fetching)
            .await
            .unwrap_or_else(|elapsed| Err(SecretError::Failed(elapsed.into())));
        let fields = fields.map_err(|source| Cause::unavailable(SECRET, arn, source))?;
        Ok(Some(fields))
    }

    /// The value of a setting.
    async fn value(
        self,
        setting: &'static str,
        value: &Option<SecretValue>,
        version: Version,
    ) -> Result<Option<Secret<String>>, (Stage, Cause)> {
        Ok(match value {
            None => None,
            Some(SecretValue::Here(text)) => Some(text.clone()),
            Some(SecretValue::At(reference)) => {
                let text = self.fetch(setting, reference, version).await?;
                // What is empty is no key and no certificate either, and their errors say so.
                let may_be_any = matches!(setting, "SSH_PASSWORD" | "SSH_PASSPHRASE");
                if may_be_any && text.expose().is_empty() {
                    return Err(Cause::unavailable(setting, reference, SecretError::Empty));
                }
                Some(text)
            }
        })
    }

    /// What a setting refers to.
    pub(super) async fn fetch(
        self,
        setting: &'static str,
        reference: &Reference,
        version: Version,
    ) -> Result<Secret<String>, (Stage, Cause)> {
        // The SDK's futures are large, and most logins need none: they are no part of every delivery's.
        let fetching = Box::pin(self.secrets.fetch(self.s3, reference, version));
        timeout(self.settings.stall_timeout, fetching)
            .await
            .unwrap_or_else(|elapsed| Err(FetchError::slow(reference, elapsed)))
            .map_err(|source| Cause::unavailable(setting, reference, source))
    }

    async fn private_key(
        self,
        text: Secret<String>,
        passphrase: Option<Secret<String>>,
    ) -> Result<PrivateKey, (Stage, Cause)> {
        let patience = self.settings.stall_timeout;
        // A passphrase is made expensive to try, by design: that must not hold up the bodies that are on their way.
        let parsing = spawn_blocking(move || PrivateKey::parse(&text, passphrase.as_ref()));
        let parsed = match timeout(patience, parsing).await {
            Ok(Ok(parsed)) => parsed,
            // A panic of a library about this key.
            Ok(Err(panic)) => Err(PrivateKeyError::Damaged(panic.into())),
            Err(_) => Err(PrivateKeyError::TooSlow(patience)),
        };
        parsed.map_err(|source| {
            let place = named(&self.settings.private_key, "SSH_PRIVATE_KEY");
            (Stage::PrivateKey, Cause::KeyUnusable { place, source })
        })
    }

    fn certificate(
        self,
        text: &Secret<String>,
        username: &str,
    ) -> Result<Certificate, (Stage, Cause)> {
        let certificate = Certificate::parse(text.expose()).map_err(|source| {
            let place = named(&self.settings.certificate, "SSH_CERTIFICATE");
            let cause = Cause::CertificateUnusable { place, source };
            (Stage::Certificate, cause)
        })?;
        if !certificate.names(username) {
            tracing::warn!(
                certificate = certificate.description(),
                "SSH_CERTIFICATE is not for {username}: the server takes it only if it knows one of its principals as \
                 this account",
            );
        }
        Ok(certificate)
    }
}

/// What a login is made of.
struct Texts {
    username: Option<String>,
    password: Option<Secret<String>>,
    private_key: Option<Secret<String>>,
    passphrase: Option<Secret<String>>,
    host_key: Option<Secret<String>>,
}

impl Texts {
    /// Takes from a secret what is not there, in the form of AWS Transfer Family's connectors.
    fn fill(&mut self, fields: &Fields) -> Result<(), SecretError> {
        if self.username.is_none() {
            self.username = Some(fields.required("Username")?.expose().clone());
        }
        for (text, name) in [
            (&mut self.password, "Password"),
            (&mut self.private_key, "PrivateKey"),
            (&mut self.passphrase, "Passphrase"),
            (&mut self.host_key, "HostKey"),
        ] {
            if text.is_none() {
                *text = fields.optional(name)?.cloned().map(without_line_break);
            }
        }
        if self.password.is_none() && self.private_key.is_none() {
            let there = fields.names();
            return Err(SecretError::NoCredential { there });
        }
        Ok(())
    }
}

/// Where a value stands: in its setting, where that refers to, or in the secret that fills what is not set.
fn named(value: &Option<SecretValue>, setting: &str) -> String {
    match value {
        Some(value) => value.named(setting),
        None => format!("in {SECRET}"),
    }
}
