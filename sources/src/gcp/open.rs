//! From options to a source.

use std::sync::Arc;

use object_store::gcp::{GcpCredential, GcpSigningCredential, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};

use super::account::AccountKind;
use super::settings::{GOOGLE, nowhere};
use super::{Access, Account, GcsSigner, Settings, tokens};
use crate::credentials::{CredentialCache, Credentials, Delegated, Endpoint, Environment};
use crate::error::{Error, Fault, Result};
use crate::options::BucketOptions;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::Stats;
use crate::transport::{Connector, Signer, TransportOptions, fault_of};

/// Opens the bucket: reads the settings and the credential file, gets a first token, builds the client. Nothing is asked of the
/// bucket itself.
///
/// # Errors
/// [`Fault::Config`] for a wrong setting, [`Fault::NoCredentials`] where none are found.
pub(crate) async fn open(options: &BucketOptions, stats: Arc<Stats>) -> Result<Source> {
    open_in(options, stats, &Environment::process()).await
}

pub(super) async fn open_in(options: &BucketOptions, stats: Arc<Stats>, environment: &Environment) -> Result<Source> {
    let settings =
        Settings::read(options, environment).map_err(|fault| Error::new("open", Provider::Gcp.as_str(), fault))?;
    let target = format!("gs://{}", settings.bucket);
    build(options, settings, stats).await.map_err(|fault| Error::new("open", target, fault))
}

async fn build(options: &BucketOptions, settings: Settings, stats: Arc<Stats>) -> Result<Source, Fault> {
    let Settings { bucket, endpoint, access } = settings;
    let Found { credentials, endpoint: of_file } = find(options, access).await?;
    let endpoint = match endpoint.or(of_file) {
        Some(endpoint) => endpoint,
        None => Endpoint::parse("endpoint", GOOGLE)?,
    };
    if let Some(credentials) = &credentials {
        credentials.get().await?;
    }
    let address = match endpoint.as_str() {
        GOOGLE => format!("gs://{bucket}"),
        other => format!("gs://{bucket} at {other}"),
    };
    let signer: Arc<dyn Signer> = Arc::new(GcsSigner::new(credentials));
    let transport = TransportOptions::new(options, address.clone(), Some(signer), stats);
    let quirks = Arc::clone(&transport.quirks);
    let client = ClientOptions::new()
        .with_allow_http(endpoint.is_plain())
        .with_connect_timeout(options.timeout.connect)
        .with_timeout(options.timeout.request);
    // Both given, so that the builder looks for no files and plans to ask no metadata address.
    let nobody = GcpCredential { bearer: String::new() };
    let no_one_signs = GcpSigningCredential { email: String::new(), private_key: None };
    let store = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_base_url(endpoint.as_str())
        .with_credentials(Arc::new(StaticCredentialProvider::new(nobody)))
        .with_signing_credentials(Arc::new(StaticCredentialProvider::new(no_one_signs)))
        .with_skip_signature(true)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_client_options(client)
        .with_http_connector(Connector::new(transport))
        .build()
        .map_err(|error| fault_of(&error))?;
    let store = Arc::new(store);
    Ok(Source {
        provider: Provider::Gcp,
        store: Arc::clone(&store) as _,
        pages: Some(store),
        quirks,
        address,
        large_create: LargeCreate::Multipart,
        ahead: None,
    })
}

/// What [`find`] returns.
struct Found {
    /// `None`: requests carry no authorization.
    credentials: Option<Credentials<GcpCredential>>,
    /// Where a credential file says the service is.
    endpoint: Option<Endpoint>,
}

async fn find(options: &BucketOptions, access: Access) -> Result<Found, Fault> {
    let cached = |source: Delegated<GcpCredential>| {
        let cache = CredentialCache::new(Arc::new(source), Arc::clone(&options.clock));
        Found { credentials: Some(Credentials::Renewed(cache)), endpoint: None }
    };
    let of_instance = || cached(tokens::of_instance(&options.timeout));
    match access {
        Access::Anonymous => Ok(Found { credentials: None, endpoint: None }),
        Access::Bearer(token) => {
            let credential = GcpCredential { bearer: token.expose().to_owned() };
            Ok(Found { credentials: Some(Credentials::fixed(credential)), endpoint: None })
        }
        Access::Metadata => Ok(of_instance()),
        Access::File { origin, path, required, else_metadata } => {
            let Some(account) = Account::read(origin, &path).await? else {
                return match (required, else_metadata) {
                    (true, _) => Err(Fault::NoCredentials { reason: format!("{origin}: there is no such file") }),
                    (false, true) => Ok(of_instance()),
                    (false, false) => Err(nowhere()),
                };
            };
            let found = match account.kind {
                AccountKind::Nobody => Found { credentials: None, endpoint: None },
                AccountKind::Service => cached(tokens::of_service_account(&account.text, &options.timeout)),
                AccountKind::User => cached(tokens::of_user(&path, &options.timeout)),
            };
            Ok(Found { endpoint: account.endpoint, ..found })
        }
    }
}
