//! One cache: opened once, used by all buckets and handles of a process.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use metrics::gauge;
use plastron_sources::{Error, Fault};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::budgets::Budgets;
use crate::buffers::Buffers;
use crate::cached_object::CachedObject;
use crate::disk::{Disk, DiskOptions};
use crate::flights::Flights;
use crate::known_objects::KnownObjects;
use crate::memory::Memory;
use crate::object_id::ObjectId;
use crate::options::CacheOptions;
use crate::recent_touches::RecentTouches;
use crate::stats::{CacheStats, Event, Stats};
use crate::tiers::Tiers;

/// A cache of blocks of immutable objects, in memory and — if it has a directory — on disk. Cheap to clone; all clones are the
/// same cache.
///
/// Dropping the last clone and the last [`CachedObject`] stops its threads. Blocks that wait to be written to disk are lost by that,
/// unless [`Cache::flush`] was awaited; nothing but time is lost with them.
#[derive(Clone)]
pub struct Cache {
    tiers: Arc<Tiers>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("disk", &self.tiers.disk).finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens a cache. Fetches run on `runtime`, and so does what is read from disk for asynchronous readers.
    ///
    /// With a directory this makes a few hundred system calls, so an asynchronous program calls it through `spawn_blocking`. What
    /// earlier runs left in the directory is counted in the background.
    ///
    /// # Errors
    /// `Invalid` for options that contradict each other; the operating system's error if the directory can't be created or locked.
    pub fn open(options: CacheOptions, runtime: Handle) -> Result<Self, Error> {
        let geometry = options.geometry()?;
        let budgets = Budgets::new(options.memory, options.block_size, options.read_ahead);
        let index_bytes = options.index_bytes();
        let buffers = Buffers::new(geometry.block_bytes());
        let stats = Arc::new(Stats::new());
        let disk = match options.directory {
            Some(directory) if options.size > 0 => {
                let context = format!("cannot open the cache directory {}", directory.display());
                let options = DiskOptions {
                    directory,
                    size: options.size,
                    min_free: options.min_free,
                    admission: options.admission,
                    queue_bytes: budgets.queue,
                    geometry,
                    clock: options.clock,
                    entropy: options.entropy,
                };
                let disk = Disk::open(options, Arc::clone(&buffers), Arc::clone(&stats));
                Some(disk.map_err(|source| Error::new("open", "the cache", Fault::io(context, source)))?)
            }
            _ => None,
        };
        let tiers = Tiers {
            geometry,
            budgets,
            objects: KnownObjects::new(geometry),
            memory: Memory::new(options.memory, index_bytes),
            buffers,
            flights: Arc::new(Flights::default()),
            disk,
            touches: RecentTouches::new(options.memory / options.block_size),
            stats,
            runtime,
            demand: Arc::new(Semaphore::new(Budgets::units(budgets.demand) as usize)),
            ahead: Arc::new(Semaphore::new(Budgets::units(budgets.ahead) as usize)),
            current: Arc::new(Semaphore::new(Budgets::units(budgets.current) as usize)),
            generation: AtomicU64::new(0),
        };
        Ok(Self { tiers: Arc::new(tiers) })
    }

    /// A handle to `object`, with its own read-ahead. Makes no request and touches no file.
    pub fn object(&self, object: ObjectId) -> CachedObject {
        CachedObject::new(Arc::clone(&self.tiers), self.tiers.objects.intern(object))
    }

    /// Bytes of one block.
    pub fn block_size(&self) -> u64 {
        self.tiers.geometry.block_bytes() as u64
    }

    /// The directory, if there is one.
    pub fn directory(&self) -> Option<&Path> {
        self.tiers.disk.as_ref().map(Disk::directory)
    }

    /// Forgets all blocks of `object`, in memory and on disk. Needed when an object is removed, to free its space; never for
    /// correctness, since an object of another content has another etag.
    pub async fn invalidate(&self, object: ObjectId) {
        let known = self.tiers.objects.intern(object);
        let old = self.tiers.objects.renumber(&known);
        let blocks = self.tiers.geometry.count(known.size());
        self.tiers.memory.forget(old, 0..blocks);
        self.on_disk(move |disk| disk.forget(&known)).await;
    }

    /// Forgets everything, in memory and on disk, what is waiting to be written included. Requests under way are finished for those
    /// who wait for them, but not kept.
    pub async fn drop_all(&self) {
        self.tiers.drop_memory();
        if let Some(disk) = &self.tiers.disk {
            disk.clear_queue();
            // What is being written right now will be found and removed with the rest.
            disk.idle().await;
        }
        self.on_disk(Disk::clear).await;
    }

    /// Ends when all blocks that were to be written to disk so far are written or given up, which includes counting what earlier
    /// runs left.
    pub async fn flush(&self) {
        if let Some(disk) = &self.tiers.disk {
            disk.flush().await;
        }
    }

    /// As [`Cache::flush`], for the end of a program: waits for the count of what earlier runs left only if a block waits for it.
    pub async fn settle(&self) {
        if let Some(disk) = &self.tiers.disk {
            disk.idle().await;
        }
    }

    /// What it did and what it holds.
    pub fn stats(&self) -> CacheStats {
        let (stats, disk) = (&self.tiers.stats, self.tiers.disk.as_ref());
        let [memory_hits, disk_hits] = stats.hits();
        let (disk_bytes, disk_blocks) = disk.map(Disk::usage).unwrap_or_default();
        let memory_bytes = self.tiers.memory.bytes();
        stats.publish_hits();
        gauge!("plastron_cache_memory_bytes").set(memory_bytes as f64);
        CacheStats {
            memory_hits,
            disk_hits,
            misses: stats.get(Event::Misses),
            fetches: stats.get(Event::Fetches),
            ahead_fetches: stats.get(Event::AheadFetches),
            fetched_bytes: stats.get(Event::FetchedBytes),
            ahead_unused_bytes: stats.get(Event::AheadUnusedBytes),
            fetch_errors: stats.get(Event::FetchErrors),
            disk_writes: stats.get(Event::DiskWrites),
            disk_written_bytes: stats.get(Event::DiskWrittenBytes),
            disk_writes_dropped: stats.get(Event::DiskWritesDropped),
            disk_writes_declined: stats.get(Event::DiskWritesDeclined),
            disk_write_errors: stats.get(Event::DiskWriteErrors),
            disk_read_errors: stats.get(Event::DiskReadErrors),
            disk_evictions: stats.get(Event::DiskEvictions),
            disk_corrupt: stats.get(Event::DiskCorrupt),
            memory_bytes,
            disk_bytes,
            disk_blocks,
            disk_state: disk.map(Disk::state).unwrap_or_default(),
        }
    }

    /// Runs `task` with the disk part where blocking is allowed.
    async fn on_disk(&self, task: impl FnOnce(&Disk) + Send + 'static) {
        if self.tiers.disk.is_none() {
            return;
        }
        let tiers = Arc::clone(&self.tiers);
        let run = self.tiers.runtime.spawn_blocking(move || {
            if let Some(disk) = &tiers.disk {
                task(disk);
            }
        });
        // It fails only when the runtime shuts down, and then nobody waits for it.
        let _ = run.await;
    }
}
