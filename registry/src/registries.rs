//! Opening the registry of a database: of this one, and of a clone under another prefix.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use plastron_sources::Bucket;

use crate::bucket::BucketRegistry;
use crate::checkpoint_registry::CheckpointRegistry;
use crate::error::Result;
use crate::turtle_history::TurtleHistory;

/// A registry, and the history of its turtles.
#[derive(Debug, Clone)]
pub struct OpenedRegistry {
    /// Who knows the latest.
    pub registry: Arc<dyn CheckpointRegistry>,
    /// What is there.
    pub turtles: Arc<dyn TurtleHistory>,
}

/// Opens registries of one kind.
#[async_trait]
pub trait Registries: fmt::Debug + Send + Sync + 'static {
    /// The registry of the database that is `bucket` with its prefix.
    ///
    /// # Errors
    /// `Invalid` for settings that don't fit.
    async fn open(&self, bucket: &Bucket) -> Result<OpenedRegistry>;

    /// Forgets the database that was in `bucket`, all of whose objects are gone, so that another may begin in its place.
    ///
    /// # Errors
    /// `Invalid` if something of it is still there; those of whoever keeps it.
    async fn forget(&self, bucket: &Bucket) -> Result<()>;
}

/// Registries that are the bucket itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct BucketRegistries;

#[async_trait]
impl Registries for BucketRegistries {
    async fn open(&self, bucket: &Bucket) -> Result<OpenedRegistry> {
        let registry = BucketRegistry::new(bucket.clone());
        Ok(OpenedRegistry { registry: Arc::new(registry.clone()), turtles: Arc::new(registry) })
    }

    /// There is nothing else to forget than the objects.
    async fn forget(&self, _: &Bucket) -> Result<()> {
        Ok(())
    }
}
