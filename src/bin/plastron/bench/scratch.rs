//! A directory for buckets and caches of the benchmark's own, removed at the end.

use std::path::{Path, PathBuf};

use plastron::{BucketOptions, Provider};
use tempfile::TempDir;

use crate::failure::{Failure, Result};

/// Goes with everything in it when dropped.
#[derive(Debug)]
pub(super) struct Scratch(TempDir);

impl Scratch {
    /// In `parent`, or where temporary files go.
    pub(super) async fn make(parent: Option<PathBuf>) -> Result<Self> {
        let parent = parent.unwrap_or_else(std::env::temp_dir);
        let shown = parent.clone();
        let make = move || tempfile::Builder::new().prefix("plastron-bench-").tempdir_in(parent);
        let made = tokio::task::spawn_blocking(make).await?;
        made.map(Self).map_err(|error| Failure::local("make a directory in", &shown, &error))
    }

    /// The path of `name` in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new directory `name` in it.
    pub(super) async fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        tokio::fs::create_dir(&path).await.map_err(|error| Failure::local("make directory", &path, &error))?;
        Ok(path)
    }

    /// A bucket in a new directory `name` in it.
    pub(super) async fn bucket(&self, name: &str) -> Result<BucketOptions> {
        directory_bucket(&self.directory(name).await?)
    }
}

/// The directory `path` as a bucket.
pub(super) fn directory_bucket(path: &Path) -> Result<BucketOptions> {
    let path = path
        .to_str()
        .ok_or_else(|| Failure::usage("the directory for temporary files must be UTF-8; give --scratch"))?;
    Ok(BucketOptions::new(Provider::Dir, path))
}
