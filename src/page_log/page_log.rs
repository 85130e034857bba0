//! The page log itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use plastron_cache::Cache;
use plastron_keys::KeyManagement;
use plastron_sources::Bucket;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use super::PageLogFault;
use super::block_pool::BlockPool;
use super::codec::LogState;
use super::durable::Durable;
use super::in_use::InUse;
use super::intake::{Draft, Intake};
use super::latest_cache::LatestCache;
use super::lsn::{Lsn, LsnAllocator};
use super::merger::{merge_once, run_merger};
use super::objects::{BucketObjects, LogObjects};
use super::opening::open_durable;
use super::options::PageLogOptions;
use super::record::{PageFlags, RecordKind};
use super::record_cache::RecordCache;
use super::segment_keys::SegmentOpeners;
use super::shared::Shared;
use super::table::TableHandle;
use super::victim_cache::VictimCache;
use super::writer::run_writer;

/// What part of the memory for records tells which records are the latest of their pages: enough for all that are kept where pages have
/// 4 KiB and more.
const LATEST_SHARE: u64 = 16;

/// A page log. Cheap to clone; clones are the same log, and all calls are concurrent.
///
/// All asynchronous functions need a tokio runtime. Dropping the future of any of them leaves nothing half done: a put has its LSN or is
/// not there. Dropping the last clone stops the background; what is not durable then is lost, unless [`PageLog::close`] was awaited.
#[derive(Clone)]
pub struct PageLog {
    pub(crate) shared: Arc<Shared>,
    _tasks: Arc<Tasks>,
}

/// The background, which ends with the last handle.
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// What a log works with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PageLogParts {
    /// Where its objects are.
    pub bucket: Bucket,
    /// Where the objects of earlier epochs are, for a clone: the last epoch that wrote there, rising, and the bucket.
    pub ancestors: Vec<(u64, Bucket)>,
    /// What is read through; none for no cache.
    pub cache: Option<Cache>,
    /// What seals its records.
    pub keys: KeyManagement,
    /// How it works.
    pub options: PageLogOptions,
}

impl PageLogParts {
    /// A log in `bucket` without cache and keys, with default options.
    pub fn new(bucket: Bucket) -> Self {
        let (ancestors, keys) = (Vec::new(), KeyManagement::none());
        Self { bucket, ancestors, cache: None, keys, options: PageLogOptions::new() }
    }

    pub(crate) fn objects(&self, database: u128) -> Arc<dyn LogObjects> {
        Arc::new(BucketObjects::new(&self.bucket, &self.ancestors, self.cache.clone(), database))
    }
}

/// What a log holds and has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PageLogStats {
    /// The last LSN given or, on a log that is opened for reading, readable.
    pub last_lsn: Lsn,
    /// Everything that is not above it is in the bucket.
    pub durable_lsn: Lsn,
    /// Bytes that records which are not in the bucket yet take of the budget.
    pub waiting_bytes: u64,
    /// Segments in the bucket that are in no index run.
    pub segments: usize,
    /// Index runs.
    pub runs: usize,
    /// Page versions in the bucket.
    pub versions: u64,
}

impl PageLog {
    /// Opens a log for writing: what `state` lists, with one request for each run and for each segment that is in none. `epoch` is the
    /// writer's, must be higher than any before, and may open the log once only. A new log is opened from [`LogState::new`].
    ///
    /// # Errors
    /// `Invalid` for an epoch that can't be, or options that contradict each other; `Corrupt`, `NotFound` for objects that are not
    /// what was written; those of the bucket.
    pub async fn open(parts: PageLogParts, state: &LogState, epoch: u64) -> Result<Self, PageLogFault> {
        let objects = parts.objects(state.database);
        Self::open_over(objects, parts.keys, parts.options, state, Some(epoch)).await
    }

    /// Opens a log for reading: what `state` lists, up to its last LSN. [`PageLog::advance`] takes it on to a later state.
    ///
    /// # Errors
    /// As [`PageLog::open`].
    pub async fn open_for_reading(parts: PageLogParts, state: &LogState) -> Result<Self, PageLogFault> {
        let objects = parts.objects(state.database);
        Self::open_over(objects, parts.keys, parts.options, state, None).await
    }

    /// Opens a log over any objects.
    pub(crate) async fn open_over(
        objects: Arc<dyn LogObjects>,
        keys: KeyManagement,
        options: PageLogOptions,
        state: &LogState,
        epoch: Option<u64>,
    ) -> Result<Self, PageLogFault> {
        options.validate()?;
        let allocator = epoch.map(|epoch| LsnAllocator::new(epoch, state.last_lsn)).transpose()?;
        let mut filter_room = options.index_memory / 2;
        let durable = open_durable(state, &Durable::default(), &objects, &mut filter_room).await?;
        let budget = options.budget();
        let permits = usize::try_from(budget).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let intake = Intake::new(state, durable, allocator, budget);
        let latest_memory = options.record_memory / LATEST_SHARE;
        let shared = Arc::new(Shared {
            last: AtomicU64::new(intake.last().get()),
            intake: Mutex::new(intake),
            budget: Semaphore::new(permits),
            progress: watch::Sender::new(0),
            readable: watch::Sender::new(0),
            wake_writer: Notify::new(),
            wake_merger: Notify::new(),
            starving: AtomicUsize::new(0),
            objects,
            keys,
            database: state.database,
            epoch: epoch.unwrap_or(0),
            generation: AtomicU64::new(0),
            kek_lsn: AtomicU64::new(0),
            records: RecordCache::new(options.record_memory - latest_memory),
            latest: LatestCache::new(latest_memory),
            blocks: BlockPool::new(options.index_memory / 2),
            victims: VictimCache::new(options.victim_cache),
            openers: SegmentOpeners::new(),
            reserved_tables: AtomicU64::new(0),
            merging: tokio::sync::Mutex::new(()),
            options,
        });
        let mut tasks = Vec::new();
        if epoch.is_some() {
            tasks.push(tokio::spawn(run_writer(Arc::clone(&shared))));
            if shared.options.background {
                tasks.push(tokio::spawn(run_merger(Arc::clone(&shared))));
            }
        }
        Ok(Self { shared, _tasks: Arc::new(Tasks(tasks)) })
    }

    /// A handle to a table. There may be many; a table needs not be created.
    pub fn table(&self, table: u64) -> TableHandle {
        TableHandle::new(self.clone(), table, false)
    }

    /// A handle to a table that engines may not write.
    pub(crate) fn own_table(&self, table: u64) -> TableHandle {
        TableHandle::new(self.clone(), table, true)
    }

    /// The last `count` tables are not the engine's to write from here on.
    pub(crate) fn reserve_last_tables(&self, count: u64) {
        self.shared.reserved_tables.store(count, Ordering::Relaxed);
    }

    /// The database.
    pub fn database(&self) -> u128 {
        self.shared.database
    }

    /// The last LSN given or, on a log that is opened for reading, readable.
    pub fn last_lsn(&self) -> Lsn {
        self.shared.lock().last()
    }

    /// Everything that is not above it is in the bucket.
    pub fn durable_lsn(&self) -> Lsn {
        self.shared.lock().durable_lsn()
    }

    /// Takes an LSN for what is recorded elsewhere, such as a checkpoint's completion.
    ///
    /// # Errors
    /// `Unsupported` for a log that is opened for reading; why the log has failed.
    pub fn allocate_lsn(&self) -> Result<Lsn, PageLogFault> {
        self.shared.lock().allocate()
    }

    /// Waits until everything that is not above `lsn` is in the bucket. The open segment may wait for others to share it, for `flush_age`
    /// at the most.
    ///
    /// # Errors
    /// `Invalid` for an LSN that was not given yet; `Conflict` for one that was abandoned; why the log has failed.
    pub async fn flush(&self, lsn: Lsn) -> Result<(), PageLogFault> {
        self.shared.flush(lsn, false).await
    }

    /// As [`PageLog::flush`], at once: for checkpoints.
    ///
    /// # Errors
    /// As [`PageLog::flush`].
    pub async fn flush_now(&self, lsn: Lsn) -> Result<(), PageLogFault> {
        self.shared.flush(lsn, true).await
    }

    /// Waits until the durable LSN is above `lsn`, and returns it; or until the log has failed, and says why.
    ///
    /// # Errors
    /// Why the log has failed.
    pub async fn durable_above(&self, lsn: Lsn) -> Result<Lsn, PageLogFault> {
        let mut changes = self.shared.progress.subscribe();
        loop {
            {
                let intake = self.shared.lock();
                let durable = intake.durable_lsn();
                if durable > lsn {
                    return Ok(durable);
                }
                if let Some(fault) = intake.failure() {
                    return Err(fault.clone());
                }
            }
            if changes.changed().await.is_err() {
                return Err(PageLogFault::Closed { operation: "flush" });
            }
        }
    }

    /// What the log is made of now, as far as it is in the bucket.
    pub fn state(&self) -> LogState {
        self.state_at(Lsn::MAX)
    }

    /// What the log is made of, without anything above `lsn`: for the turtle object of a checkpoint, after `flush_now(lsn)`.
    pub fn state_at(&self, lsn: Lsn) -> LogState {
        self.shared.lock().state_at(self.shared.database, lsn)
    }

    /// Which objects of this writer's own epoch may still be named by a state that is yet to come.
    pub(crate) fn in_use(&self) -> InUse {
        let intake = self.shared.lock();
        InUse::new(self.shared.epoch, &intake)
    }

    /// Takes note that the checkpoint at `lsn` is complete: nothing up to it will ever be abandoned. Index runs leave out what was trimmed
    /// up to it.
    pub fn settle(&self, lsn: Lsn) {
        self.shared.lock().settle(lsn);
    }

    /// Takes note of the KEK page in force, which new segments name beside their wrapped keys.
    pub fn set_kek_lsn(&self, lsn: Lsn) {
        self.shared.kek_lsn.store(lsn.get(), Ordering::Release);
    }

    /// Drops every record above `lsn`, the last completed checkpoint. Their LSNs are not used again. Segments that are uploaded or being
    /// uploaded become garbage.
    ///
    /// # Errors
    /// `Invalid` for an `lsn` below one that was settled; `Unsupported` for a log that is opened for reading; why it has failed.
    pub fn abandon(&self, lsn: Lsn) -> Result<(), PageLogFault> {
        let freed = {
            let mut intake = self.shared.lock();
            let freed = intake.abandon(lsn)?;
            self.shared.publish(&intake);
            freed
        };
        self.shared.victims.clear();
        self.shared.give_back(freed);
        self.shared.announce();
        Ok(())
    }

    /// Gives the history of a table back: its records below `start` are not readable any more, nor are deltas that build on them. States
    /// from before stay as they are. Doing it again changes nothing. Returns the trim's LSN.
    ///
    /// # Errors
    /// `Invalid` for a `start` of 0, or above what the trim's own LSN will be, and for a table that is not the engine's; why nothing can be
    /// written.
    pub async fn trim_table(&self, table: u64, start: Lsn) -> Result<Lsn, PageLogFault> {
        self.shared.check_table(table)?;
        let last = self.last_lsn();
        if start.is_none() || start.get() > last.get().saturating_add(1) {
            return Err(PageLogFault::Future { operation: "trim below", lsn: start, last });
        }
        let draft = Draft {
            table,
            page: 0,
            kind: RecordKind::Trim,
            backlink: Lsn::NONE,
            base: start,
            flags: PageFlags::NONE,
            payload: Bytes::new(),
        };
        let lsn = self.shared.append(draft).await?;
        // Images of what is trimmed are among them; a trim is rare, and an engine can do without the others.
        self.shared.victims.clear();
        Ok(lsn)
    }

    /// Takes a log that is opened for reading on to a later state (or back to an earlier one). Reads under way end as they began.
    ///
    /// # Errors
    /// `Unsupported` for a log that is opened for writing; `Invalid` for the state of another database; as [`PageLog::open`]. The log
    /// stays as it was then.
    pub async fn advance(&self, state: &LogState) -> Result<(), PageLogFault> {
        if self.shared.epoch != 0 {
            return Err(PageLogFault::Options("a log that is opened for writing does not pick up states".to_owned()));
        }
        if state.database != self.shared.database {
            return Err(PageLogFault::Options(format!(
                "the state is of database {:032x}, and this log is of {:032x}",
                state.database, self.shared.database
            )));
        }
        let known = Arc::clone(self.shared.lock().durable());
        let mut room = self.shared.filter_room(&[]);
        let durable = open_durable(state, &known, &self.shared.objects, &mut room).await?;
        let next = Intake::new(state, durable, None, self.shared.options.budget());
        {
            let mut intake = self.shared.lock();
            intake.advance(next);
            self.shared.publish(&intake);
        }
        self.shared.announce();
        self.shared.announce_readable();
        Ok(())
    }

    /// Merges the indexes of all segments into runs, without waiting for enough of them.
    ///
    /// # Errors
    /// `Corrupt` for an index; those of the bucket. Everything is as it was then.
    pub async fn merge_indexes(&self) -> Result<(), PageLogFault> {
        merge_once(&self.shared, 1).await.map(drop).map_err(PageLogFault::of_gone)
    }

    /// What the log holds and has under way.
    pub fn stats(&self) -> PageLogStats {
        let intake = self.shared.lock();
        let durable = intake.durable();
        let in_segments: u64 = durable.segments.iter().map(|segment| segment.index.len() as u64).sum();
        PageLogStats {
            last_lsn: intake.last(),
            durable_lsn: intake.durable_lsn(),
            waiting_bytes: intake.in_memory().map(|segment| segment.cost()).sum(),
            segments: durable.segments.len(),
            runs: durable.runs.len(),
            versions: in_segments + durable.runs.iter().map(|run| run.reference().entries).sum::<u64>(),
        }
    }

    /// Makes everything durable and takes nothing more. Reading goes on.
    ///
    /// # Errors
    /// Why the log has failed.
    pub async fn close(&self) -> Result<(), PageLogFault> {
        loop {
            self.shared.flush(self.last_lsn(), true).await?;
            let mut intake = self.shared.lock();
            // What was put meanwhile was accepted, so it is written too.
            if intake.durable_lsn() == intake.last() {
                intake.fail(PageLogFault::Closed { operation: "write" });
                break;
            }
        }
        self.shared.budget.close();
        self.shared.announce();
        Ok(())
    }
}

impl fmt::Debug for PageLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageLog").field("epoch", &self.shared.epoch).field("stats", &self.stats()).finish()
    }
}
