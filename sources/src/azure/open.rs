//! From options to a source.

use std::sync::Arc;

use object_store::azure::{AzureCredential, MicrosoftAzureBuilder};
use object_store::client::HttpConnector;
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};

use super::{Access, AzureSigner, AzureStore, Settings};
use crate::credentials::{CredentialCache, Credentials, Environment};
use crate::error::{Error, Fault, Result};
use crate::options::BucketOptions;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::Stats;
use crate::transport::{Connector, Signer, TransportOptions, fault_of};

/// Opens the container: reads the settings, gets a first token where an identity is used, builds the client. Nothing is asked of the
/// container itself.
///
/// # Errors
/// [`Fault::Config`] for a wrong setting, [`Fault::NoCredentials`] where none are found.
pub(crate) async fn open(options: &BucketOptions, stats: Arc<Stats>) -> Result<Source> {
    open_in(options, stats, &Environment::process()).await
}

pub(super) async fn open_in(options: &BucketOptions, stats: Arc<Stats>, environment: &Environment) -> Result<Source> {
    let settings =
        Settings::read(options, environment).map_err(|fault| Error::new("open", Provider::Azure.as_str(), fault))?;
    let address = settings.address();
    build(options, settings, stats).await.map_err(|fault| Error::new("open", address, fault))
}

async fn build(options: &BucketOptions, settings: Settings, stats: Arc<Stats>) -> Result<Source, Fault> {
    let address = settings.address();
    let Settings { container, account, endpoint, access } = settings;
    let credentials = match access {
        Access::Given(key, origin) => Credentials::fixed(key.credential(&origin)?),
        Access::Identity(identity) => {
            let chain = Arc::new(identity.chain(&options.timeout));
            Credentials::Renewed(CredentialCache::new(chain, Arc::clone(&options.clock)))
        }
    };
    credentials.get().await?;
    let signer: Arc<dyn Signer> = Arc::new(AzureSigner::new(account.clone(), credentials));
    let transport = TransportOptions::new(options, address.clone(), Some(signer), stats);
    let quirks = Arc::clone(&transport.quirks);
    let client = ClientOptions::new()
        .with_allow_http(endpoint.is_plain())
        .with_connect_timeout(options.timeout.connect)
        .with_timeout(options.timeout.request);
    let connector = Connector::new(transport);
    let deletes = connector.connect(&client).map_err(|error| fault_of(&error))?;
    let pages = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(&container)
        .with_endpoint(endpoint.as_str().to_owned())
        // Without a credential of its own the builder would plan to ask the instance's metadata address.
        .with_credentials(Arc::new(StaticCredentialProvider::new(AzureCredential::BearerToken(String::new()))))
        .with_skip_signature(true)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_client_options(client)
        .with_http_connector(connector)
        .build()
        .map_err(|error| fault_of(&error))?;
    let store = AzureStore::new(pages.clone(), deletes, &endpoint, &container)
        .ok_or_else(|| Fault::Config("endpoint: no container can be below it".to_owned()))?;
    Ok(Source {
        provider: Provider::Azure,
        store: Arc::new(store),
        pages: Some(Arc::new(pages)),
        quirks,
        address,
        large_create: LargeCreate::Multipart,
        ahead: None,
    })
}
