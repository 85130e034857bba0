//! The public handle of an opened bucket.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use super::OpenBucket;
use crate::create::{AheadWriter, ObjectWriter};
use crate::error::{Error, Fault, Result};
use crate::list::{ListEntry, ListOptions};
use crate::name::{Names, check_name};
use crate::object_info::ObjectInfo;
use crate::options::{BucketOptions, ProbeMode};
use crate::payload::Payload;
use crate::probe::ProbeReport;
use crate::read::Object;
use crate::source::{LargeCreate, Provider, Source};
use crate::stats::{Stats, StatsSnapshot};

/// One container of objects at one provider. Cheap to clone; clones share connections, limits and counters.
///
/// Objects are written once, read many times, and never changed in place. Every create is create-if-absent, decided by the
/// store; every read is verified against checksums taken when the object was written.
///
/// All methods need a tokio runtime with time enabled. Dropping the future of any of them leaves nothing half done: a create has
/// happened whole or not at all, and what an abandoned upload left behind is removed in the background (see
/// [`Bucket::close`]).
#[derive(Clone)]
pub struct Bucket {
    open: Arc<OpenBucket>,
    system: bool,
}

impl Bucket {
    /// Opens a bucket: authenticates, proves that it exists and answers (one list request), and, unless it is opened read-only or
    /// with another `probe`, that the store honours conditional creates (a few small requests under `_plastron/probe/`).
    /// Plastron never creates a bucket.
    ///
    /// # Errors
    /// `Invalid` for options that cannot be (see [`BucketOptions::validate`]) and for a bucket that does not exist;
    /// `Unauthorized` for credentials that are missing, wrong or too weak; `Unavailable` if the provider cannot be reached;
    /// `Unsupported` for a provider that is not built in, and for a store that ignores conditional creates.
    pub async fn open(options: BucketOptions) -> Result<Self> {
        // Not the bucket's text: what a cloud is given there by mistake may be a key.
        let target = options.provider.as_str();
        let failed = |fault| Error::new("open", target, fault);
        options.validate().map_err(failed)?;
        let names = Names::new(&options.prefix, options.provider).map_err(failed)?;
        let stats = Arc::new(Stats::new(options.provider));
        let source = super::open_source(&options, &stats).await?;
        Self::over(OpenBucket::new(source, options, names, stats)).await
    }

    /// Proves what has to be proved of a source that is open.
    pub(crate) async fn over(open: OpenBucket) -> Result<Self> {
        let open = Arc::new(open);
        let failed = |fault| Error::new("open", open.source.address.clone(), fault);
        super::prove_bucket(&open).await.map_err(failed)?;
        if open.options.probe == ProbeMode::Start && !open.options.readonly {
            open.writable().await.map_err(failed)?;
        }
        tracing::info!(bucket = %open.source.address, prefix = open.names.prefix(), "opened");
        Ok(Self { open, system: false })
    }

    /// The same bucket without the curtain: names under `_plastron/` may be read, written and listed like any others. For the
    /// floors above, which keep their own objects there.
    pub fn system(&self) -> Self {
        Self { open: Arc::clone(&self.open), system: true }
    }

    /// The same bucket under another prefix: the same connections, limits, counters and proof, and other names.
    ///
    /// # Errors
    /// `Invalid` for a prefix that no name can begin with.
    pub fn at_prefix(&self, prefix: &str) -> Result<Self> {
        let failed = |fault| Error::new("open", self.address(), fault);
        let open = OpenBucket::sibling(&self.open, prefix).map_err(failed)?;
        Ok(Self { open: Arc::new(open), system: self.system })
    }

    /// A bucket over any store, for simulations: it is taken at its word, unproved, and counted as `memory`.
    #[doc(hidden)]
    pub fn over_store(
        store: Arc<dyn object_store::ObjectStore>,
        pages: Arc<dyn object_store::list::PaginatedListStore>,
        options: BucketOptions,
    ) -> Result<Self> {
        let failed = |fault| Error::new("open", "a simulated bucket", fault);
        let names = Names::new(&options.prefix, options.provider).map_err(failed)?;
        let source = Source {
            provider: Provider::Memory,
            store,
            pages: Some(pages),
            quirks: Arc::default(),
            address: format!("memory://{}", options.bucket),
            large_create: LargeCreate::Native,
            ahead: None,
        };
        let stats = Arc::new(Stats::new(options.provider));
        let options = BucketOptions { probe: ProbeMode::Off, ..options };
        Ok(Self { open: Arc::new(OpenBucket::new(source, options, names, stats)), system: false })
    }

    /// Where the bucket is, for people; without secrets.
    pub fn address(&self) -> &str {
        &self.open.source.address
    }

    /// Which provider it is.
    pub fn provider(&self) -> Provider {
        self.open.source.provider
    }

    /// The options it was opened with.
    pub fn options(&self) -> &BucketOptions {
        &self.open.options
    }

    /// What it did since it was opened.
    pub fn stats(&self) -> StatsSnapshot {
        self.open.stats.snapshot()
    }

    /// Tries everything that Plastron needs of a store and says what holds. Writes small objects under `_plastron/probe/` and
    /// removes them; leaves a read-only bucket alone and says so.
    pub async fn probe(&self) -> ProbeReport {
        ProbeReport::of_bucket(&self.open).await
    }

    /// The objects whose names begin with `prefix`, any string, in bytewise order of their names. Pages are requested as the
    /// stream is read, so that any number of objects is listed in bounded memory.
    ///
    /// Each error ends the stream. `Invalid` for a prefix that no name can begin with and for a bucket that does not exist;
    /// `Unsupported` if the store does not list in order.
    pub fn list(&self, prefix: &str, options: ListOptions) -> BoxStream<'static, Result<ListEntry>> {
        crate::list::list(Arc::clone(&self.open), prefix, options, self.system)
    }

    /// What is known about `name`, from one HEAD request.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a name that cannot be, or a bucket that is gone; `Corrupt` if the object's size is not that of its
    /// creation, or its checksums cannot be decoded; `Unauthorized`, `Unavailable`.
    pub async fn head(&self, name: &str) -> Result<ObjectInfo> {
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            match self.open.look(&key).await? {
                Some(found) => self.open.info(name, &found).map(|(info, _)| info),
                None => Err(self.open.missing().await),
            }
        };
        result.await.map_err(|fault| self.open.error("head", name, fault))
    }

    /// Whether there is an object `name`, from one HEAD request.
    ///
    /// # Errors
    /// As [`Bucket::head`], but for `NotFound` and `Corrupt`.
    pub async fn exists(&self, name: &str) -> Result<bool> {
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            match self.open.look(&key).await? {
                Some(_) => Ok(true),
                None => match self.open.missing().await {
                    Fault::NoSuchObject => Ok(false),
                    fault => Err(fault),
                },
            }
        };
        result.await.map_err(|fault| self.open.error("head", name, fault))
    }

    /// Creates the object `name`, if there is none. Up to `part_size` bytes go in one request; more go in parts, in parallel, and
    /// appear whole or not at all. Returns when the store has confirmed size and checksum.
    ///
    /// Safe to repeat: a create whose acknowledgement was lost is recognised by its creation id and counts as done.
    ///
    /// # Errors
    /// `AlreadyExists` if there is an object of that name, which is left as it is; `Invalid` for a name that cannot be, or a bucket
    /// that is gone; `Unsupported` for a read-only bucket or a store that ignores conditional creates; `Corrupt` if what the
    /// store holds is not what was sent (it is removed again); `Unauthorized`, `Unavailable`.
    pub async fn put(&self, name: &str, data: impl Into<Payload>) -> Result<ObjectInfo> {
        let data = data.into();
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            self.open.writable().await?;
            Box::pin(self.open.create(name, &key, data, self.open.options.part_size)).await
        };
        result.await.map_err(|fault| self.open.error("put", name, fault))
    }

    /// As [`Bucket::put`], but up to `most` bytes go in one request, whatever `part_size` is: for those who wait for the object to be there.
    /// Parts take three requests one after the other, and more than twice as many in all; one request takes one connection's bandwidth.
    ///
    /// # Errors
    /// As [`Bucket::put`].
    pub async fn put_whole(&self, name: &str, data: impl Into<Payload>, most: u64) -> Result<ObjectInfo> {
        let data = data.into();
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            self.open.writable().await?;
            Box::pin(self.open.create(name, &key, data, most.max(self.open.options.part_size))).await
        };
        result.await.map_err(|fault| self.open.error("put", name, fault))
    }

    /// Begins to create the object `name` of no more than `most` bytes, as [`Bucket::put_whole`] does, before all of them are there. A
    /// directory takes the first bytes at once; elsewhere they are kept, and all go in one request at the end. Nothing is visible, nor
    /// is the name taken, before [`AheadWriter::finish`], and no request is made.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be; `Unsupported` for a read-only bucket.
    pub async fn put_ahead(&self, name: &str, most: u64) -> Result<AheadWriter> {
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            self.open.writable().await?;
            let most = most.max(self.open.options.part_size);
            Ok(AheadWriter::new(Arc::clone(&self.open), name.to_owned(), key, most))
        };
        result.await.map_err(|fault| self.open.error("put", name, fault))
    }

    /// Whether bytes that are given to [`Bucket::put_ahead`] early are written early: otherwise it is no use.
    pub fn writes_ahead(&self) -> bool {
        self.open.source.ahead.is_some()
    }

    /// Creates the object `name` from the file at `path`, if there is none. The file is never in memory whole.
    ///
    /// # Errors
    /// As [`Bucket::put`], and those of the file system; `Conflict` if the file changed while it was read.
    pub async fn put_file(&self, name: &str, path: impl AsRef<Path>) -> Result<ObjectInfo> {
        let path = path.as_ref().to_owned();
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            self.open.writable().await?;
            Box::pin(self.open.create_from_file(name, &key, path)).await
        };
        result.await.map_err(|fault| self.open.error("put", name, fault))
    }

    /// Begins to create the object `name` from bytes that are not there yet. Nothing is visible, nor is the name taken, before
    /// [`ObjectWriter::finish`]. At most `part_size` × (`part_concurrency` + 1) bytes are held in memory.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be; `Unsupported` for a read-only bucket.
    pub async fn writer(&self, name: &str) -> Result<ObjectWriter> {
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            self.open.writable().await?;
            Ok(ObjectWriter::new(Arc::clone(&self.open), name.to_owned(), key))
        };
        result.await.map_err(|fault| self.open.error("put", name, fault))
    }

    /// Opens `name` for reading, with one HEAD request; no read asks for metadata again.
    ///
    /// # Errors
    /// As [`Bucket::head`]; `Unsupported` with `checksums=required` if the object carries none.
    pub async fn open_object(&self, name: &str) -> Result<Object> {
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            match self.open.look(&key).await? {
                Some(found) => Object::new(Arc::clone(&self.open), name, key, &found),
                None => Err(self.open.missing().await),
            }
        };
        result.await.map_err(|fault| self.open.error("head", name, fault))
    }

    /// Opens `name` and reads `range` of it, which must not be empty, with one request where [`Bucket::open_object`] and
    /// [`Object::read`] take two.
    ///
    /// # Errors
    /// As [`Bucket::open_object`] and [`Object::read`].
    pub async fn open_object_reading(&self, name: &str, range: Range<u64>) -> Result<(Object, Bytes)> {
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            if range.start >= range.end {
                return Err(Fault::Config(format!("the range {}..{} is empty", range.start, range.end)));
            }
            Box::pin(self.open.open_reading(name, key, range)).await
        };
        result.await.map_err(|fault| self.open.error("get", name, fault))
    }

    /// Reads the object `name` whole into memory, with one request if it has no more than `part_size` bytes: for what is small and
    /// read at once. What is longer takes further requests, up to `part_concurrency` of them at a time, and an empty object two.
    ///
    /// # Errors
    /// As [`Bucket::open_object`] and [`Object::read`].
    pub async fn get(&self, name: &str) -> Result<(ObjectInfo, Bytes)> {
        let result = async {
            let key = self.open.names.key(name, self.system)?;
            let (object, bytes) = Box::pin(self.open.whole(name, key)).await?;
            Ok((object.info().clone(), bytes))
        };
        result.await.map_err(|fault| self.open.error("get", name, fault))
    }

    /// Removes the object `name`.
    ///
    /// # Errors
    /// `NotFound` if there is none, on every provider; `Unsupported` for a read-only bucket; `Invalid`, `Unauthorized`,
    /// `Unavailable`.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let result = async {
            if self.open.options.readonly {
                return Err(Fault::Unsupported(
                    "the bucket is opened with readonly=true; open it without to write".to_owned(),
                ));
            }
            let key = self.open.names.key(name, self.system)?;
            self.open.delete(&key).await
        };
        result.await.map_err(|fault| self.open.error("delete", name, fault))
    }

    /// Waits until the background has removed what abandoned uploads left behind; for the end of a program. The bucket can be used
    /// further. Takes no longer than the retry deadline.
    pub async fn close(&self) {
        self.open.cleanup.idle().await;
    }

    /// The user-metadata entry of an object.
    #[cfg(test)]
    pub(crate) async fn entry(&self, name: &str) -> Option<String> {
        let key = self.open.names.key(name, true).ok()?;
        self.open.look(&key).await.ok()??.entry
    }

    /// Checks a name as every operation does, without a request.
    ///
    /// # Errors
    /// `Invalid`, with the reason.
    pub fn check_name(&self, name: &str) -> Result<()> {
        let result = check_name(name).and_then(|()| self.open.names.key(name, self.system));
        result.map(drop).map_err(|fault| self.open.error("check", name, fault))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({}, prefix {:?})", self.open.source.address, self.open.names.prefix())
    }
}
