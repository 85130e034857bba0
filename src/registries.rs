//! Opens the registry that a store string names, for the database of a bucket and its prefix.

use std::sync::Arc;

use async_trait::async_trait;
use plastron_registry::{
    BucketRegistry, Error, Fault, OpenedRegistry, RegisterRegistry, Registries, Result, SwapRegister,
};
use plastron_sources::Bucket;

use crate::registry_options::{PREFIX_MARK, RegistryName, RegistryOptions};

#[async_trait]
impl Registries for RegistryOptions {
    async fn open(&self, bucket: &Bucket) -> Result<OpenedRegistry> {
        let polling = (self.poll_least, self.poll_most);
        match self.register(bucket).await? {
            Some(register) => Ok(RegisterRegistry::over_bucket(register, bucket, polling)),
            None => {
                let registry = BucketRegistry::new(bucket.clone()).polling(self.poll_least, self.poll_most);
                Ok(OpenedRegistry { registry: Arc::new(registry.clone()), turtles: Arc::new(registry) })
            }
        }
    }

    async fn forget(&self, bucket: &Bucket) -> Result<()> {
        match self.register(bucket).await? {
            Some(register) => RegisterRegistry::forget(register, bucket).await,
            None => Ok(()),
        }
    }
}

impl RegistryOptions {
    /// The register of the database in `bucket`; none if the bucket itself is the registry.
    async fn register(&self, bucket: &Bucket) -> Result<Option<Arc<dyn SwapRegister>>> {
        if self.name == RegistryName::Bucket {
            return Ok(None);
        }
        let (options, prefix) = (self.clone(), bucket.options().prefix.clone());
        // Certificates are read from files.
        let opened = tokio::task::spawn_blocking(move || options.open_register(&prefix)).await;
        opened
            .map_err(|error| refused("registry", Fault::Invalid(format!("it could not be opened: {error}"))))?
            .map(Some)
    }

    fn open_register(&self, prefix: &str) -> Result<Arc<dyn SwapRegister>> {
        match self.name {
            RegistryName::Ickpt => self.ickpt(self.storage_url.replace(PREFIX_MARK, prefix)),
            RegistryName::Etcd => self.etcd(self.key.replace(PREFIX_MARK, prefix)),
            RegistryName::Bucket => Err(refused("registry bucket", Fault::Invalid("it has no register".to_owned()))),
        }
    }

    #[cfg(feature = "ickpt")]
    fn ickpt(&self, storage_url: String) -> Result<Arc<dyn SwapRegister>> {
        let mut options =
            plastron_registry::IckptOptions::new(self.urls.clone(), storage_url, self.auth_token.expose());
        options.certificate_authority.clone_from(&self.ca_file);
        options.call_timeout = self.timeout;
        Ok(Arc::new(plastron_registry::IckptRegister::open(options)?))
    }

    #[cfg(not(feature = "ickpt"))]
    fn ickpt(&self, _: String) -> Result<Arc<dyn SwapRegister>> {
        Err(not_built_in("ickpt"))
    }

    #[cfg(feature = "etcd")]
    fn etcd(&self, key: String) -> Result<Arc<dyn SwapRegister>> {
        let mut options = plastron_registry::EtcdOptions::new(self.endpoints.clone(), key);
        let invalid = |what: &str| refused("registry etcd", Fault::Invalid(what.to_owned()));
        options.client.user = match &self.user {
            Some(_) if self.password.is_empty() => {
                return Err(invalid("there is a user, and no password; give both, or none"));
            }
            Some(user) => Some(plastron_registry::EtcdUser {
                name: user.clone(),
                password: self.password.expose().to_owned().into(),
            }),
            None if !self.password.is_empty() => {
                return Err(invalid("there is a password, and no user; give both, or none"));
            }
            None => None,
        };
        options.client.identity = match (&self.cert_file, &self.key_file) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(invalid("cert_file and key_file belong together; give both, or none")),
        };
        options.client.certificate_authority.clone_from(&self.ca_file);
        options.client.timeout = self.timeout;
        Ok(Arc::new(plastron_registry::EtcdRegister::open(options)?))
    }

    #[cfg(not(feature = "etcd"))]
    fn etcd(&self, _: String) -> Result<Arc<dyn SwapRegister>> {
        Err(not_built_in("etcd"))
    }
}

#[cfg(not(all(feature = "ickpt", feature = "etcd")))]
fn not_built_in(name: &str) -> Error {
    let what = format!("this program was built without the feature '{name}'; build it with that");
    refused("registry", Fault::Unsupported(what))
}

fn refused(target: &str, fault: Fault) -> Error {
    Error::new("open", target, fault)
}
