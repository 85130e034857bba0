//! `object_store`'s view of an endpoint.

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use plastron_localstack::{Endpoint, Server};

/// A store on `bucket` of `endpoint`, reached at `url` with these keys.
pub(crate) fn store_at(
    endpoint: &Endpoint,
    url: &str,
    bucket: &str,
    access_key: &str,
    secret_key: &str,
) -> Box<dyn ObjectStore> {
    let options = object_store::ClientOptions::new()
        .with_allow_http(true)
        .with_timeout(std::time::Duration::from_secs(600))
        .with_connect_timeout(std::time::Duration::from_secs(300));
    match endpoint.server {
        Server::Azurite => {
            let builder = MicrosoftAzureBuilder::new()
                .with_container_name(bucket)
                .with_account(access_key)
                .with_endpoint(url.to_owned())
                .with_client_options(options);
            // A reader has a shared access signature in place of a key.
            let builder = match secret_key.contains('&') {
                true => builder.with_config(AzureConfigKey::SasKey, secret_key),
                false => builder.with_access_key(secret_key),
            };
            Box::new(builder.build().unwrap())
        }
        Server::Gcs | Server::Careless => Box::new(
            GoogleCloudStorageBuilder::new()
                .with_bucket_name(bucket)
                // A reader has a file of its own.
                .with_service_account_path(match access_key.ends_with(".json") {
                    true => access_key.to_owned(),
                    false => endpoint.credentials_file.as_ref().unwrap().display().to_string(),
                })
                .with_base_url(url)
                .with_client_options(options)
                .build()
                .unwrap(),
        ),
        _ => Box::new(
            AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_endpoint(url)
                .with_region(endpoint.region.clone())
                .with_access_key_id(access_key)
                .with_secret_access_key(secret_key)
                .with_client_options(options)
                .build()
                .unwrap(),
        ),
    }
}
