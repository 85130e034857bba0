//! How a file system uses its cache: who an object is to the cache, where missing blocks come from, and what enters it on writing.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use plastron_cache::{Cache, CachedObject, Fetch, ObjectId, Priority};
use plastron_sources::clock::{Entropy, SystemEntropy};
use plastron_sources::{Bucket, Checksums, Object, ObjectInfo, Payload, Provider};
use tokio::sync::mpsc;

/// The most of a file that is kept in memory while it is written, to enter the cache when it is there: a larger one enters it when
/// it is read. Eight parts of the default size.
const MAX_KEPT_BYTES: u64 = 64 << 20;

/// What is read at once from a local file that enters the cache, if blocks are not larger.
const READ_BYTES: usize = 1 << 20;

/// Pieces of a local file that wait to enter the cache.
const WAITING_PIECES: usize = 4;

/// The cache of one file system.
#[derive(Debug, Clone)]
pub(crate) struct Caching {
    cache: Cache,
    /// Where the bucket is, as the cache knows it.
    address: String,
    /// The bucket's prefix: two file systems may look at one bucket through different ones.
    prefix: String,
    write_through: bool,
}

/// An object as the origin of blocks. The bucket verifies, retries and keeps the deadline.
struct Origin(Object);

#[async_trait]
impl Fetch for Origin {
    async fn fetch(&self, range: Range<u64>) -> plastron_sources::Result<Bytes> {
        self.0.read(range).await
    }
}

impl Caching {
    /// How objects of `bucket` are cached.
    pub(crate) fn new(bucket: &Bucket, cache: Cache) -> Self {
        let mut address = bucket.address().to_owned();
        if bucket.provider() == Provider::Memory {
            // Every opening is another bucket, and a cache on disk would take it for the last one of that name.
            let entropy = SystemEntropy::default();
            address = format!("{address}#{:016x}{:016x}", entropy.next_u64(), entropy.next_u64());
        }
        Self { cache, address, prefix: bucket.options().prefix.clone(), write_through: true }
    }

    /// The same, where what is created enters the cache or does not.
    pub(crate) fn with_write_through(&self, write_through: bool) -> Self {
        Self { write_through, ..self.clone() }
    }

    /// The cache itself.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Who the object is to the cache; none without an etag, which is what tells it from an earlier one of its name.
    fn identity(&self, info: &ObjectInfo) -> Option<ObjectId> {
        let name = format!("{}{}", self.prefix, info.name);
        (!info.etag.is_empty()).then(|| ObjectId::new(self.address.as_str(), name, info.etag.as_str(), info.size))
    }

    /// A handle to the object's blocks, and where missing ones come from.
    pub(crate) fn open(&self, object: &Object) -> Option<(CachedObject, Arc<dyn Fetch>)> {
        let id = self.identity(object.info())?;
        Some((self.cache.object(id), Arc::new(Origin(object.clone()))))
    }

    /// What keeps the bytes of a file that is being written, if they are to enter the cache.
    pub(crate) fn begin(&self) -> Option<Kept> {
        self.write_through.then(Kept::default)
    }

    /// Puts the bytes of an object that was just created into the cache.
    pub(crate) async fn admit(&self, info: &ObjectInfo, kept: Kept) {
        let Some(id) = self.identity(info).filter(|_| kept.length == info.size) else { return };
        let mut blocks = Blocks::new(self.cache.object(id), self.cache.block_size());
        for piece in kept.pieces {
            blocks.add(&piece).await;
        }
        blocks.finish().await;
    }

    /// Puts the content of a local file into the cache, which an object was just created from. The file may have changed since,
    /// so it is read twice: once to see that its checksum is still the object's, once to take what still has the checksums of the
    /// first time. What cannot be had is left out; it enters the cache when it is read.
    pub(crate) async fn admit_file(&self, info: &ObjectInfo, path: &Path) {
        let Checksums::Blocks { crc32c: Some(crc), .. } = info.checksums else { return };
        let Some(id) = self.identity(info).filter(|_| self.write_through && info.size > 0) else { return };
        let piece = usize::try_from(self.cache.block_size()).unwrap_or(READ_BYTES).max(READ_BYTES);
        let (sender, mut receiver) = mpsc::channel(WAITING_PIECES);
        let source = Source { path: path.to_owned(), size: info.size, crc, piece };
        let reading = tokio::task::spawn_blocking(move || source.read(&sender));
        let object = self.cache.object(id);
        while let Some((offset, bytes)) = receiver.recv().await {
            object.insert(offset, &bytes, Priority::Data).await;
        }
        match reading.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(name = %info.name, %error, "not put into the cache"),
            Err(error) => tracing::debug!(name = %info.name, %error, "not put into the cache"),
        }
    }

    /// Frees what the cache has of an object that was removed.
    pub(crate) async fn forget(&self, info: &ObjectInfo) {
        if let Some(id) = self.identity(info) {
            self.cache.invalidate(id).await;
        }
    }
}

/// The bytes of a file that is being written, as long as they are few enough.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pieces: Vec<Bytes>,
    length: u64,
}

impl Kept {
    /// With more bytes at the end; none if that is too much.
    pub(crate) fn with(mut self, data: &Payload) -> Option<Self> {
        self.length = self.length.checked_add(data.len()).filter(|length| *length <= MAX_KEPT_BYTES)?;
        self.pieces.extend(data.pieces().cloned());
        Some(self)
    }
}

/// Whole blocks out of pieces of any length.
struct Blocks {
    object: CachedObject,
    block: usize,
    offset: u64,
    waiting: Vec<u8>,
}

impl Blocks {
    fn new(object: CachedObject, block: u64) -> Self {
        Self { object, block: usize::try_from(block).unwrap_or(usize::MAX), offset: 0, waiting: Vec::new() }
    }

    async fn add(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let room = self.block.saturating_sub(self.waiting.len());
            let (now, later) = piece.split_at_checked(room).unwrap_or((piece, &[]));
            self.waiting.extend_from_slice(now);
            piece = later;
            if self.waiting.len() == self.block {
                self.put().await;
            }
        }
    }

    async fn put(&mut self) {
        self.object.insert(self.offset, &self.waiting, Priority::Data).await;
        self.offset += self.waiting.len() as u64;
        self.waiting.clear();
    }

    async fn finish(mut self) {
        if !self.waiting.is_empty() {
            self.put().await;
        }
    }
}

/// A local file that should hold what an object holds.
struct Source {
    path: PathBuf,
    size: u64,
    crc: u32,
    piece: usize,
}

impl Source {
    /// Sends the pieces that are certain to be the object's, with their offsets. Blocking.
    fn read(&self, sender: &mpsc::Sender<(u64, Vec<u8>)>) -> std::io::Result<()> {
        let mut sums = Vec::new();
        let (mut whole, mut length) = (0, 0);
        self.each_piece(|_, piece| {
            sums.push(crc32c::crc32c(piece));
            whole = crc32c::crc32c_append(whole, piece);
            length += piece.len() as u64;
            true
        })?;
        if (whole, length) != (self.crc, self.size) {
            return Err(std::io::Error::other("the local file has changed since it was stored"));
        }
        let mut sums = sums.into_iter();
        self.each_piece(|offset, piece| {
            // Nobody receives any more if the future was dropped.
            sums.next() != Some(crc32c::crc32c(piece)) || sender.blocking_send((offset, piece.to_vec())).is_ok()
        })
    }

    /// Calls `handle` with each piece and its offset, until it says that it has enough.
    fn each_piece(&self, mut handle: impl FnMut(u64, &[u8]) -> bool) -> std::io::Result<()> {
        let mut file = File::open(&self.path)?;
        let mut buffer = Vec::with_capacity(self.piece);
        let mut offset = 0;
        loop {
            buffer.clear();
            let read = (&mut file).take(self.piece as u64).read_to_end(&mut buffer)?;
            if read == 0 || !handle(offset, &buffer) {
                return Ok(());
            }
            offset += read as u64;
        }
    }
}
