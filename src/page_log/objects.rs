//! How the log reaches its objects: whole creates, creates of which some was written before, streamed creates, and ranged reads through the block cache.
//!
//! A trait, so that tests can break it. In a bucket an object is opened by the first read of it, which costs one request; what is in
//! the cache costs none. A database never uses one name for two objects, so the cache needs no etag to tell them apart.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_cache::{Cache, CachedObject, Fetch, ObjectId, Priority};
use plastron_sources::clock::{Entropy, SystemEntropy};
use plastron_sources::{AheadWriter, Bucket, Object, ObjectWriter, Provider, Result};
use tokio::sync::OnceCell;

use super::log_object::LogObject;

/// Most objects whose size and checksums are kept in memory: about a kilobyte each.
const KNOWN_OBJECTS: u64 = 8192;

/// Largest object that goes in one request: a segment of twice the default size. Whoever waits for a segment waits for one round trip then, and
/// not for the beginning, the parts, the completion and the proof of an upload; and pays for one request and not for five. Several
/// segments are uploaded at once, so one connection each is enough.
const MOST_IN_ONE_REQUEST: u64 = 32 << 20;

/// One object of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectPlace {
    pub(crate) name: String,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) priority: Priority,
}

/// An object that is being created from bytes that are not all there yet. Dropped, it leaves nothing.
#[async_trait]
pub(crate) trait LogObjectWriter: Send {
    async fn write(&mut self, bytes: Bytes) -> Result<()>;
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// An object that will be created as by [`LogObjects::create`], and of which some is written before. Dropped, it leaves nothing.
#[async_trait]
pub(crate) trait LogObjectAhead: Send {
    /// Writes the next pieces. That it could not is found out by `create`, which has them still.
    async fn write(&mut self, pieces: Vec<Bytes>);

    /// Creates the object of what was written and `rest`.
    async fn create(self: Box<Self>, rest: Vec<Bytes>) -> Result<()>;
}

/// Where the log's objects are.
#[async_trait]
pub(crate) trait LogObjects: Send + Sync + 'static {
    /// Creates an object. Retries, bounded by the bucket's deadline, are within.
    async fn create(&self, name: &str, pieces: Vec<Bytes>) -> Result<()>;

    /// Begins to create an object whose bytes are there one after the other, if what is there early can be written early.
    async fn ahead(&self, name: &str) -> Option<Box<dyn LogObjectAhead>>;

    /// Begins to create an object.
    async fn begin(&self, name: &str) -> Result<Box<dyn LogObjectWriter>>;

    /// Exactly the bytes of `range`, which is not empty.
    async fn read(&self, place: &ObjectPlace, range: Range<u64>) -> Result<Bytes>;

    /// As [`LogObjects::read`], but always from the bucket.
    async fn read_afresh(&self, place: &ObjectPlace, range: Range<u64>) -> Result<Bytes>;

    /// Takes note of the bytes of an object that was just created.
    async fn admit(&self, place: &ObjectPlace, pieces: Vec<Bytes>);
}

/// A bucket in which some of a log's objects are.
struct Home {
    /// The last epoch, as it stands in names, whose objects are there.
    last_epoch: u64,
    bucket: Bucket,
    /// Where the bucket is, as the cache knows it.
    address: String,
}

impl Home {
    fn new(last_epoch: u64, bucket: &Bucket) -> Self {
        let mut address = format!("{} {}", bucket.address(), bucket.options().prefix);
        if bucket.provider() == Provider::Memory {
            // Every opening is another bucket, and a cache on disk would take it for the last one of that name.
            let entropy = SystemEntropy::default();
            address = format!("{address}#{:016x}{:016x}", entropy.next_u64(), entropy.next_u64());
        }
        Self { last_epoch, bucket: bucket.system(), address }
    }
}

/// The objects of a log in a bucket; a clone's are in several.
pub(crate) struct BucketObjects {
    /// Where what was written before the log was cloned is, by rising epoch.
    ancestors: Vec<Home>,
    own: Home,
    cache: Option<Cache>,
    /// What tells this database's objects from another's that had the same names before.
    tag: String,
    known: moka::sync::Cache<String, Arc<Origin>>,
}

impl BucketObjects {
    /// The objects of `database` in `bucket`; those of epochs up to the numbers in `ancestors`, which rise, are in the buckets there.
    pub(crate) fn new(bucket: &Bucket, ancestors: &[(u64, Bucket)], cache: Option<Cache>, database: u128) -> Self {
        let known = moka::sync::Cache::new(KNOWN_OBJECTS);
        let ancestors = ancestors.iter().map(|(last_epoch, bucket)| Home::new(*last_epoch, bucket)).collect();
        Self { ancestors, own: Home::new(u64::MAX, bucket), cache, tag: format!("{database:032x}"), known }
    }

    /// Where the object is.
    fn home(&self, name: &str) -> &Home {
        let Some(object) = LogObject::parse(name) else { return &self.own };
        self.ancestors.iter().find(|home| object.epoch() <= home.last_epoch).unwrap_or(&self.own)
    }

    fn origin(&self, name: &str, size: u64) -> Arc<Origin> {
        self.known.get_with(name.to_owned(), || {
            let (bucket, name) = (self.home(name).bucket.clone(), name.to_owned());
            Arc::new(Origin { bucket, name, size, object: OnceCell::new() })
        })
    }

    fn cached(&self, place: &ObjectPlace) -> Option<CachedObject> {
        let id = |cache: &Cache| {
            cache.object(ObjectId::new(
                self.home(&place.name).address.as_str(),
                place.name.as_str(),
                self.tag.as_str(),
                place.size,
            ))
        };
        self.cache.as_ref().map(id)
    }
}

/// An object that is opened by the first read of it.
struct Origin {
    bucket: Bucket,
    name: String,
    size: u64,
    object: OnceCell<Object>,
}

#[async_trait]
impl Fetch for Origin {
    async fn fetch(&self, range: Range<u64>) -> Result<Bytes> {
        if let Some(object) = self.object.get() {
            return object.read(range).await;
        }
        let (object, bytes) = self.bucket.open_object_reading(&self.name, range).await?;
        if object.size() != self.size {
            let fault = plastron_sources::Fault::Corrupt {
                what: self.name.clone(),
                start: 0,
                end: object.size(),
                check: format!("it has {} bytes, and should have {}", object.size(), self.size),
            };
            return Err(plastron_sources::Error::new("get", self.name.as_str(), fault));
        }
        // Somebody else may have been first; then theirs is as good.
        drop(self.object.set(object));
        Ok(bytes)
    }
}

#[async_trait]
impl LogObjects for BucketObjects {
    async fn create(&self, name: &str, pieces: Vec<Bytes>) -> Result<()> {
        self.own.bucket.put_whole(name, pieces, MOST_IN_ONE_REQUEST).await.map(drop)
    }

    async fn ahead(&self, name: &str) -> Option<Box<dyn LogObjectAhead>> {
        if !self.own.bucket.writes_ahead() {
            return None;
        }
        // What is wrong is told when the object is created.
        let writer = self.own.bucket.put_ahead(name, MOST_IN_ONE_REQUEST).await.ok()?;
        Some(Box::new(writer))
    }

    async fn begin(&self, name: &str) -> Result<Box<dyn LogObjectWriter>> {
        Ok(Box::new(self.own.bucket.writer(name).await?))
    }

    async fn read(&self, place: &ObjectPlace, range: Range<u64>) -> Result<Bytes> {
        let origin = self.origin(&place.name, place.size);
        let Some(cached) = self.cached(place) else { return origin.fetch(range).await };
        let bytes = cached.read(&(origin as Arc<dyn Fetch>), range.clone(), place.priority).await?;
        let block = self.cache.as_ref().map_or(u64::MAX, Cache::block_size);
        // What lies in one block is a slice of it, and whoever keeps that keeps the whole block, of which no budget knows.
        let of_one = range.start / block == range.end.saturating_sub(1) / block;
        Ok(if of_one { Bytes::copy_from_slice(&bytes) } else { bytes })
    }

    async fn read_afresh(&self, place: &ObjectPlace, range: Range<u64>) -> Result<Bytes> {
        self.origin(&place.name, place.size).fetch(range).await
    }

    async fn admit(&self, place: &ObjectPlace, pieces: Vec<Bytes>) {
        let (Some(cached), Some(cache)) = (self.cached(place), &self.cache) else { return };
        let block = usize::try_from(cache.block_size()).unwrap_or(usize::MAX);
        let (mut offset, mut waiting) = (0, Vec::new());
        for mut piece in pieces {
            while !piece.is_empty() {
                let now = piece.split_to(piece.len().min(block - waiting.len()));
                waiting.extend_from_slice(&now);
                if waiting.len() == block {
                    cached.insert(offset, &waiting, place.priority).await;
                    offset += waiting.len() as u64;
                    waiting.clear();
                }
            }
        }
        if !waiting.is_empty() {
            cached.insert(offset, &waiting, place.priority).await;
        }
    }
}

#[async_trait]
impl LogObjectAhead for AheadWriter {
    async fn write(&mut self, pieces: Vec<Bytes>) {
        AheadWriter::write(self, pieces).await;
    }

    async fn create(self: Box<Self>, rest: Vec<Bytes>) -> Result<()> {
        AheadWriter::finish(*self, rest).await.map(drop)
    }
}

#[async_trait]
impl LogObjectWriter for ObjectWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        ObjectWriter::write(self, bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        ObjectWriter::finish(*self).await.map(drop)
    }
}
