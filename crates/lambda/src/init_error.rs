//! Tells the Runtime API why the function does not start.

use std::time::Duration;

use http::Request;
use lambda_runtime_api_client::Client;
use serde_json::json;

/// The Runtime API is on this machine: longer than this it does not take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Reports an init error, so that the invocation shows the message and not "exited with status 1".
/// Where there is no Runtime API, the log line has to do.
pub(crate) async fn report(name: &str, message: &str) {
    if let Err(error) = tokio::time::timeout(TIMEOUT, post(name, message))
        .await
        .unwrap_or_else(|elapsed| Err(elapsed.into()))
    {
        tracing::warn!(error, "the init error could not be reported");
    }
}

async fn post(name: &str, message: &str) -> Result<(), lambda_runtime::Error> {
    let body = json!({ "errorType": name, "errorMessage": message, "stackTrace": [] });
    let request = Request::post("/2018-06-01/runtime/init/error")
        .header("Lambda-Runtime-Function-Error-Type", name)
        .header("Content-Type", "application/json")
        .body(body.to_string().into())?;
    Client::builder().build()?.call(request).await?;
    Ok(())
}
