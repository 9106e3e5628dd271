//! The SDK's configuration as Lambda gives it: in the environment.
//!
//! Not by `aws_config::load_defaults`, which also reads profiles, and asks STS and an instance's metadata: Lambda has none of
//! them, and they weigh more than the clients of Secrets Manager and SSM.

use std::env;

use aws_config::default_provider::{
    app_name, checksums, endpoint_url, ignore_configured_endpoint_urls, retry_config,
    use_dual_stack, use_fips,
};
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// What all clients are made of.
pub(crate) async fn sdk_config() -> SdkConfig {
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(set)
        .map(Region::new);
    let provider = ProviderConfig::default().with_region(region.clone());
    // The second is what a function gets that was restored from a snapshot: its environment would hold old ones.
    let credentials = CredentialsProviderChain::first_try(
        "Environment",
        EnvironmentVariableCredentialsProvider::new(),
    )
    .or_else(
        "Container",
        EcsCredentialsProvider::builder()
            .configure(&provider)
            .build(),
    );
    let ignores_endpoints =
        ignore_configured_endpoint_urls::ignore_configured_endpoint_urls_provider(&provider)
            .await
            .unwrap_or_default();
    let endpoint = if ignores_endpoints {
        None
    } else {
        endpoint_url::endpoint_url_provider(&provider).await
    };
    let retries = retry_config::default_provider().configure(&provider);
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(retries.retry_config().await)
        .service_config(Environment { ignores_endpoints });
    builder.set_endpoint_url(endpoint);
    builder.set_app_name(app_name::default_provider().app_name().await);
    builder.set_use_fips(use_fips::use_fips_provider(&provider).await);
    builder.set_use_dual_stack(use_dual_stack::use_dual_stack_provider(&provider).await);
    builder.set_request_checksum_calculation(
        checksums::request_checksum_calculation_provider(&provider).await,
    );
    builder.set_response_checksum_validation(
        checksums::response_checksum_validation_provider(&provider).await,
    );
    builder.build()
}

/// Settings of one service: `AWS_ENDPOINT_URL_S3` before `AWS_ENDPOINT_URL`.
#[derive(Debug)]
struct Environment {
    ignores_endpoints: bool,
}

impl LoadServiceConfig for Environment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if self.ignores_endpoints && key.env() == "AWS_ENDPOINT_URL" {
            return None;
        }
        let service = key.service_id().to_uppercase().replace(' ', "_");
        set(&format!("{}_{service}", key.env())).or_else(|| set(key.env()))
    }
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
