//! The file system itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use plastron_cache::Cache;
use plastron_sources::{Bucket, ListEntry, ListOptions, ListedObject, ObjectInfo, Payload};
use tokio::runtime::Handle;

use super::caching::Caching;
use super::{FileHandle, FileWriter};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store_stats::StoreStats;

/// The write-once-read-many file system on a bucket. Cheap to clone; clones share bucket and cache.
///
/// All asynchronous methods need the tokio runtime on which the file system was opened, or any other with time and I/O enabled.
/// Dropping the future of any of them leaves nothing half done.
#[derive(Clone)]
pub struct FileSystem {
    shared: Arc<Shared>,
}

/// What all clones and handles share.
pub(crate) struct Shared {
    pub(crate) bucket: Bucket,
    pub(crate) caching: Option<Caching>,
    /// Does the work of blocking reads that miss the cache.
    pub(crate) runtime: Handle,
}

impl FileSystem {
    /// Opens the file system of the store that a configuration string or URL names; see [`Store::open`].
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open(store: &str) -> Result<Self> {
        Ok(Store::open(store).await?.file_system().clone())
    }

    /// A file system on an opened bucket, with a cache or without. Must be called on a tokio runtime, which does the work of
    /// blocking reads that miss the cache. What is created enters the cache; see [`FileSystem::with_write_through`].
    pub fn from_parts(bucket: Bucket, cache: Option<Cache>) -> Self {
        let caching = cache.map(|cache| Caching::new(&bucket, cache));
        Self { shared: Arc::new(Shared { bucket, caching, runtime: Handle::current() }) }
    }

    /// The same file system, with the same bucket and cache, in which what is created enters the cache or does not. It does unless
    /// told otherwise, so that reading it back costs no request: files of up to 64 MiB, and local files of any size. A program that
    /// writes much and reads little of it soon is better off without.
    pub fn with_write_through(&self, write_through: bool) -> Self {
        let Shared { bucket, caching, runtime } = &*self.shared;
        let caching = caching.as_ref().map(|caching| caching.with_write_through(write_through));
        Self { shared: Arc::new(Shared { bucket: bucket.clone(), caching, runtime: runtime.clone() }) }
    }

    /// The bucket beneath.
    pub fn bucket(&self) -> &Bucket {
        &self.shared.bucket
    }

    /// The cache in between, if there is one.
    pub fn cache(&self) -> Option<&Cache> {
        self.shared.caching.as_ref().map(Caching::cache)
    }

    /// What bucket and cache did since they were opened.
    pub fn stats(&self) -> StoreStats {
        StoreStats { bucket: self.bucket().stats(), cache: self.cache().map(Cache::stats) }
    }

    /// The files whose names begin with `prefix` (any string, empty for all), by name, bytewise. Any number of files is listed in
    /// bounded memory.
    ///
    /// Each error ends the stream: `Invalid` for a prefix that no name can begin with, and those of the bucket.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<ListedObject>> {
        let entries = self.bucket().list(prefix, ListOptions::default());
        let files = entries.filter_map(|entry| async move {
            // Without a delimiter there are no prefixes in a listing.
            entry.map(ListEntry::into_object).map_err(Error::from).transpose()
        });
        files.boxed()
    }

    /// Whether there is a file `name`, from one request.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be, or a bucket that is gone; `Unauthorized`, `Unavailable`.
    pub async fn exists(&self, name: &str) -> Result<bool> {
        Ok(self.bucket().exists(name).await?)
    }

    /// The file's size in bytes, from one request.
    ///
    /// # Errors
    /// As [`FileSystem::stat`].
    pub async fn size(&self, name: &str) -> Result<u64> {
        Ok(self.stat(name).await?.size)
    }

    /// What is known about the file, from one request.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a name that cannot be, or a bucket that is gone; `Corrupt` if its own account of its checksums
    /// cannot be decoded; `Unauthorized`, `Unavailable`.
    pub async fn stat(&self, name: &str) -> Result<ObjectInfo> {
        Ok(self.bucket().head(name).await?)
    }

    /// Opens the file for reading, with one request; no read asks for metadata again. It may be opened by any number of
    /// threads, and stays readable until it is removed.
    ///
    /// # Errors
    /// As [`FileSystem::stat`]; `Unsupported` with `checksums=required` if it carries none.
    pub async fn open_file(&self, name: &str) -> Result<FileHandle> {
        let object = self.bucket().open_object(name).await?;
        Ok(FileHandle::new(Arc::clone(&self.shared), object))
    }

    /// Reads the file whole into memory, with one request if it has no more than `part_size` bytes: for what is small and read
    /// at once. The cache is not asked, since only the bucket can tell which file of that name there is.
    ///
    /// # Errors
    /// As [`FileSystem::open_file`] and [`FileHandle::read`].
    pub async fn get(&self, name: &str) -> Result<Bytes> {
        Ok(self.bucket().get(name).await?.1)
    }

    /// Begins to create the file. It becomes visible, whole, when [`FileWriter::close`] returns success; if the writer is
    /// dropped before, nothing ever is. The name is not taken until then either: of several creators, the first to close wins.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be; `Unsupported` for a bucket that is opened read-only.
    pub async fn create(&self, name: &str) -> Result<FileWriter> {
        let writer = self.bucket().writer(name).await?;
        Ok(FileWriter::new(Arc::clone(&self.shared), writer))
    }

    /// Creates the file from bytes in memory. It is visible when this returns success, and not before.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken, whoever else may be creating it; nothing is changed then. `Invalid` for a name
    /// that cannot be; `Unsupported` for a bucket that is opened read-only; `Corrupt` if what arrived is not what was sent;
    /// `Unauthorized`, `Unavailable`.
    pub async fn put(&self, name: &str, data: impl Into<Payload>) -> Result<ObjectInfo> {
        let data = data.into();
        let kept = self.shared.caching.as_ref().and_then(Caching::begin).and_then(|kept| kept.with(&data));
        let info = self.bucket().put(name, data).await?;
        if let (Some(caching), Some(kept)) = (&self.shared.caching, kept) {
            caching.admit(&info, kept).await;
        }
        Ok(info)
    }

    /// Creates the file from a local file, which is never in memory whole.
    ///
    /// # Errors
    /// As [`FileSystem::put`]; those of the local file system; `Conflict` if the local file changed while it was read.
    pub async fn put_file(&self, name: &str, path: impl AsRef<Path>) -> Result<ObjectInfo> {
        let path = path.as_ref();
        let info = self.bucket().put_file(name, path).await?;
        self.admit_file(&info, path).await;
        Ok(info)
    }

    /// Puts the content of the local file at `path` into the cache, from which [`FileSystem::bucket`] was given the file that `info` is
    /// about: for a caller who has to report that it is stored before the cache has it. [`FileSystem::put_file`] does both.
    ///
    /// What differs from the file, and what the cache does not take, is left out and read from the bucket when it is needed. Nothing
    /// happens without a cache or if what is created does not enter it.
    pub async fn admit_file(&self, info: &ObjectInfo, path: impl AsRef<Path>) {
        if let Some(caching) = &self.shared.caching {
            caching.admit_file(info, path.as_ref()).await;
        }
    }

    /// Removes the file, from the bucket and from this process's cache. Handles that are open may fail with `NotFound` from then
    /// on, or go on reading what they find in the cache.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Unsupported` for a bucket that is opened read-only; `Invalid`, `Unauthorized`, `Unavailable`.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let Some(caching) = &self.shared.caching else { return Ok(self.bucket().delete(name).await?) };
        // The cache knows objects by etag and size.
        let info = self.bucket().head(name).await;
        self.bucket().delete(name).await?;
        if let Ok(info) = info {
            caching.forget(&info).await;
        }
        Ok(())
    }

    /// Always fails: a file keeps its name. Here for engines whose interface has it.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn rename(&self, from: &str, _to: &str) -> Result<()> {
        Err(Error::immutable("rename", from))
    }

    /// Waits until what abandoned writers left behind has been removed, and what was read is in the cache's directory; for the end of a
    /// program. The file system can be used further. Takes no longer than twice the bucket's retry deadline.
    pub async fn close(&self) {
        self.bucket().close().await;
        if let Some(cache) = self.cache() {
            let options = self.bucket().options();
            // A directory that does not answer is no reason never to end.
            let late = options.clock.sleep(options.retry.deadline);
            tokio::select! {
                () = cache.settle() => {}
                () = late => tracing::warn!("blocks were not written to the cache's directory in time; they will be fetched again"),
            }
        }
    }
}

impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSystem").field("bucket", self.bucket()).field("cached", &self.cache().is_some()).finish()
    }
}
