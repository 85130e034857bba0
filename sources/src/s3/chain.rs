//! The AWS credential chain: environment, profiles (with SSO, assumed roles and `credential_process`), web identity, container and
//! instance roles; and the region those know.
//!
//! The chain is loaded once per bucket. Its provider fetches anew on every call, so [`CredentialCache`] keeps what it returns.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use futures::future::{Either, select};
use object_store::aws::AwsCredential;

use super::token;
use crate::clock::Clock;
use crate::credentials::{CredentialCache, Credentials, Environment, FetchCredential, Fetched, Lifetime, scrub};
use crate::error::Fault;
use crate::options::BucketOptions;

/// Longest that finding a region may take; the instance's metadata address is the last one asked and times out within seconds where
/// there is none.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);

/// What the chain knows.
pub(super) struct Chain {
    config: SdkConfig,
}

/// Loads the chain; `region` if it is known already. `environment` is used by tests; otherwise the chain reads the process's own.
pub(super) async fn load(
    options: &BucketOptions,
    region: Option<&str>,
    environment: &Environment,
) -> Result<Chain, Fault> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    #[cfg(test)]
    {
        let variables: std::collections::HashMap<_, _> =
            environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        loader = loader.env(variables.into());
    }
    #[cfg(not(test))]
    let _ = environment;
    match select(Box::pin(loader.load()), options.clock.sleep(LOAD_DEADLINE)).await {
        Either::Left((config, _)) => Ok(Chain { config }),
        Either::Right(((), _)) => Err(Fault::Unreachable {
            endpoint: "the AWS credential chain".to_owned(),
            reason: format!("no answer within {} s", LOAD_DEADLINE.as_secs()),
        }),
    }
}

impl Chain {
    /// The region it was given or found.
    pub(super) fn region(&self) -> Option<String> {
        self.config.region().map(ToString::to_string)
    }

    /// Its credentials, cached and renewed.
    pub(super) fn credentials(&self, clock: Arc<dyn Clock>) -> Result<Credentials<AwsCredential>, Fault> {
        let provider = self
            .config
            .credentials_provider()
            .ok_or_else(|| Fault::NoCredentials { reason: "the AWS chain has no credential provider".to_owned() })?;
        Ok(Credentials::Renewed(CredentialCache::new(Arc::new(Link(provider)), clock)))
    }
}

/// The chain's provider as a source of credentials.
struct Link(SharedCredentialsProvider);

#[async_trait]
impl FetchCredential<AwsCredential> for Link {
    async fn fetch(&self, _fresh: bool) -> Result<Fetched<AwsCredential>, Fault> {
        let found = self.0.provide_credentials().await.map_err(|error| fault(&error))?;
        let session = found.session_token().unwrap_or_default();
        let credential = token::check(found.access_key_id(), found.secret_access_key(), session).map_err(|part| {
            Fault::NoCredentials {
                reason: format!(
                    "the {part} from the AWS chain holds a blank, a control character or a letter beyond ASCII"
                ),
            }
        })?;
        let lifetime = found.expiry().map_or(Lifetime::Open, Lifetime::Until);
        Ok(Fetched { credential: Arc::new(credential), lifetime })
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AWS credential chain")
    }
}

fn fault(error: &CredentialsError) -> Fault {
    let mut said = Vec::new();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause.filter(|_| said.len() < 8) {
        said.push(error.to_string());
        cause = error.source();
    }
    let said = scrub(&said.join(": "), &[]);
    match error {
        CredentialsError::ProviderTimedOut(_) => {
            Fault::Unreachable { endpoint: "the AWS credential chain".to_owned(), reason: said }
        }
        CredentialsError::CredentialsNotLoaded(_) => Fault::NoCredentials {
            reason: format!(
                "auth_token is empty and the AWS chain (environment, profile, web identity, container and instance role) has none \
                 ({said}); set auth_token=\"ACCESS_KEY;SECRET_KEY\" or one of those"
            ),
        },
        _ => Fault::NoCredentials { reason: format!("the AWS chain failed: {said}") },
    }
}
