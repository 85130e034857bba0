//! A bare `object_store` client for a test server: what some other program would write with.

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt};
use plastron_localstack::{Endpoint, Server};

/// The client for `bucket` on the server at `endpoint`.
pub(crate) fn client(endpoint: &Endpoint, bucket: &str) -> Box<dyn ObjectStore> {
    let options = ClientOptions::new()
        .with_allow_http(true)
        .with_timeout(std::time::Duration::from_secs(600))
        .with_connect_timeout(std::time::Duration::from_secs(300));
    match endpoint.server {
        Server::Azurite => Box::new(
            MicrosoftAzureBuilder::new()
                .with_account(&endpoint.access_key)
                .with_access_key(&endpoint.secret_key)
                .with_container_name(bucket)
                .with_endpoint(endpoint.url.clone())
                .with_client_options(options)
                .build()
                .unwrap(),
        ),
        Server::Gcs | Server::Careless => Box::new(
            GoogleCloudStorageBuilder::new()
                .with_service_account_path(endpoint.credentials_file.as_ref().unwrap().display().to_string())
                .with_bucket_name(bucket)
                .with_client_options(options)
                .build()
                .unwrap(),
        ),
        _ => Box::new(
            AmazonS3Builder::new()
                .with_endpoint(&endpoint.url)
                .with_region(&endpoint.region)
                .with_access_key_id(&endpoint.access_key)
                .with_secret_access_key(&endpoint.secret_key)
                .with_bucket_name(bucket)
                .with_client_options(options)
                .build()
                .unwrap(),
        ),
    }
}

/// Writes `data` to `name` in `bucket`, over whatever is there, without anything of Plastron's.
pub(crate) async fn overwrite(endpoint: &Endpoint, bucket: &str, name: &str, data: &[u8]) {
    client(endpoint, bucket).put(&Path::parse(name).unwrap(), data.to_vec().into()).await.unwrap();
}
