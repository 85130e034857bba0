//! From options to a source.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};

use super::{S3Signer, Settings};
use crate::credentials::{Credentials, Environment};
use crate::error::{Error, Fault, Result};
use crate::options::BucketOptions;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::Stats;
use crate::transport::{Connector, Signer, TransportOptions, fault_of};

/// Opens the bucket: reads the settings, finds region and credentials, builds the client. Nothing is asked of the bucket itself.
///
/// # Errors
/// [`Fault::Config`] for a wrong setting, [`Fault::NoCredentials`] where none are found.
pub(crate) async fn open(options: &BucketOptions, stats: Arc<Stats>) -> Result<Source> {
    open_in(options, stats, &Environment::process()).await
}

pub(super) async fn open_in(options: &BucketOptions, stats: Arc<Stats>, environment: &Environment) -> Result<Source> {
    let settings =
        Settings::read(options, environment).map_err(|fault| Error::new("open", Provider::S3.as_str(), fault))?;
    let target = format!("s3://{}", settings.bucket);
    build(options, settings, stats, environment).await.map_err(|fault| Error::new("open", target, fault))
}

async fn build(
    options: &BucketOptions,
    settings: Settings,
    stats: Arc<Stats>,
    environment: &Environment,
) -> Result<Source, Fault> {
    let Found { region, credentials } = find(options, &settings, environment).await?;
    // A chain that finds nothing is said at once, not at the first request.
    credentials.get().await?;
    let (url, address) = (settings.url(&region), settings.address(&region));
    let large_create = if settings.is_amazons() { LargeCreate::Multipart } else { LargeCreate::Claimed };
    let signer: Arc<dyn Signer> = Arc::new(S3Signer::new(region.clone(), credentials));
    let transport = TransportOptions::new(options, address.clone(), Some(signer), stats);
    let quirks = Arc::clone(&transport.quirks);
    let client = ClientOptions::new()
        .with_allow_http(settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.is_plain()))
        .with_connect_timeout(options.timeout.connect)
        .with_timeout(options.timeout.request);
    // Without a credential of its own the builder would plan to ask the instance's metadata address.
    let none = AwsCredential { key_id: String::new(), secret_key: String::new(), token: None };
    let store = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(region)
        // "Virtual hosted" to the builder means that the endpoint is the bucket's own URL, of either style.
        .with_endpoint(url)
        .with_virtual_hosted_style_request(true)
        .with_credentials(Arc::new(StaticCredentialProvider::new(none)))
        .with_skip_signature(true)
        // One plain DELETE each: a bulk delete answers 200 and hides what went wrong in its body.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_client_options(client)
        .with_http_connector(Connector::new(transport))
        .build()
        .map_err(|error| fault_of(&error))?;
    let store = Arc::new(store);
    Ok(Source {
        provider: Provider::S3,
        store: Arc::clone(&store) as _,
        pages: Some(store),
        quirks,
        address,
        large_create,
        ahead: None,
    })
}

/// What [`find`] returns.
pub(super) struct Found {
    pub(super) region: String,
    pub(super) credentials: Credentials<AwsCredential>,
}

/// Region and credentials, from the AWS chain where the settings have none.
#[cfg(feature = "aws-chain")]
pub(super) async fn find(
    options: &BucketOptions,
    settings: &Settings,
    environment: &Environment,
) -> Result<Found, Fault> {
    let given = settings.credential.as_ref().map(copy);
    if let (Some(region), Some(credential)) = (&settings.region, given) {
        return Ok(Found { region: region.clone(), credentials: Credentials::fixed(credential) });
    }
    let chain = super::chain::load(options, settings.region.as_deref(), environment).await?;
    let region = chain.region().ok_or_else(no_region)?;
    let credentials = match settings.credential.as_ref().map(copy) {
        Some(credential) => Credentials::fixed(credential),
        None => chain.credentials(Arc::clone(&options.clock))?,
    };
    Ok(Found { region, credentials })
}

/// Region and credentials; this build has no chain to ask.
#[cfg(not(feature = "aws-chain"))]
pub(super) async fn find(_: &BucketOptions, settings: &Settings, _: &Environment) -> Result<Found, Fault> {
    let credential = settings.credential.as_ref().map(copy).ok_or_else(|| Fault::NoCredentials {
        reason: "auth_token is empty and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; set either, or build with the \
                 feature aws-chain, which looks in profiles, SSO, web identity, container and instance roles"
            .to_owned(),
    })?;
    let region = settings.region.clone().ok_or_else(no_region)?;
    Ok(Found { region, credentials: Credentials::fixed(credential) })
}

fn copy(credential: &AwsCredential) -> AwsCredential {
    let AwsCredential { key_id, secret_key, token } = credential;
    AwsCredential { key_id: key_id.clone(), secret_key: secret_key.clone(), token: token.clone() }
}

fn no_region() -> Fault {
    Fault::Config(
        "no region: write it into the bucket (\"name;region\") or into region=, or set AWS_REGION or the profile's region".to_owned(),
    )
}
