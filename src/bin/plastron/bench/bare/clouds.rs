//! The clouds through `object_store`, opened with what the store string says.
//!
//! Only what a benchmark needs: keys in the store string or in the environment variables that `object_store` itself reads.

use std::sync::Arc;

use object_store::{ClientOptions, ObjectStore};
use plastron::{BucketOptions, Provider};

use super::failed;
use crate::failure::{Failure, Result};

/// Opens the bucket that `options` name.
pub(super) fn open(options: &BucketOptions) -> Result<Arc<dyn ObjectStore>> {
    match options.provider {
        #[cfg(feature = "s3")]
        Provider::S3 => s3(options),
        #[cfg(feature = "azure")]
        Provider::Azure => azure(options),
        #[cfg(feature = "gcp")]
        Provider::Gcp => gcp(options),
        other => {
            Err(Failure::usage(format!("there is nothing to compare {other} with; it is not built into this program")))
        }
    }
}

/// Settings of the connection, the same as with Plastron.
fn client(options: &BucketOptions) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(true)
        .with_timeout(options.timeout.request)
        .with_connect_timeout(options.timeout.connect)
}

#[cfg(feature = "s3")]
fn s3(options: &BucketOptions) -> Result<Arc<dyn ObjectStore>> {
    use object_store::aws::{AmazonS3Builder, Checksum};
    let (bucket, region) = options.bucket.split_once(';').unwrap_or((&options.bucket, ""));
    let mut builder = AmazonS3Builder::from_env()
        .with_client_options(client(options))
        .with_bucket_name(bucket)
        // The server checks what Plastron sends, and so it shall what this sends.
        .with_checksum_algorithm(Checksum::SHA256);
    if let Some(region) = options.region.as_deref().or(Some(region).filter(|region| !region.is_empty())) {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(path_style) = options.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    let mut keys = options.auth_token.expose().split(';');
    if let (Some(id), Some(secret)) = (keys.next().filter(|id| !id.is_empty()), keys.next()) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        if let Some(token) = keys.next().filter(|token| !token.is_empty()) {
            builder = builder.with_token(token);
        }
    }
    Ok(Arc::new(builder.build().map_err(|error| failed("open", &error))?))
}

#[cfg(feature = "azure")]
fn azure(options: &BucketOptions) -> Result<Arc<dyn ObjectStore>> {
    use object_store::azure::MicrosoftAzureBuilder;
    let given = options.auth_token.expose();
    let text = if given.is_empty() {
        std::env::var("AZURE_STORAGE_CONNECTION_STRING").unwrap_or_default()
    } else {
        given.to_owned()
    };
    let field = |name: &str| {
        let fields = text.split(';').filter_map(|field| field.split_once('='));
        fields.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_client_options(client(options))
        .with_container_name(options.bucket.as_str())
        .with_use_emulator(field("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")));
    if let Some(account) = field("AccountName") {
        builder = builder.with_account(account);
    }
    if let Some(key) = field("AccountKey") {
        builder = builder.with_access_key(key);
    }
    if let Some(endpoint) = field("BlobEndpoint").or_else(|| options.endpoint.clone()) {
        builder = builder.with_endpoint(endpoint);
    }
    Ok(Arc::new(builder.build().map_err(|error| failed("open", &error))?))
}

#[cfg(feature = "gcp")]
fn gcp(options: &BucketOptions) -> Result<Arc<dyn ObjectStore>> {
    use object_store::gcp::GoogleCloudStorageBuilder;
    let mut builder = GoogleCloudStorageBuilder::from_env()
        .with_client_options(client(options))
        .with_bucket_name(options.bucket.as_str());
    if !options.auth_token.is_empty() {
        builder = builder.with_service_account_path(options.auth_token.expose());
    }
    let endpoint = options.endpoint.clone().or_else(|| std::env::var("STORAGE_EMULATOR_HOST").ok());
    if let Some(endpoint) = endpoint {
        builder = builder.with_base_url(&endpoint);
    }
    Ok(Arc::new(builder.build().map_err(|error| failed("open", &error))?))
}
