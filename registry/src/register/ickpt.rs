//! The register that a group of `ickpt` instances keeps.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_config::ErrorKind;
use plastron_ickpt::quorum::{HttpInstance, HttpInstanceOptions, Quorum, QuorumOptions, Swap};
use plastron_ickpt::{HttpClient, MAX_VALUE_BYTES, Origin, StorageUrl};

use super::swap_register::{RegisterFault, SwapRegister, Swapped};
use crate::error::{Error, Fault, Result};

/// How a group is found.
#[derive(Clone)]
#[non_exhaustive]
pub struct IckptOptions {
    /// The instances' URLs: 1, 3, 5, 7 or 9; always all of a group.
    pub urls: Vec<String>,
    /// The object in the store that stands for the volume. It must exist.
    pub storage_url: String,
    /// The store's token.
    pub auth_token: String,
    /// Certificate authority of the instances, PEM, besides those of the machine.
    pub certificate_authority: Option<std::path::PathBuf>,
    /// Deadline of one call to one instance.
    pub call_timeout: Duration,
}

impl IckptOptions {
    /// For these instances, this object, and this token; ten seconds a call.
    pub fn new(urls: Vec<String>, storage_url: impl Into<String>, auth_token: impl Into<String>) -> Self {
        let (storage_url, auth_token) = (storage_url.into(), auth_token.into());
        Self { urls, storage_url, auth_token, certificate_authority: None, call_timeout: Duration::from_secs(10) }
    }
}

impl std::fmt::Debug for IckptOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IckptOptions")
            // There may be a password in a URL, where it does not belong.
            .field("urls", &self.urls.len())
            .finish_non_exhaustive()
    }
}

/// A group of `ickpt` instances as a register. Cheap to clone.
#[derive(Debug, Clone)]
pub struct IckptRegister {
    quorum: Arc<Quorum<HttpInstance>>,
    address: Arc<str>,
}

impl IckptRegister {
    /// The group of `options`; nobody is asked yet.
    ///
    /// # Errors
    /// `Invalid` for URLs that can't be used, or an even number of instances.
    pub fn open(options: IckptOptions) -> Result<Self> {
        let IckptOptions { urls, storage_url, auth_token, certificate_authority, call_timeout } = options;
        let invalid = |what: String| Error::new("open", "registry ickpt", Fault::Invalid(what));
        let url =
            StorageUrl::parse(&storage_url).map_err(|what| invalid(format!("storage_url can't be used: {what}")))?;
        let client = HttpClient::to_instances(certificate_authority.as_deref());
        let client = client.map_err(|error| invalid(error.to_string()))?;
        let address: Arc<str> = format!("ickpt {url}").into();
        let shared = HttpInstanceOptions::new(url, auth_token, client);
        let mut instances = Vec::new();
        for text in urls {
            // The text is not said again: there may be a password in it.
            let origin = Origin::parse(&text).map_err(|what| {
                invalid(format!("the URL of instance {} can't be used: {what}", instances.len() + 1))
            })?;
            instances.push(HttpInstance::new(origin, shared.clone()));
        }
        let mut options = QuorumOptions::default();
        options.call_timeout = call_timeout;
        let quorum = Quorum::new(instances, &*address, options).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { quorum: Arc::new(quorum), address })
    }

    fn fault(&self, error: &plastron_ickpt::Error) -> Fault {
        match error.kind() {
            ErrorKind::Unavailable => Fault::Bucket(self.unavailable(error)),
            ErrorKind::Unauthorized => {
                let code = error.fault().to_string();
                Fault::Bucket(plastron_sources::Error::new(
                    "ask",
                    &*self.address,
                    plastron_sources::Fault::Forbidden { code },
                ))
            }
            ErrorKind::Corrupt => Fault::corrupt(0, error.fault().to_string()),
            ErrorKind::NotFound => {
                Fault::Invalid(format!("{}; create the object that stands for the volume first", error.fault()))
            }
            _ => Fault::Invalid(error.fault().to_string()),
        }
    }

    fn unavailable(&self, error: &plastron_ickpt::Error) -> plastron_sources::Error {
        let (endpoint, reason) = (self.address.to_string(), error.fault().to_string());
        plastron_sources::Error::new("ask", &*self.address, plastron_sources::Fault::Unreachable { endpoint, reason })
    }
}

#[async_trait]
impl SwapRegister for IckptRegister {
    fn address(&self) -> String {
        self.address.to_string()
    }

    fn max_value_bytes(&self) -> usize {
        MAX_VALUE_BYTES
    }

    async fn read(&self) -> Result<Option<Bytes>, Fault> {
        self.quorum.read().await.map_err(|error| self.fault(&error))
    }

    async fn swap(&self, expected: Option<&Bytes>, new: Bytes) -> Result<Swapped, RegisterFault> {
        self.replace(expected, Some(new)).await
    }

    async fn clear(&self, expected: &Bytes) -> Result<Swapped, RegisterFault> {
        match self.replace(Some(expected), None).await? {
            Swapped::Differs(None) | Swapped::Overwritten(None) => Ok(Swapped::Done),
            swapped => Ok(swapped),
        }
    }
}

impl IckptRegister {
    async fn replace(&self, expected: Option<&Bytes>, new: Option<Bytes>) -> Result<Swapped, RegisterFault> {
        match self.quorum.swap(expected, new).await {
            Ok(Swap::Done) => Ok(Swapped::Done),
            Ok(Swap::Differs(found)) => Ok(Swapped::Differs(found)),
            Ok(Swap::Overwritten(found)) => Ok(Swapped::Overwritten(found)),
            Err(error) if matches!(error.fault(), plastron_ickpt::Fault::Indeterminate(_)) => {
                Err(RegisterFault::Unknown(self.unavailable(&error)))
            }
            Err(error) => Err(RegisterFault::Failed(self.fault(&error))),
        }
    }
}
