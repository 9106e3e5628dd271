//! Why a value cannot be had.

use std::error::Error;

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use tokio::time::error::Elapsed;

use super::Reference;
use crate::source::SourceError;

/// Why what a setting refers to cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// From S3.
    #[error(transparent)]
    S3(#[from] SourceError),
    /// From Secrets Manager or the Parameter Store.
    #[error(transparent)]
    Store(#[from] SecretError),
}

impl FetchError {
    /// No answer came in time.
    pub(crate) fn slow(reference: &Reference, elapsed: Elapsed) -> Self {
        match reference {
            Reference::Object(_) => Self::S3(SourceError::Other(elapsed.into())),
            _ => Self::Store(SecretError::Failed(elapsed.into())),
        }
    }
}

/// Why a secret or a parameter cannot be had. Never holds a part of one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// 403 of the service.
    #[error("access was denied")]
    Denied {
        /// What a policy would have to allow: `ssm:GetParameter on arn:…`.
        permission: String,
        /// The service's words.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The service may be asked, and its key may not be used.
    #[error("it is encrypted with a KMS key that cannot be used")]
    Undecryptable(#[source] Box<dyn Error + Send + Sync>),
    /// Nothing has this name, or it has no value.
    #[error("there is none")]
    NotFound(#[source] Box<dyn Error + Send + Sync>),
    /// Somebody has deleted it, and can still change his mind.
    #[error("it is marked for deletion")]
    Deleted(#[source] Box<dyn Error + Send + Sync>),
    /// The request is refused as such.
    #[error("the request was refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else: an error of the service after the SDK's tries, a time-out, no connection.
    #[error("the service did not answer well")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
    /// Bytes that are no UTF-8.
    #[error("it is binary, and no text")]
    NotText,
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// A field is asked for.
    #[error("it is no JSON object, so it has no field {field:?}")]
    NotJson {
        /// What stands behind `#`.
        field: String,
    },
    /// No field is asked for.
    #[error("it is a JSON object with the fields {there}, and none is named")]
    Json {
        /// The names.
        there: String,
    },
    /// `SSH_SECRET` is read as a whole.
    #[error("it is no JSON object")]
    NoFields,
    /// The object has others.
    #[error("it has no field {field:?}, or an empty one; it has {there}")]
    NoField {
        /// What is asked for.
        field: String,
        /// The names.
        there: String,
    },
    /// A number, a list, null.
    #[error("its field {field:?} is no text")]
    FieldNotText {
        /// Its name.
        field: String,
    },
    /// `SSH_SECRET`, and nothing else, has to say who logs in, and by what.
    #[error("it has neither \"Password\" nor \"PrivateKey\"; it has {there}")]
    NoCredential {
        /// The names.
        there: String,
    },
}

impl SecretError {
    /// Whether asking again can help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// What was asked, for the error that names the permission.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
}

impl Asked<'_> {
    pub(super) fn error<E>(self, error: E) -> SecretError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().unwrap_or_default();
        let message = error.message().unwrap_or_default();
        let is_of_kms = {
            // Secrets Manager: "Access to KMS is not allowed"; SSM: "The ciphertext refers to a customer master key…".
            let message = message.to_lowercase();
            message.contains("kms") || message.contains("ciphertext")
        };
        let source: Box<dyn Error + Send + Sync> = if code.is_empty() {
            innermost(&error).into()
        } else {
            format!("{code}: {message}").into()
        };
        match code {
            "AccessDeniedException" if is_of_kms => SecretError::Undecryptable(source),
            "AccessDeniedException" | "AccessDenied" => SecretError::Denied {
                permission: format!("{} on {}", self.action, self.resource),
                source,
            },
            "DecryptionFailure" | "InvalidKeyId" => SecretError::Undecryptable(source),
            "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => {
                SecretError::NotFound(source)
            }
            "InvalidRequestException" if message.contains("deletion") => {
                SecretError::Deleted(source)
            }
            "InvalidRequestException" | "InvalidParameterException" | "ValidationException" => {
                SecretError::Refused(source)
            }
            _ => SecretError::Failed(source),
        }
    }
}

/// The SDK wraps a refused connection five times over, and its outer layers say "dispatch failure".
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
