//! What a database in a bucket is opened from.

use std::sync::Arc;

use plastron_cache::Cache;
use plastron_keys::KeyManagement;
use plastron_registry::{
    Ancestor, BucketRegistries, BucketRegistry, CheckpointRegistry, OpenedRegistry, Pin, Registries, TurtleHistory,
};
use plastron_sources::Bucket;
use plastron_sources::clock::{Clock, Entropy};
use plastron_sources::failpoint::{Failpoint, reach};

use super::CheckpointFault;
use super::retention::RetentionOptions;
use crate::page_log::{PageLogOptions, PageLogParts};

/// What a database in a bucket is opened from, by its leader and by its followers. A database is a bucket with its prefix.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Volume {
    /// Where everything is.
    pub bucket: Bucket,
    /// What is read through; none for no cache.
    pub cache: Option<Cache>,
    /// What seals the records. One for each leader and follower: the module knows one KEK blob at a time.
    pub keys: KeyManagement,
    /// Who knows the latest checkpoint.
    pub registry: Arc<dyn CheckpointRegistry>,
    /// The turtles that are there.
    pub turtles: Arc<dyn TurtleHistory>,
    /// What opens the registry of a clone.
    pub registries: Arc<dyn Registries>,
    /// How the page log works.
    pub page_log: PageLogOptions,
    /// How long checkpoints are kept.
    pub retention: RetentionOptions,
    /// What this process calls itself in turtles and pins; for people.
    pub owner: Arc<str>,
}

impl Volume {
    /// The database in `bucket`, without cache and keys, whose registry is the bucket itself.
    pub fn new(bucket: Bucket, owner: impl Into<Arc<str>>) -> Self {
        let turtles = BucketRegistry::new(bucket.clone());
        Self {
            bucket,
            cache: None,
            keys: KeyManagement::none(),
            registry: Arc::new(turtles.clone()),
            turtles: Arc::new(turtles),
            registries: Arc::new(BucketRegistries),
            page_log: PageLogOptions::new(),
            retention: RetentionOptions::new(),
            owner: owner.into(),
        }
    }

    /// The same with the registry that `registries` has for it.
    ///
    /// # Errors
    /// Those of [`Registries::open`].
    pub async fn with_registries(mut self, registries: Arc<dyn Registries>) -> Result<Self, CheckpointFault> {
        let OpenedRegistry { registry, turtles } = registries.open(&self.bucket).await?;
        (self.registry, self.turtles, self.registries) = (registry, turtles, registries);
        Ok(self)
    }

    /// Where the database is, for people.
    pub fn address(&self) -> String {
        match self.bucket.options().prefix.as_str() {
            "" => self.bucket.address().to_owned(),
            prefix => format!("{} under {prefix}", self.bucket.address()),
        }
    }

    pub(crate) fn nothing_published(&self) -> CheckpointFault {
        CheckpointFault::NothingPublished { address: self.address() }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.bucket.options().clock
    }

    fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.bucket.options().entropy
    }

    /// 128 random bits, for names; not for keys.
    pub(crate) fn random(&self) -> u128 {
        u128::from(self.entropy().next_u64()) << 64 | u128::from(self.entropy().next_u64())
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        let since = self.clock().wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// The bucket, names under `_plastron/` included.
    pub(crate) fn system(&self) -> Bucket {
        self.bucket.system()
    }

    /// Where the ancestors' objects are.
    fn homes(&self, ancestors: &[Ancestor]) -> Result<Vec<(u64, Bucket)>, CheckpointFault> {
        let home = |ancestor: &Ancestor| Ok((ancestor.last_epoch, self.bucket.at_prefix(&ancestor.prefix)?));
        ancestors.iter().map(home).collect()
    }

    /// The bucket where what was written in `epoch` is, names under `_plastron/` included.
    pub(crate) fn home(&self, epoch: u64, ancestors: &[Ancestor]) -> Result<Bucket, CheckpointFault> {
        match ancestors.iter().find(|ancestor| epoch <= ancestor.last_epoch) {
            Some(ancestor) => Ok(self.bucket.at_prefix(&ancestor.prefix)?.system()),
            None => Ok(self.system()),
        }
    }

    /// What the page log is opened from.
    pub(crate) fn parts(&self, ancestors: &[Ancestor]) -> Result<PageLogParts, CheckpointFault> {
        let mut parts = PageLogParts::new(self.bucket.clone());
        parts.ancestors = self.homes(ancestors)?;
        parts.cache.clone_from(&self.cache);
        parts.keys = self.keys.clone();
        parts.options = self.page_log.clone();
        Ok(parts)
    }

    /// Creates a pin's object.
    pub(crate) async fn put_pin(&self, pin: &Pin) -> Result<(), CheckpointFault> {
        let name = pin.name.object_name();
        let bytes = pin.encode().map_err(CheckpointFault::format(name.as_str()))?;
        reach(Failpoint::PinWriteBefore);
        self.system().put(&name, bytes).await?;
        reach(Failpoint::PinWriteAfter);
        Ok(())
    }
}
