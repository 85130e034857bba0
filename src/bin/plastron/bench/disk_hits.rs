//! Reads of what the cache has on disk, against `pread` and a CRC32C.
//!
//! Whole blocks are read in random order, on the calling thread. The cache holds nothing in memory, so every read opens the block's
//! file or finds it open, reads header and data, and verifies both. The peer has all blocks in one open file, in order, reads one
//! with one `pread` and compares its CRC32C, from the same library. Both files are in the system's page cache: what is compared
//! is the work of the processor, which is all that differs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use plastron::{BucketOptions, CacheOptions, FileHandle, FileSystem, Provider, Store, StoreOptions};

use super::content::{self, Numbers};
use super::meter::Meter;
use super::pairs::{Pairs, Work};
use super::row::{Goal, Row, Unit};
use super::scratch::Scratch;
use super::sizes::Sizes;
use crate::context::Stopwatch;
use crate::failure::{Failure, Result};
use crate::quantity;

/// What Plastron hopes to keep of the bare read's speed.
const GOAL: f64 = 0.7;

/// Rows.
pub(super) const ROWS: usize = 1;

/// Bytes of a block, Plastron's default.
const BLOCK_BYTES: usize = 256 << 10;

/// All rows.
pub(super) async fn rows(sizes: &Sizes, scratch: &Scratch, meter: &Meter) -> Result<Vec<Row>> {
    let title = format!("disk hit {}", quantity::bytes(BLOCK_BYTES as u64));
    meter.row(&title);
    let content = content::bytes(sizes.cached, 4);
    let file = cached_file(content.clone(), scratch).await?;
    let bare = Arc::new(Bare::new(&content, scratch).await?);
    let (blocks, reads) = (sizes.cached / BLOCK_BYTES as u64, sizes.disk_reads);
    let ours = async |pair| {
        let file = file.clone();
        let read = move |offset, block: &mut [u8]| file.try_read_at(offset, block).map_err(Failure::from);
        tokio::task::spawn_blocking(move || each(pair, blocks, reads, read)).await?
    };
    let peer = async |pair| {
        let bare = Arc::clone(&bare);
        let read = move |offset, block: &mut [u8]| bare.read(offset, block);
        tokio::task::spawn_blocking(move || each(pair, blocks, reads, read)).await?
    };
    let pairs = Pairs::run(sizes.plan, meter, ours, peer).await?;
    Ok(vec![Row::compared(title, "cache", Unit::ReadsPerSecond, &pairs, "pread and CRC32C", Goal::Ratio(GOAL))])
}

/// `reads` reads of whole blocks at random.
fn each(seed: usize, blocks: u64, reads: usize, read: impl Fn(u64, &mut [u8]) -> Result<bool>) -> Result<Work> {
    let (mut numbers, mut block) = (Numbers::new(seed as u64), vec![0; BLOCK_BYTES]);
    let watch = Stopwatch::start();
    for _ in 0..reads {
        if !read(numbers.below(blocks) * BLOCK_BYTES as u64, &mut block)? {
            return Err(Failure::other("the cache on disk lost a block that it had, or has it wrong"));
        }
    }
    Ok(Work { amount: reads as f64, elapsed: watch.elapsed() })
}

/// A file that the cache has on disk, whole, and not in memory.
async fn cached_file(content: Bytes, scratch: &Scratch) -> Result<FileHandle> {
    let mut cache = CacheOptions::new();
    cache.directory = Some(scratch.path("disk-hits"));
    cache.memory = 0;
    cache.read_ahead = 0;
    cache.block_size = BLOCK_BYTES as u64;
    // It is removed with the rest; a full disk ends the run anyway.
    cache.min_free = Some(0);
    let mut options = StoreOptions::new(BucketOptions::new(Provider::Memory, "bench"));
    options.cache = None;
    let store = Store::open_with(options).await?;
    store.file_system().put("cached", content.clone()).await?;
    let cache = Store::open_cache(cache).await?;
    let files = FileSystem::from_parts(store.bucket().clone(), Some(cache.clone()));
    let file = files.open_file("cached").await?;
    let block = BLOCK_BYTES as u64;
    for start in (0..file.size()).step_by(BLOCK_BYTES) {
        file.read(start..file.size().min(start + block)).await?;
        // One by one: a reader is never held up for the sake of the cache, so what its disk cannot keep up with is not kept.
        cache.flush().await;
    }
    let stats = cache.stats();
    if stats.disk_blocks != file.size().div_ceil(block) {
        let why = stats.disk_state;
        return Err(Failure::other(format!("the cache kept {} blocks on disk: {why:?}", stats.disk_blocks)));
    }
    Ok(file)
}

/// The peer.
#[derive(Debug)]
struct Bare {
    file: File,
    sums: Vec<u32>,
}

impl Bare {
    async fn new(content: &Bytes, scratch: &Scratch) -> Result<Self> {
        let (path, content) = (scratch.path("disk-hits-bare"), content.clone());
        let made = move || -> std::io::Result<Self> {
            std::fs::write(&path, &content)?;
            Ok(Self { file: File::open(&path)?, sums: content.chunks(BLOCK_BYTES).map(crc32c::crc32c).collect() })
        };
        let made = tokio::task::spawn_blocking(made).await?;
        made.map_err(|error| Failure::local("make a file in", &scratch.path(""), &error))
    }

    fn read(&self, offset: u64, block: &mut [u8]) -> Result<bool> {
        let read = self.file.read_exact_at(block, offset);
        read.map_err(|error| Failure::other(format!("cannot read the file that the cache is compared with: {error}")))?;
        let number = usize::try_from(offset).unwrap_or(usize::MAX) / BLOCK_BYTES;
        Ok(self.sums.get(number) == Some(&crc32c::crc32c(block)))
    }
}
