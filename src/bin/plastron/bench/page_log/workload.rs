//! What a page log is made to do, and nothing about what it is compared with: `benches/page-log`, which has peers that this program must
//! not depend on, does the same work by this very file.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use plastron::page_log::{LogState, Lsn, PageLog, PageLogOptions, PageLogParts, PutArgs};
use plastron::{Bucket, BucketOptions, Config};
use plastron_keys::KeyManagement;
use tokio::runtime::Handle;

use crate::bench::content::Numbers;
use crate::bench::pairs::Work;
use crate::context::Stopwatch;
use crate::failure::{Failure, Result};

/// Bytes of a page that is written.
pub(in crate::bench) const LARGE_PAGE: usize = 16 << 10;

/// Bytes of a page that is read.
pub(in crate::bench) const SMALL_PAGE: usize = 4 << 10;

/// The database of all logs; each has a prefix of its own.
const DATABASE: u128 = 0x706c_6173_7472_6f6e_2062_656e_6368_0001;

/// The table that all pages are of.
const TABLE: u64 = 1;

/// The cipher of every key module is the same; this one needs no file. It takes no part in sealing a record.
const KEYS: &str = "name=mock";

/// Opens the bucket that `options` name, under a prefix of its own.
pub(in crate::bench) async fn bucket(options: &BucketOptions, prefix: &str) -> Result<Bucket> {
    let mut options = options.clone();
    options.prefix = format!("{}{prefix}/", options.prefix);
    // A second request for a slow read is a request: here they are counted.
    options.hedge.enabled = false;
    Ok(Box::pin(Bucket::open(options)).await.map_err(plastron::Error::from)?)
}

/// Removes all that is in `bucket`.
pub(in crate::bench) async fn clear(bucket: &Bucket) -> Result<()> {
    let bucket = bucket.system();
    let names = bucket.list("", Default::default()).map_ok(|entry| entry.name().to_owned());
    let names = names.try_collect::<Vec<String>>().await.map_err(plastron::Error::from)?;
    for name in names {
        bucket.delete(&name).await.map_err(plastron::Error::from)?;
    }
    Ok(())
}

/// Encryption on.
pub(in crate::bench) async fn keys() -> Result<KeyManagement> {
    let section = Config::parse(KEYS).map_err(|error| Failure::other(error.to_string()))?;
    KeyManagement::open(&section).await.map_err(|error| Failure::other(error.to_string()))
}

/// A log that is written.
#[derive(Clone)]
pub(in crate::bench) struct Written {
    pub(in crate::bench) log: PageLog,
    pub(in crate::bench) bucket: Bucket,
    keys: KeyManagement,
}

impl Written {
    /// A new log in `bucket`, encryption on.
    pub(in crate::bench) async fn create(bucket: Bucket, options: PageLogOptions) -> Result<Self> {
        let keys = keys().await?;
        let parts = parts(&bucket, &keys, options);
        let log = PageLog::open(parts, &LogState::new(DATABASE), 1).await?;
        Ok(Self { log, bucket, keys })
    }

    /// Puts `pages` as full pages with ids from 0 on, each in a buffer of its own, as an engine would hand it over; waits for all to be
    /// durable after every `commit` of them, and at the end. Returns their LSNs.
    pub(in crate::bench) async fn put(&self, pages: &[Bytes], commit: usize) -> Result<Vec<Lsn>> {
        let table = self.log.table(TABLE);
        let mut lsns = Vec::with_capacity(pages.len());
        for pages in pages.chunks(commit.max(1)) {
            for page in pages {
                let copy = Bytes::copy_from_slice(page);
                lsns.push(table.put(lsns.len() as u64, PutArgs::full(), copy).await?);
            }
            self.log.flush_now(self.log.last_lsn()).await?;
        }
        Ok(lsns)
    }

    /// [`Written::put`] as work, MiB.
    pub(in crate::bench) async fn ingest(&self, pages: &[Bytes], commit: usize) -> Result<Work> {
        let watch = Stopwatch::start();
        self.put(pages, commit).await?;
        Ok(mib(pages, watch.elapsed()))
    }

    /// Ends the log and all that it does in the background, and removes its objects.
    pub(in crate::bench) async fn remove(self) -> Result<()> {
        let Self { log, bucket, .. } = self;
        log.close().await?;
        drop(log);
        clear(&bucket).await?;
        bucket.close().await;
        Ok(())
    }

    /// The log as a new reader opens it, with nothing in memory.
    pub(in crate::bench) async fn reopen(&self, options: PageLogOptions) -> Result<PageLog> {
        let parts = parts(&self.bucket, &self.keys, options);
        Ok(PageLog::open_for_reading(parts, &self.log.state()).await?)
    }
}

fn parts(bucket: &Bucket, keys: &KeyManagement, options: PageLogOptions) -> PageLogParts {
    let mut parts = PageLogParts::new(bucket.clone());
    parts.keys = keys.clone();
    parts.options = options;
    parts
}

/// Nothing that was read is kept but blocks of indexes.
pub(in crate::bench) fn forgetful() -> PageLogOptions {
    let mut options = PageLogOptions::new();
    options.record_memory = 0;
    options
}

/// Bytes of all pages as work.
pub(in crate::bench) fn mib(pages: &[Bytes], elapsed: Duration) -> Work {
    let bytes: usize = pages.iter().map(Bytes::len).sum();
    Work { amount: bytes as f64 / f64::from(1 << 20), elapsed }
}

/// Pages that nothing can compress, `size` bytes each.
pub(in crate::bench) fn pages(count: usize, size: usize, seed: u64) -> Vec<Bytes> {
    let mut all = crate::bench::content::bytes((count * size) as u64, seed);
    (0..count).map(|_| all.split_to(size)).collect()
}

/// What reads pages by number.
pub(in crate::bench) trait ReadPages: Send + Sync + 'static {
    /// The page's bytes.
    fn read(&self, page: usize) -> impl Future<Output = Result<Bytes>> + Send;
}

/// Reads pages of a log at the LSNs they were put at, as an engine does that knows them.
pub(in crate::bench) struct AtLsn {
    pub(in crate::bench) log: PageLog,
    pub(in crate::bench) lsns: Vec<Lsn>,
}

impl ReadPages for AtLsn {
    async fn read(&self, page: usize) -> Result<Bytes> {
        let lsn = self.lsns.get(page).copied().unwrap_or_default();
        first(self.log.table(TABLE).get(page as u64, lsn).await?)
    }
}

/// Reads the latest of pages, whose LSNs nobody knows.
pub(in crate::bench) struct Latest {
    pub(in crate::bench) log: PageLog,
}

impl ReadPages for Latest {
    async fn read(&self, page: usize) -> Result<Bytes> {
        first(self.log.table(TABLE).get(page as u64, Lsn::MAX).await?)
    }
}

fn first(chain: plastron::page_log::Chain) -> Result<Bytes> {
    let record = chain.records.into_iter().next();
    record.map(|record| record.bytes).ok_or_else(|| Failure::other("a chain without a record"))
}

/// `reads` reads of pages drawn at random out of `pages`, by `threads` threads, from the moment that all of them run; what comes must
/// be what was put.
pub(in crate::bench) async fn read_at_random<R: ReadPages>(
    reader: std::sync::Arc<R>,
    pages: &[Bytes],
    threads: usize,
    reads: usize,
    seed: u64,
) -> Result<Work> {
    let (handle, pages) = (Handle::current(), pages.to_vec());
    let run = move || -> Result<Work> {
        let start = Barrier::new(threads + 1);
        let each = reads.div_ceil(threads);
        let mut elapsed = Duration::ZERO;
        let done: Vec<Result<()>> = thread::scope(|scope| {
            let readers: Vec<_> = (0..threads)
                .map(|thread| {
                    let (start, handle, reader, pages) = (&start, &handle, &reader, &pages);
                    scope.spawn(move || {
                        let mut numbers = Numbers::new(seed + thread as u64);
                        start.wait();
                        handle.block_on(async {
                            for _ in 0..each {
                                let page = numbers.below(pages.len() as u64) as usize;
                                let read = reader.read(page).await?;
                                // The first and the last bytes: to compare all of them would take as long as to read them.
                                if pages.get(page).is_none_or(|put| !same_ends(put, &read)) {
                                    return Err(Failure::other(format!("page {page} is not what was put")));
                                }
                            }
                            Ok(())
                        })
                    })
                })
                .collect();
            start.wait();
            let watch = Stopwatch::start();
            let crashed = || Err(Failure::other("a reader crashed"));
            let done = readers.into_iter().map(|reader| reader.join().unwrap_or_else(|_| crashed())).collect();
            elapsed = watch.elapsed();
            done
        });
        done.into_iter().collect::<Result<()>>()?;
        Ok(Work { amount: (each * threads) as f64, elapsed })
    };
    tokio::task::spawn_blocking(run).await?
}

fn same_ends(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.first_chunk::<8>() == other.first_chunk::<8>()
        && one.last_chunk::<8>() == other.last_chunk::<8>()
}
