//! `object_store`'s own credential providers as sources of a [`CredentialCache`](super::CredentialCache).
//!
//! They fetch over HTTP with a client of their own (never through Bucket's transport: a request for a token must not itself be
//! signed), keep their own cache, renew five minutes before the end, and don't say when that is; hence [`Lifetime::Asked`]. A provider
//! that handed out something refused is thrown away with its cache and made anew.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, RetryConfig};
use tokio::sync::Semaphore;

use super::cache::{FetchCredential, Fetched, Lifetime};
use super::scrub::scrub;
use crate::error::Fault;
use crate::options::TimeoutOptions;
use crate::secret::Secret;

type Provider<C> = Arc<dyn CredentialProvider<Credential = C>>;

/// Makes a provider; called once, and again after what it handed out was refused.
pub(crate) type MakeProvider<C> = Box<dyn Fn() -> object_store::Result<Provider<C>> + Send + Sync>;

/// Credentials through one of `object_store`'s providers.
pub(crate) struct Delegated<C> {
    name: &'static str,
    make: Arc<MakeProvider<C>>,
    made: Mutex<Option<Provider<C>>>,
    secrets: Vec<Secret>,
    /// One at a time: a blocking call that never returns costs one thread, not one a minute.
    running: Arc<Semaphore>,
}

impl<C> Delegated<C> {
    /// A source called `name` in messages; `secrets` are kept out of them.
    pub(crate) fn new(name: &'static str, secrets: Vec<Secret>, make: MakeProvider<C>) -> Self {
        Self { name, make: Arc::new(make), made: Mutex::new(None), secrets, running: Arc::new(Semaphore::new(1)) }
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    fn fault(&self, error: &dyn fmt::Display) -> Fault {
        Fault::NoCredentials { reason: format!("{}: {}", self.name, scrub(&error.to_string(), &self.secrets)) }
    }
}

#[async_trait]
impl<C: Send + Sync + 'static> FetchCredential<C> for Delegated<C> {
    async fn fetch(&self, fresh: bool) -> Result<Fetched<C>, Fault> {
        let made = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            if fresh {
                *made = None;
            }
            made.clone()
        };
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else {
            return Err(self.fault(&"an earlier attempt still hangs"));
        };
        // Some of them read files or run programs with blocking calls.
        let make = Arc::clone(&self.make);
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let _permit = permit;
            let provider = made.map_or_else(|| make(), Ok)?;
            let credential = runtime.block_on(provider.get_credential())?;
            Ok::<_, object_store::Error>((provider, credential))
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok((provider, credential))) => {
                *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(provider);
                Ok(Fetched { credential, lifetime: Lifetime::Asked })
            }
            // What `Generic` says around its source is the library's own name for the store.
            Ok(Err(object_store::Error::Generic { source, .. })) => Err(self.fault(&source)),
            Ok(Err(error)) => Err(self.fault(&error)),
            Err(_) => Err(self.fault(&"the attempt was interrupted")),
        }
    }
}

impl<C> fmt::Debug for Delegated<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delegated({})", self.name)
    }
}

/// The HTTP client's options for requests to token services: `https` unless `allow_http`.
pub(crate) fn token_client_options(timeout: &TimeoutOptions, allow_http: bool) -> ClientOptions {
    ClientOptions::new().with_allow_http(allow_http).with_connect_timeout(timeout.connect).with_timeout(timeout.request)
}

/// Retries of a token request, well within the time a fetch may take.
pub(crate) fn token_retry(retries: usize) -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(200), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: retries, retry_timeout: Duration::from_secs(15) }
}
