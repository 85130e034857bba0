//! A bucket that is measured, as Plastron opens it and as a bare client does.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use plastron::clock::{Entropy, SystemEntropy};
use plastron::{BucketOptions, FileSystem, Provider, Store, StoreOptions};

use super::bare::Bare;
use crate::context::{Context, Stopwatch};
use crate::failure::{Failure, Result};
use crate::jobs::Jobs;

/// Deletes at once.
const DELETES_AT_ONCE: usize = 16;

/// One bucket, twice. All names begin with a prefix of this run's own.
#[derive(Debug)]
pub(super) struct Subject {
    /// What it is called in a row.
    pub(super) label: &'static str,
    /// How it was opened.
    pub(super) options: BucketOptions,
    /// Without a cache: what is measured is the way to the bucket.
    pub(super) files: FileSystem,
    /// The same bucket through `object_store` alone.
    pub(super) bare: Bare,
    prefix: String,
}

impl Subject {
    /// Opens the store that the command was given, both ways.
    pub(super) async fn given(context: &Context) -> Result<Self> {
        let options = context.options()?.bucket;
        let store = context.open_with(without_cache(options.clone())).await?;
        Self::new(options, &store).await
    }

    /// Opens a bucket of the benchmark's own, both ways.
    pub(super) async fn own(options: BucketOptions) -> Result<Self> {
        let store = Store::open_with(without_cache(options.clone())).await?;
        Self::new(options, &store).await
    }

    async fn new(options: BucketOptions, store: &Store) -> Result<Self> {
        let (bare, files) = (Bare::open(&options).await?, store.file_system().clone());
        let prefix = format!("plastron-bench-{:016x}/", SystemEntropy::default().next_u64());
        let label = match options.provider {
            Provider::Dir => "dir",
            Provider::Memory => "memory",
            Provider::S3 => "s3",
            Provider::Azure => "azure",
            Provider::Gcp => "gcp",
            _ => "bucket",
        };
        Ok(Self { label, options, files, bare, prefix })
    }

    /// A name of this run's own.
    pub(super) fn name(&self, name: impl std::fmt::Display) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Stores `data` under `name`, and returns how long that took.
    pub(super) async fn put(&self, name: &str, data: Bytes) -> Result<Duration> {
        let watch = Stopwatch::start();
        self.files.put(name, data).await?;
        Ok(watch.elapsed())
    }

    /// Removes what Plastron stored under `names`.
    pub(super) async fn remove(&self, jobs: &Jobs, names: Vec<String>) -> Result<()> {
        let start = |name: String| {
            let files = self.files.clone();
            async move { files.remove(&name).await.map_err(Failure::from) }
        };
        jobs.each(names, DELETES_AT_ONCE, start, async |done: Result<()>| done).await
    }

    /// Removes what the bare client stored under `names`.
    pub(super) async fn remove_bare(&self, jobs: &Jobs, names: Vec<String>) -> Result<()> {
        let start = |name: String| {
            let bare = self.bare.clone();
            async move { bare.delete(&name).await }
        };
        jobs.each(names, DELETES_AT_ONCE, start, async |done: Result<()>| done).await
    }

    /// Removes whatever a run that failed left.
    pub(super) async fn clear(&self) -> Result<()> {
        let mut entries = self.files.list(&self.prefix);
        while let Some(entry) = entries.next().await {
            self.files.remove(&entry?.name).await?;
        }
        Ok(())
    }
}

fn without_cache(options: BucketOptions) -> StoreOptions {
    let mut options = StoreOptions::new(options);
    options.cache = None;
    options
}
