//! `--function`: the settings of a function that is deployed, and a check that it runs itself.

use std::collections::HashMap;
use std::fmt;

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use s3_to_sftp::check::Prefix;
use serde_json::{Value, json};

use crate::aws_error::told;

/// Why a function cannot be asked.
#[derive(Debug)]
pub(crate) struct FunctionError {
    name: String,
    why: String,
    next: Option<&'static str>,
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}: {}", self.name, self.why)?;
        match self.next {
            Some(next) => write!(f, "; next: {next}"),
            None => Ok(()),
        }
    }
}

/// A deployed function, by its name or ARN.
pub(crate) struct Function<'a> {
    client: Client,
    name: &'a str,
}

impl<'a> Function<'a> {
    pub(crate) fn new(aws: &SdkConfig, name: &'a str) -> Self {
        Self {
            client: Client::new(aws),
            name,
        }
    }

    /// Its environment variables, as they are set; secrets among them.
    pub(crate) async fn variables(&self) -> Result<HashMap<String, String>, FunctionError> {
        let answer = self
            .client
            .get_function_configuration()
            .function_name(self.name)
            .send()
            .await
            .map_err(|error| self.refused(&error, "grant lambda:GetFunctionConfiguration on it"))?;
        let environment = answer
            .environment
            .unwrap_or_else(|| aws_sdk_lambda::types::EnvironmentResponse::builder().build());
        if let Some(error) = environment.error {
            let message = error.message.unwrap_or_default();
            return Err(self.failed(
                format!("its variables cannot be read: {message}"),
                Some("grant kms:Decrypt on the key of its environment"),
            ));
        }
        Ok(environment.variables.unwrap_or_default())
    }

    /// What it answers to a check, step by step.
    pub(crate) async fn check(
        &self,
        prefix: Option<&Prefix>,
        write: bool,
    ) -> Result<Vec<Value>, FunctionError> {
        let mut request = json!({ "check": { "write": write } });
        if let Some(prefix) = prefix {
            request["check"]["prefix"] = prefix.to_string().into();
        }
        let answer = self
            .client
            .invoke()
            .function_name(self.name)
            .payload(Blob::new(request.to_string()))
            .send()
            .await
            .map_err(|error| self.refused(&error, "grant lambda:InvokeFunction on it"))?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let payload: Value = serde_json::from_slice(&payload).unwrap_or_default();
        match (answer.function_error, payload["steps"].as_array()) {
            (None, Some(steps)) => Ok(steps.clone()),
            (error, _) => {
                let text = payload["errorMessage"].as_str().map(str::to_owned);
                let text = text.unwrap_or_else(|| payload.to_string());
                let why = match error {
                    Some(_) => format!("it failed: {text}"),
                    None => format!("it does not know a check, and answered {text}"),
                };
                Err(self.failed(
                    why,
                    Some("is it a release of this program, and not an older one?"),
                ))
            }
        }
    }

    fn refused<E>(&self, error: &SdkError<E>, grant: &'static str) -> FunctionError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let next = match error.code() {
            Some("AccessDeniedException" | "AccessDenied") => Some(grant),
            Some("ResourceNotFoundException") => Some("check its name, and the account and region"),
            _ => None,
        };
        self.failed(told(error), next)
    }

    fn failed(&self, why: String, next: Option<&'static str>) -> FunctionError {
        FunctionError {
            name: self.name.to_owned(),
            why,
            next,
        }
    }
}
