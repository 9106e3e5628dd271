//! Values that lie elsewhere: in S3, in Secrets Manager, in the Parameter Store.
//!
//! # Layout
//!
//! | file | what it holds |
//! |---|---|
//! | `secrets` | [`SecretValue`]: a value, or where it lies; [`Secrets`]: fetches what lies in a store |
//! | `reference` | which texts are references, and what they name |
//! | `fields` | a secret that is a JSON object |
//! | `error` | why a value cannot be had |

mod error;
mod fields;
mod reference;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_secretsmanager::Client as SecretsManager;
use aws_sdk_ssm::Client as Ssm;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

pub use error::{FetchError, SecretError};
pub use fields::Fields;
pub use reference::{ParameterArn, Reference, ReferenceError, SecretArn};

use crate::secret::Secret;
use crate::source::S3;
use error::Asked;

/// For one try. Both services answer in some milliseconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// For all tries together.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// A secret as the settings have it.
#[derive(Debug, Clone)]
pub enum SecretValue {
    /// The value itself.
    Here(Secret<String>),
    /// Where it lies.
    At(Reference),
}

/// Which version of a secret is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The one that holds now.
    Current,
    /// The one before it, which a partner may still have while a rotation is under way. Secrets Manager alone keeps one;
    /// elsewhere, and where there is none, it is the current one.
    Previous,
}

/// Fetches values from Secrets Manager and the Parameter Store, in any region.
#[derive(Debug)]
pub struct Secrets {
    /// None in tests that have no AWS.
    config: Option<SdkConfig>,
    secrets_manager: Clients<SecretsManager>,
    ssm: Clients<Ssm>,
}

/// A client for each region, made when it is first needed.
#[derive(Debug)]
struct Clients<C>(Mutex<HashMap<String, C>>);

impl SecretValue {
    /// Where it lies; none where it is here.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Here(_) => None,
            Self::At(reference) => Some(reference),
        }
    }

    /// As an error names the place.
    pub fn named(&self, setting: &str) -> String {
        match self {
            Self::Here(_) => format!("in {setting}"),
            Self::At(reference) => reference.to_string(),
        }
    }
}

impl Secrets {
    /// With the credentials, the endpoint and the region of a configuration. Nothing is asked yet.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: Some(config.clone()),
            ..Self::none()
        }
    }

    /// Without a store: every reference to one fails.
    pub fn none() -> Self {
        Self {
            config: None,
            secrets_manager: Clients(Mutex::default()),
            ssm: Clients(Mutex::default()),
        }
    }

    /// The text that a reference names.
    ///
    /// # Errors
    ///
    /// Says why it cannot be had.
    pub async fn fetch(
        &self,
        s3: &S3,
        reference: &Reference,
        version: Version,
    ) -> Result<Secret<String>, FetchError> {
        let text = match reference {
            Reference::Object(name) => Box::pin(s3.read_small(name)).await?,
            Reference::Parameter(arn) => self.parameter(arn).await?,
            Reference::Secret { arn, field } => {
                let text = self.secret(arn, version).await?;
                match (field, Fields::read(&text)) {
                    (Some(field), Some(fields)) => fields.required(field)?.clone(),
                    (Some(field), None) => {
                        return Err(SecretError::NotJson {
                            field: field.clone(),
                        }
                        .into());
                    }
                    (None, Some(fields)) => {
                        return Err(SecretError::Json {
                            there: fields.names(),
                        }
                        .into());
                    }
                    (None, None) => text,
                }
            }
        };
        Ok(without_line_break(text))
    }

    /// A secret of several fields.
    ///
    /// # Errors
    ///
    /// Says why it cannot be had.
    pub async fn fields(&self, arn: &SecretArn, version: Version) -> Result<Fields, SecretError> {
        let text = self.secret(arn, version).await?;
        Fields::read(&text).ok_or(SecretError::NoFields)
    }

    async fn secret(
        &self,
        arn: &SecretArn,
        version: Version,
    ) -> Result<Secret<String>, SecretError> {
        match self.secret_of(arn, version).await {
            // It was never rotated.
            Err(SecretError::NotFound(_)) if version == Version::Previous => {
                self.secret_of(arn, Version::Current).await
            }
            answer => answer,
        }
    }

    async fn secret_of(
        &self,
        arn: &SecretArn,
        version: Version,
    ) -> Result<Secret<String>, SecretError> {
        let client = self.secrets_manager.of(arn.region(), |region| {
            let builder = aws_sdk_secretsmanager::config::Builder::from(self.config.as_ref()?);
            let builder = builder.timeout_config(timeouts()).region(region);
            Some(SecretsManager::from_conf(builder.build()))
        })?;
        let stage = match version {
            Version::Current => "AWSCURRENT",
            Version::Previous => "AWSPREVIOUS",
        };
        let asked = Asked {
            action: "secretsmanager:GetSecretValue",
            resource: arn.as_str(),
        };
        let request = client.get_secret_value().secret_id(arn.as_str());
        let answer = Box::pin(request.version_stage(stage).send()).await;
        let answer = answer.map_err(|error| asked.error(error))?;
        match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => Ok(Secret::new(text)),
            (None, Some(bytes)) => text(bytes.into_inner()),
            (None, None) => Err(SecretError::Empty),
        }
    }

    async fn parameter(&self, arn: &ParameterArn) -> Result<Secret<String>, SecretError> {
        let client = self.ssm.of(arn.region(), |region| {
            let builder = aws_sdk_ssm::config::Builder::from(self.config.as_ref()?);
            let builder = builder.timeout_config(timeouts()).region(region);
            Some(Ssm::from_conf(builder.build()))
        })?;
        let asked = Asked {
            action: "ssm:GetParameter",
            resource: arn.as_str(),
        };
        let request = client.get_parameter().name(arn.as_str());
        let answer = Box::pin(request.with_decryption(true).send()).await;
        let answer = answer.map_err(|error| asked.error(error))?;
        match answer.parameter.and_then(|parameter| parameter.value) {
            Some(text) => Ok(Secret::new(text)),
            None => Err(SecretError::Empty),
        }
    }
}

impl<C: Clone> Clients<C> {
    fn of(&self, region: &str, make: impl FnOnce(Region) -> Option<C>) -> Result<C, SecretError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return Ok(client.clone());
        }
        let client = make(Region::new(region.to_owned()))
            .ok_or_else(|| SecretError::Failed("there is no access to AWS here".into()))?;
        clients.insert(region.to_owned(), client.clone());
        Ok(client)
    }
}

/// What an editor or a console ends a text with is no part of it: nobody can type it.
pub(crate) fn without_line_break(text: Secret<String>) -> Secret<String> {
    let trimmed = text.expose().trim_end_matches(['\r', '\n']);
    if trimmed.len() == text.expose().len() {
        return text;
    }
    Secret::new(trimmed.to_owned())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// A binary secret may be a text that somebody has uploaded as a file.
fn text(bytes: Vec<u8>) -> Result<Secret<String>, SecretError> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            // Wiped, not shown.
            drop(Secret::new(error.into_bytes()));
            Err(SecretError::NotText)
        }
    }
}
