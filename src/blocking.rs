//! The file system for synchronous engines: the same promises, no runtime in sight.
//!
//! A [`FileSystem`] of this module brings its own runtime, whose threads do the network's work; calls wait on the calling thread. A
//! read of what the cache has never leaves the calling thread. Everything may be called from any thread, except from the thread of
//! somebody's single-threaded tokio runtime, which the wait would stop: there calls that need the network are `Unsupported`.
//!
//! ```
//! # fn main() -> Result<(), plastron::Error> {
//! let files = plastron::blocking::FileSystem::open("source=memory_store,bucket=example")?;
//! files.put("table-1.wt", "hello, turtle")?;
//!
//! let file = files.open_file("table-1.wt")?;
//! let mut word = [0; 6];
//! file.read_at(7, &mut word)?;
//! assert_eq!(&word, b"turtle");
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use plastron_sources::{ListedObject, ObjectInfo, Payload};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Fault, Result};
use crate::file_system::waiting::wait;
use crate::store::{Store, StoreOptions};
use crate::store_stats::StoreStats;

/// A runtime that may be dropped anywhere: it ends in the background, since waiting for it is forbidden on some threads.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The write-once-read-many file system, for synchronous code. Cheap to clone; the runtime ends with the last clone, file and
/// writer.
#[derive(Clone)]
pub struct FileSystem {
    runtime: Arc<OwnRuntime>,
    files: crate::FileSystem,
}

impl FileSystem {
    /// Opens the store that a configuration string or URL names.
    ///
    /// # Errors
    /// Those of [`Store::open`]; `Unavailable` if the system has no more threads.
    pub fn open(store: &str) -> Result<Self> {
        Self::open_with(StoreOptions::parse(store)?)
    }

    /// Opens a store from options.
    ///
    /// # Errors
    /// As [`FileSystem::open`].
    pub fn open_with(options: StoreOptions) -> Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let built = builder.enable_all().thread_name("plastron").build();
        let runtime = built.map_err(|source| Fault::Local { context: "cannot start threads".to_owned(), source })?;
        let runtime = Arc::new(OwnRuntime(Some(runtime)));
        let store = on(&runtime, "open", "store", async move { Store::open_with(options).await })??;
        Ok(Self { runtime, files: store.file_system().clone() })
    }

    /// The asynchronous file system beneath.
    pub fn inner(&self) -> &crate::FileSystem {
        &self.files
    }

    /// What bucket and cache did since they were opened.
    pub fn stats(&self) -> StoreStats {
        self.files.stats()
    }

    /// See [`crate::FileSystem::list`]. The iterator ends after an error.
    pub fn list(&self, prefix: &str) -> List {
        List { runtime: Arc::clone(&self.runtime), prefix: prefix.to_owned(), entries: Some(self.files.list(prefix)) }
    }

    /// See [`crate::FileSystem::exists`].
    ///
    /// # Errors
    /// As there.
    pub fn exists(&self, name: &str) -> Result<bool> {
        self.run("head", name, |files, name| async move { files.exists(&name).await })
    }

    /// See [`crate::FileSystem::size`].
    ///
    /// # Errors
    /// As there.
    pub fn size(&self, name: &str) -> Result<u64> {
        self.run("head", name, |files, name| async move { files.size(&name).await })
    }

    /// See [`crate::FileSystem::stat`].
    ///
    /// # Errors
    /// As there.
    pub fn stat(&self, name: &str) -> Result<ObjectInfo> {
        self.run("head", name, |files, name| async move { files.stat(&name).await })
    }

    /// See [`crate::FileSystem::open_file`].
    ///
    /// # Errors
    /// As there.
    pub fn open_file(&self, name: &str) -> Result<FileHandle> {
        let file = self.run("head", name, |files, name| async move { files.open_file(&name).await })?;
        Ok(FileHandle { runtime: Arc::clone(&self.runtime), file })
    }

    /// See [`crate::FileSystem::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, name: &str) -> Result<FileWriter> {
        let writer = self.run("put", name, |files, name| async move { files.create(&name).await })?;
        Ok(FileWriter { runtime: Arc::clone(&self.runtime), name: name.to_owned(), writer: Some(writer) })
    }

    /// See [`crate::FileSystem::put`].
    ///
    /// # Errors
    /// As there.
    pub fn put(&self, name: &str, data: impl Into<Payload>) -> Result<ObjectInfo> {
        let data = data.into();
        self.run("put", name, |files, name| async move { files.put(&name, data).await })
    }

    /// See [`crate::FileSystem::put_file`].
    ///
    /// # Errors
    /// As there.
    pub fn put_file(&self, name: &str, path: impl AsRef<Path>) -> Result<ObjectInfo> {
        let path = path.as_ref().to_owned();
        self.run("put", name, |files, name| async move { files.put_file(&name, path).await })
    }

    /// See [`crate::FileSystem::remove`].
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self, name: &str) -> Result<()> {
        self.run("delete", name, |files, name| async move { files.remove(&name).await })
    }

    /// See [`crate::FileSystem::rename`].
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.files.rename(from, to)
    }

    /// See [`crate::FileSystem::close`].
    ///
    /// # Errors
    /// `Unsupported` on the thread of a single-threaded runtime.
    pub fn close(&self) -> Result<()> {
        let files = self.files.clone();
        on(&self.runtime, "close", "store", async move { files.close().await })
    }

    fn run<T, F>(
        &self,
        operation: &'static str,
        name: &str,
        work: impl FnOnce(crate::FileSystem, String) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        on(&self.runtime, operation, name, work(self.files.clone(), name.to_owned()))?
    }
}

/// Waits for `work` on the runtime.
fn on<T: Send + 'static>(
    runtime: &OwnRuntime,
    operation: &'static str,
    name: &str,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    let ended = || Fault::RuntimeEnded { operation, name: name.to_owned() };
    wait(runtime.handle().ok_or_else(ended)?, operation, name, work)
}

impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

/// The files of a listing, by name; made by [`FileSystem::list`].
pub struct List {
    runtime: Arc<OwnRuntime>,
    prefix: String,
    entries: Option<BoxStream<'static, Result<ListedObject>>>,
}

impl Iterator for List {
    type Item = Result<ListedObject>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut entries = self.entries.take()?;
        let next = on(&self.runtime, "list", &self.prefix, async move {
            let next = entries.next().await;
            (next, entries)
        });
        match next {
            Ok((Some(Ok(entry)), entries)) => {
                self.entries = Some(entries);
                Some(Ok(entry))
            }
            Ok((last, _)) => last,
            Err(error) => Some(Err(error)),
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// A file that is open for reading, for synchronous code; made by [`FileSystem::open_file`]. Cheap to clone.
#[derive(Clone)]
pub struct FileHandle {
    /// Keeps the runtime going, which does the work of reads that miss the cache.
    runtime: Arc<OwnRuntime>,
    file: crate::FileHandle,
}

impl FileHandle {
    /// The file's name.
    pub fn name(&self) -> &str {
        self.file.name()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.file.size()
    }

    /// The provider's entity tag at open.
    pub fn etag(&self) -> &str {
        self.file.etag()
    }

    /// Fills `buffer` from `offset` on; see [`crate::FileHandle::read_at`].
    ///
    /// # Errors
    /// As there.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, buffer)
    }

    /// Reads exactly `range`; see [`crate::FileHandle::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let file = self.file.clone();
        on(&self.runtime, "get", self.name(), async move { file.read(range).await })?
    }

    /// Reads several ranges; see [`crate::FileHandle::read_ranges`].
    ///
    /// # Errors
    /// As there.
    pub fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (file, ranges) = (self.file.clone(), ranges.to_vec());
        on(&self.runtime, "get", self.name(), async move { file.read_ranges(&ranges).await })?
    }

    /// The asynchronous handle beneath.
    pub fn inner(&self) -> &crate::FileHandle {
        &self.file
    }
}

impl fmt::Debug for FileHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

/// A file that is being created, for synchronous code; made by [`FileSystem::create`].
pub struct FileWriter {
    runtime: Arc<OwnRuntime>,
    name: String,
    /// None once a call failed in a way that leaves nothing to write to.
    writer: Option<crate::FileWriter>,
}

impl FileWriter {
    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds bytes at the end; see [`crate::FileWriter::write`]. Each call is a trip to another thread: write pages, not words.
    ///
    /// # Errors
    /// As there.
    pub fn write(&mut self, data: impl Into<Payload>) -> Result<()> {
        let data = data.into();
        let mut writer = self.take("put")?;
        let (result, writer) = on(&self.runtime, "put", &self.name, async move {
            let result = writer.write(data).await;
            (result, writer)
        })?;
        self.writer = Some(writer);
        result
    }

    /// Makes the file appear, whole; see [`crate::FileWriter::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(mut self) -> Result<ObjectInfo> {
        let writer = self.take("put")?;
        on(&self.runtime, "put", &self.name, async move { writer.close().await })?
    }

    /// Gives the file up; see [`crate::FileWriter::abort`].
    ///
    /// # Errors
    /// `Unsupported` on the thread of a single-threaded runtime; the file is given up in the background then.
    pub fn abort(mut self) -> Result<()> {
        let writer = self.take("abort")?;
        on(&self.runtime, "abort", &self.name, async move { writer.abort().await })
    }

    fn take(&mut self, operation: &'static str) -> Result<crate::FileWriter> {
        let lost = || Fault::WriterLost { operation, name: self.name.clone() };
        self.writer.take().ok_or_else(|| lost().into())
    }
}

impl fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWriter").field("name", &self.name).finish_non_exhaustive()
    }
}
