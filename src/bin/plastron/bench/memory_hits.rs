//! Reads of what the cache has in memory, against a bare `moka` lookup and a copy.
//!
//! All threads read pages of one file through one handle, at offsets drawn at random, as the threads of an engine would. The peer does
//! the least that can be done with the same library: one lookup by two integers, hashed as cheaply as Plastron hashes them, in a cache
//! bounded by bytes like Plastron's, of the same blocks, and the same copy into the reader's buffer.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use plastron::{BucketOptions, CacheOptions, FileHandle, Provider, Store, StoreOptions};

use super::content::{self, Numbers};
use super::meter::Meter;
use super::pairs::{Pairs, Work};
use super::row::{Goal, Row, Unit};
use super::sizes::Sizes;
use crate::context::Stopwatch;
use crate::failure::{Failure, Result};
use crate::quantity;

/// What Plastron hopes to keep of the bare lookup's speed.
const GOAL: f64 = 0.5;

/// Threads that read at once.
const THREADS: [usize; 4] = [1, 2, 4, 16];

/// Rows.
pub(super) const ROWS: usize = THREADS.len();

/// Bytes of one read: a page.
const PAGE_BYTES: usize = 4 << 10;

/// Bytes of a block, Plastron's default.
const BLOCK_BYTES: usize = 256 << 10;

/// Memory for blocks, more than there are, on both sides.
const MEMORY_BYTES: u64 = 64 << 20;

/// All rows.
pub(super) async fn rows(sizes: &Sizes, meter: &Meter) -> Result<Vec<Row>> {
    let content = content::bytes(sizes.cached, 3);
    let file = cached_file(content.clone()).await?;
    let bare = Bare::new(&content);
    let mut rows = Vec::new();
    for threads in THREADS {
        let title = format!("memory hit {}, threads: {threads}", quantity::bytes(PAGE_BYTES as u64));
        meter.row(&title);
        let run = |reader: Reader| {
            let (pages, reads) = (sizes.cached / PAGE_BYTES as u64, sizes.memory_reads);
            async move { tokio::task::spawn_blocking(move || read(&reader, threads, reads, pages)).await? }
        };
        let ours = async |_| run(Reader::Ours(file.clone())).await;
        let peer = async |_| run(Reader::Bare(bare.clone())).await;
        let pairs = Pairs::run(sizes.plan, meter, ours, peer).await?;
        rows.push(Row::compared(title, "cache", Unit::ReadsPerSecond, &pairs, "moka and copy", Goal::Ratio(GOAL)));
    }
    Ok(rows)
}

/// A file that the cache has in memory, whole.
async fn cached_file(content: Bytes) -> Result<FileHandle> {
    let mut cache = CacheOptions::new();
    cache.memory = MEMORY_BYTES;
    cache.block_size = BLOCK_BYTES as u64;
    let mut options = StoreOptions::new(BucketOptions::new(Provider::Memory, "bench"));
    options.cache = Some(cache);
    let store = Store::open_with(options).await?;
    store.file_system().put("cached", content.clone()).await?;
    let file = store.file_system().open_file("cached").await?;
    let mut page = vec![0; PAGE_BYTES];
    for (n, expected) in content.chunks(PAGE_BYTES).enumerate() {
        let offset = (n * PAGE_BYTES) as u64;
        file.read(offset..offset + expected.len() as u64).await?;
        if !file.try_read_at(offset, &mut page)? || page != expected {
            return Err(Failure::other("the cache does not have what was just read"));
        }
    }
    Ok(file)
}

/// One side.
#[derive(Clone)]
enum Reader {
    Ours(FileHandle),
    Bare(Bare),
}

/// `reads` reads of pages by `threads` threads, each at its own random offsets, from the moment that all of them run.
fn read(reader: &Reader, threads: usize, reads: usize, pages: u64) -> Result<Work> {
    let start = Barrier::new(threads + 1);
    let each = reads.div_ceil(threads);
    let mut elapsed = Duration::ZERO;
    let missed: usize = thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || {
                    let (mut numbers, mut page) = (Numbers::new(thread as u64), [0; PAGE_BYTES]);
                    let mut offsets = || numbers.below(pages) * PAGE_BYTES as u64;
                    start.wait();
                    // The side is chosen outside of the loop, so that neither pays for the choice.
                    match reader {
                        Reader::Ours(file) => {
                            (0..each).filter(|_| !matches!(file.try_read_at(offsets(), &mut page), Ok(true))).count()
                        }
                        Reader::Bare(bare) => (0..each).filter(|_| !bare.read(offsets(), &mut page)).count(),
                    }
                })
            })
            .collect();
        start.wait();
        let watch = Stopwatch::start();
        let missed = readers.into_iter().map(|reader| reader.join().unwrap_or(1)).sum();
        elapsed = watch.elapsed();
        missed
    });
    if missed > 0 {
        return Err(Failure::other(format!("{missed} reads of the cache missed, though it has room for all")));
    }
    Ok(Work { amount: (each * threads) as f64, elapsed })
}

/// The peer.
#[derive(Clone)]
struct Bare(moka::sync::Cache<(u64, u64), Bytes, BuildHasherDefault<IntegerHasher>>);

impl Bare {
    fn new(content: &Bytes) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(MEMORY_BYTES)
            .weigher(|_, block: &Bytes| u32::try_from(block.len()).unwrap_or(u32::MAX))
            .build_with_hasher(BuildHasherDefault::default());
        for (number, block) in content.chunks(BLOCK_BYTES).enumerate() {
            cache.insert((1, number as u64), Bytes::copy_from_slice(block));
        }
        cache.run_pending_tasks();
        Self(cache)
    }

    fn read(&self, offset: u64, page: &mut [u8]) -> bool {
        let Some(block) = self.0.get(&(1, offset / BLOCK_BYTES as u64)) else { return false };
        let within = usize::try_from(offset % BLOCK_BYTES as u64).unwrap_or(usize::MAX);
        match block.get(within..within + page.len()) {
            Some(bytes) => {
                page.copy_from_slice(bytes);
                true
            }
            None => false,
        }
    }
}

/// Mixes two integers: multiplication and folding, as `wyhash` does it.
#[derive(Debug, Clone, Default)]
struct IntegerHasher(u64);

impl Hasher for IntegerHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number ^ 0xa076_1d64_78bd_642f) * u128::from(0xe703_7ed1_a0b4_28db_u64);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}
