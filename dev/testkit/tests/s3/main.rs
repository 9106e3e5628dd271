//! The embedded S3, through the real SDK.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{ResponseChecksumValidation, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use testkit::s3::S3Server;

mod checksums;
mod hooks;
mod listing;
mod reading;
mod server;
mod uploading;
mod writing;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const BUCKET: &str = "inbox";

async fn server() -> (S3Server, Client) {
    let server = S3Server::start().await;
    server.create_bucket(BUCKET);
    let client = server.client();
    (server, client)
}

/// Status and code of a refusal; HEAD has no body, and so no code.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E>>,
) -> (u16, String) {
    let error = result.expect_err("refused");
    let status = error.raw_response().expect("an answer").status().as_u16();
    (status, error.code().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn read(body: ByteStream) -> Result<Bytes, Box<dyn std::error::Error>> {
    Ok(body.collect().await?.into_bytes())
}

/// A client that tries once and looks at no checksum: what is seen is what the hook did.
fn plain(server: &S3Server) -> Client {
    let config = server.config().retry_config(RetryConfig::disabled());
    let config = config.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    Client::from_conf(
        config
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build(),
    )
}
