//! Where bytes come from when the cache does not have them.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_sources::Error;

/// The origin of one object: in practice an object opened in a bucket.
///
/// The cache calls it from tasks of its own, with ranges that begin and end at multiples of the block size and of 256 KiB (the
/// bucket's checksum block), or at the object's end. An implementation verifies what it returns and keeps a deadline: the cache
/// neither retries nor times out. It must not call back into the cache for the same object.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Exactly the bytes of `range`, which is not empty and within the object.
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes, Error>;
}

/// What is read, as far as it matters for how long it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Priority {
    /// Ordinary content.
    #[default]
    Data,
    /// Indexes, footers and roots: small, read again and again. They have a pool of their own, so that scans don't push them out.
    Index,
}
