//! A file that is being created.

use std::fmt;
use std::sync::Arc;

use plastron_sources::{ObjectInfo, ObjectWriter, Payload};

use super::caching::{Caching, Kept};
use super::file_system::Shared;
use crate::error::{Error, Fault, Result};

/// A file that is being created, from its first byte to its last; made by [`FileSystem::create`](crate::FileSystem::create).
///
/// Nobody sees the file, nor is its name taken, until [`FileWriter::close`] has returned success. A writer that is dropped or
/// aborted, and a process that dies, leave nothing visible. Memory is bounded by the bucket's `part_size` and `part_concurrency`,
/// and by what the cache takes of a file as it is uploaded.
pub struct FileWriter {
    shared: Arc<Shared>,
    name: String,
    /// None only while it is being closed or aborted.
    writer: Option<ObjectWriter>,
    /// What goes into the cache when the file is there, while that is little enough.
    kept: Option<Kept>,
}

impl FileWriter {
    pub(crate) fn new(shared: Arc<Shared>, writer: ObjectWriter) -> Self {
        let kept = shared.caching.as_ref().and_then(Caching::begin);
        Self { shared, name: writer.name().to_owned(), writer: Some(writer), kept }
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.writer.as_ref().map_or(0, ObjectWriter::written)
    }

    /// Adds bytes at the end. Waits while the bucket has as many parts in flight as it may.
    ///
    /// After an error, and when its future was dropped, the writer can only be aborted.
    ///
    /// # Errors
    /// `AlreadyExists` if the name was seen to be taken; `Unsupported` for a file of more than 10,000 parts; `Invalid` if the bucket
    /// is gone; `Unauthorized`, `Unavailable`.
    pub async fn write(&mut self, data: impl Into<Payload>) -> Result<()> {
        let data = data.into();
        self.kept = self.kept.take().and_then(|kept| kept.with(&data));
        match &mut self.writer {
            Some(writer) => Ok(writer.write(data).await?),
            None => Err(self.lost()),
        }
    }

    /// Makes the file appear, whole, and returns when the store has confirmed it.
    ///
    /// # Errors
    /// As [`FileSystem::put`](crate::FileSystem::put). Dropping the future leaves the file whole or not there at all.
    pub async fn close(mut self) -> Result<ObjectInfo> {
        let writer = self.writer.take().ok_or_else(|| self.lost())?;
        let info = writer.finish().await?;
        if let (Some(caching), Some(kept)) = (&self.shared.caching, self.kept.take()) {
            caching.admit(&info, kept).await;
        }
        Ok(info)
    }

    /// Gives the file up, and waits until what was uploaded of it is removed. Dropping the writer does the same in the background.
    pub async fn abort(mut self) {
        if let Some(writer) = self.writer.take() {
            writer.abort().await;
        }
    }

    /// Always fails: a file grows by [`FileWriter::write`] only. Here for engines whose interface has it.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn truncate(&self, _length: u64) -> Result<()> {
        Err(Error::immutable("truncate", self.name()))
    }

    fn lost(&self) -> Error {
        Fault::WriterLost { operation: "put", name: self.name.clone() }.into()
    }
}

impl Drop for FileWriter {
    /// Gives up what is not closed: the bucket clears it away on the runtime, which this thread may not be on.
    fn drop(&mut self) {
        let _on_runtime = self.shared.runtime.enter();
        drop(self.writer.take());
    }
}

impl fmt::Debug for FileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWriter")
            .field("name", &self.name())
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}
