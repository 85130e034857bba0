//! A file that is open for reading.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use plastron_cache::{CachedObject, Fetch, Priority};
use plastron_sources::{Fault as BucketFault, Object, ObjectInfo};

use super::file_system::Shared;
use super::spans::spans;
use super::waiting::wait;
use crate::error::{Error, Result};

/// Spans of one call that are read at once.
const SPANS_AT_ONCE: usize = 16;

/// A file that is open for reading; made by [`FileSystem::open_file`](crate::FileSystem::open_file). Cheap to clone, and usable by any
/// number of threads and tasks at once.
///
/// Size and etag were learned when it was opened; no read asks again. Reads are exact: a range within the file gives all
/// of its bytes, one that is not is `Invalid`, an empty one gives none. Every byte is verified.
///
/// Whoever reads from front to back is read ahead for, with a window that grows. Clones share that; readers that go through
/// the file each at its own pace are better off with [`FileHandle::another`].
#[derive(Clone)]
pub struct FileHandle {
    shared: Arc<Shared>,
    object: Object,
    cached: Option<Arc<Cached>>,
    priority: Priority,
}

/// The file as the cache has it.
struct Cached {
    object: CachedObject,
    origin: Arc<dyn Fetch>,
}

impl FileHandle {
    pub(crate) fn new(shared: Arc<Shared>, object: Object) -> Self {
        Self::with_priority(shared, object, Priority::Data)
    }

    fn with_priority(shared: Arc<Shared>, object: Object, priority: Priority) -> Self {
        let cached = shared.caching.as_ref().and_then(|caching| caching.open(&object));
        let cached = cached.map(|(object, origin)| Arc::new(Cached { object, origin }));
        Self { shared, object, cached, priority }
    }

    /// What is known about the file.
    pub fn info(&self) -> &ObjectInfo {
        self.object.info()
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        self.object.name()
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.object.size()
    }

    /// The provider's entity tag at open.
    pub fn etag(&self) -> &str {
        self.object.etag()
    }

    /// Another handle to the same file, with read-ahead of its own. Makes no request.
    pub fn another(&self) -> Self {
        Self::with_priority(Arc::clone(&self.shared), self.object.clone(), self.priority)
    }

    /// Another handle to the same file for what is small and read again and again: indexes, footers, roots. The cache keeps what is
    /// read through it in a pool of its own, so that it outlasts scans of ordinary content. Makes no request.
    pub fn as_index(&self) -> Self {
        Self::with_priority(Arc::clone(&self.shared), self.object.clone(), Priority::Index)
    }

    /// Reads exactly `range` into memory.
    ///
    /// # Errors
    /// `Invalid` for a range that is not within the file; `Corrupt` for bytes that fail their checksum twice; `Conflict` if something
    /// replaced the object; `NotFound` if it was removed; `Unauthorized`, `Unavailable`.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.check(&range)?;
        Ok(match &self.cached {
            Some(cached) => cached.object.read(&cached.origin, range, self.priority).await?,
            None => self.object.read(range).await?,
        })
    }

    /// Reads several ranges, which may overlap and come in any order, and returns them in that order. Ranges near each other
    /// are read together.
    ///
    /// # Errors
    /// As [`FileHandle::read`]; the first error ends it all.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        for range in ranges {
            self.check(range)?;
        }
        if self.cached.is_none() {
            return Ok(self.object.read_many(ranges).await?);
        }
        let read = |span: Range<u64>| async move { Ok::<_, Error>((span.start, self.read(span).await?)) };
        let read: Vec<(u64, Bytes)> =
            stream::iter(spans(ranges)).map(read).buffered(SPANS_AT_ONCE).try_collect().await?;
        Ok(ranges.iter().map(|range| part_of(&read, range)).collect())
    }

    /// Fills `buffer` with the bytes from `offset` on, for threads that may block. What the cache has is copied, or read from its disk,
    /// on this thread, without a word to the runtime. For the rest this thread waits while the runtime of the file system fetches it.
    ///
    /// It may be called on plain threads, on threads of `spawn_blocking`, and on worker threads of a multi-threaded runtime, which
    /// is told that its worker blocks ([`tokio::task::block_in_place`]); a task had better use [`FileHandle::read`], since others in the
    /// same task stand still meanwhile.
    ///
    /// # Errors
    /// As [`FileHandle::read`]. Where waiting could never end, what the cache lacks is `Unsupported`: on the thread of a
    /// single-threaded runtime or in a `LocalSet`, and if the file system was opened on a single-threaded runtime.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if self.try_read_at(offset, buffer)? {
            return Ok(());
        }
        let end = offset.saturating_add(buffer.len() as u64);
        let file = self.clone();
        let read = wait(&self.shared.runtime, "get", self.name(), async move { file.read(offset..end).await })??;
        if read.len() == buffer.len() {
            buffer.copy_from_slice(&read);
        }
        Ok(())
    }

    /// Fills `buffer` with the bytes from `offset` on if the cache has them all, in memory or on disk, and says whether it did; if not,
    /// `buffer` holds anything. Never waits for the network.
    ///
    /// # Errors
    /// `Invalid` for a range that is not within the file.
    pub fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<bool> {
        self.try_with(offset, buffer.len() as u64, |cached| {
            cached.object.try_read_as(offset, buffer, self.priority).is_some()
        })
    }

    /// [`FileHandle::try_read_at`] for a destination that is no `&mut [u8]`, such as memory of another language's, which may hold nothing
    /// yet: `take` gets the `length` bytes from `offset` on piece by piece, in order. If this returns false, it may have got some of them.
    ///
    /// # Errors
    /// As [`FileHandle::try_read_at`].
    pub fn try_copy_at(&self, offset: u64, length: u64, take: impl FnMut(&[u8])) -> Result<bool> {
        self.try_with(offset, length, |cached| cached.object.try_copy(offset, length, self.priority, take).is_some())
    }

    fn try_with(&self, offset: u64, length: u64, read: impl FnOnce(&Cached) -> bool) -> Result<bool> {
        let end = offset.checked_add(length).ok_or_else(|| self.outside(offset, u64::MAX))?;
        self.check(&(offset..end))?;
        if length == 0 {
            return Ok(true);
        }
        Ok(self.cached.as_deref().is_some_and(read))
    }

    /// Always fails: a file is never changed. Here, as the next two, for engines whose interface has it.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn write_at(&self, _offset: u64, _data: &[u8]) -> Result<()> {
        Err(Error::immutable("write", self.name()))
    }

    /// Always fails: a file is never changed.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn truncate(&self, _length: u64) -> Result<()> {
        Err(Error::immutable("truncate", self.name()))
    }

    /// Always fails: a file is never changed.
    ///
    /// # Errors
    /// `Unsupported`, always.
    pub fn extend(&self, _length: u64) -> Result<()> {
        Err(Error::immutable("extend", self.name()))
    }

    fn check(&self, range: &Range<u64>) -> Result<()> {
        if range.start <= range.end && range.end <= self.size() {
            return Ok(());
        }
        Err(self.outside(range.start, range.end))
    }

    fn outside(&self, start: u64, end: u64) -> Error {
        let fault = BucketFault::Range { start, end, size: self.size() };
        plastron_sources::Error::new("get", self.name(), fault).into()
    }
}

/// The bytes of `range` out of spans with their starts, in order, one of which holds it.
fn part_of(spans: &[(u64, Bytes)], range: &Range<u64>) -> Bytes {
    if range.is_empty() {
        return Bytes::new();
    }
    let after = spans.partition_point(|(start, _)| *start <= range.start);
    let Some((start, bytes)) = after.checked_sub(1).and_then(|index| spans.get(index)) else { return Bytes::new() };
    let offset = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(offset(range.start)..offset(range.end))
}

impl fmt::Debug for FileHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileHandle").field(self.info()).finish()
    }
}
