//! What all handles of one log and its background tasks share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plastron_keys::KeyManagement;
use plastron_sources::failpoint::{Failpoint, reach};
use tokio::sync::{Notify, Semaphore, watch};

use super::PageLogFault;
use super::block_pool::BlockPool;
use super::intake::{Draft, Intake, cost};
use super::latest_cache::LatestCache;
use super::lsn::Lsn;
use super::objects::LogObjects;
use super::options::PageLogOptions;
use super::record_cache::RecordCache;
use super::run::Run;
use super::segment_keys::SegmentOpeners;
use super::victim_cache::VictimCache;

/// What those who wait are woken by: something about it has changed; what it is stands under the lock.
pub(crate) type Progress = watch::Sender<u64>;

/// What all handles of one log share.
pub(crate) struct Shared {
    pub(crate) intake: Mutex<Intake>,
    /// Bytes that records may still take.
    pub(crate) budget: Semaphore,
    pub(crate) progress: Progress,
    /// The same for those who wait for an LSN to be readable: kept apart, so that a put does not wake everybody who waits in `flush`.
    pub(crate) readable: Progress,
    /// Wakes the writer: something is sealed, awaited or lacking.
    pub(crate) wake_writer: Notify,
    /// Wakes the merger: a segment has reached the bucket.
    pub(crate) wake_merger: Notify,
    /// Puts that wait for room.
    pub(crate) starving: AtomicUsize,
    pub(crate) objects: Arc<dyn LogObjects>,
    pub(crate) keys: KeyManagement,
    pub(crate) options: PageLogOptions,
    pub(crate) database: u128,
    pub(crate) epoch: u64,
    /// That of the intake, for those who do not take its lock.
    pub(crate) generation: AtomicU64,
    /// The last LSN that has a record, or is readable, for the same: never behind a put that has returned.
    pub(crate) last: AtomicU64,
    /// The KEK page in force.
    pub(crate) kek_lsn: AtomicU64,
    pub(crate) records: RecordCache,
    pub(crate) latest: LatestCache,
    pub(crate) blocks: BlockPool,
    pub(crate) victims: VictimCache,
    pub(crate) openers: SegmentOpeners,
    /// So many tables, the last ones, are not the engine's to write.
    pub(crate) reserved_tables: AtomicU64,
    /// One merge at a time.
    pub(crate) merging: tokio::sync::Mutex<()>,
}

/// Counts a waiting put, however it ends.
struct Starving<'a>(&'a AtomicUsize);

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Intake> {
        // Nothing panics while it holds the lock.
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those who do not take the lock know how things stand; the caller has it.
    pub(crate) fn publish(&self, intake: &Intake) {
        self.last.store(intake.last().get(), Ordering::Release);
        self.generation.store(intake.generation(), Ordering::Release);
    }

    /// Fails if an engine may not write that table.
    pub(crate) fn check_table(&self, table: u64) -> Result<(), PageLogFault> {
        match u64::MAX - table < self.reserved_tables.load(Ordering::Relaxed) {
            true => Err(PageLogFault::Reserved { table }),
            false => Ok(()),
        }
    }

    /// Tells everybody who waits for the bucket that something has changed.
    pub(crate) fn announce(&self) {
        self.progress.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells those who wait for an LSN to be readable that there are more.
    pub(crate) fn announce_readable(&self) {
        self.readable.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps a record and gives it its LSN. Waits while the budget is used up.
    ///
    /// # Errors
    /// Those of [`Intake::append`].
    pub(crate) async fn append(&self, draft: Draft) -> Result<Lsn, PageLogFault> {
        let cost = cost(draft.payload.len(), self.options.budget());
        let permits = u32::try_from(cost).unwrap_or(u32::MAX);
        let permit = match self.budget.try_acquire_many(permits) {
            Ok(permit) => permit,
            Err(_) => self.wait_for_room(permits).await?,
        };
        reach(Failpoint::PutBefore);
        let full = {
            let mut intake = self.lock();
            let before = intake.open().bytes();
            let lsn = intake.append(draft, self.options.clock.monotonic())?;
            self.publish(&intake);
            permit.forget();
            let first = intake.open().first_lsn() == Some(lsn);
            let (bytes, chunk) = (intake.open().bytes(), self.options.chunk());
            let full = bytes >= self.options.segment_size;
            if full {
                intake.seal();
            }
            (lsn, full || first || before / chunk != bytes / chunk)
        };
        reach(Failpoint::PutAfter);
        if full.1 || self.starving.load(Ordering::Relaxed) > 0 {
            self.wake_writer.notify_one();
        }
        if self.readable.receiver_count() > 0 {
            self.announce_readable();
        }
        Ok(full.0)
    }

    /// Waits until so many bytes are free, and sees to it that they will be.
    async fn wait_for_room(&self, permits: u32) -> Result<tokio::sync::SemaphorePermit<'_>, PageLogFault> {
        self.starving.fetch_add(1, Ordering::Relaxed);
        let _starving = Starving(&self.starving);
        self.wake_writer.notify_one();
        match self.budget.acquire_many(permits).await {
            Ok(permit) => Ok(permit),
            // Closed because the log has failed, or was closed.
            Err(_) => Err(self.lock().failure().cloned().unwrap_or(PageLogFault::Closed { operation: "put" })),
        }
    }

    /// Bytes left for filters beside those of `runs`: half of the memory for indexes is theirs.
    pub(crate) fn filter_room(&self, runs: &[Arc<Run>]) -> u64 {
        let taken: u64 = runs.iter().map(|run| run.filter_size()).sum();
        (self.options.index_memory / 2).saturating_sub(taken)
    }

    /// Gives bytes back to the budget.
    pub(crate) fn give_back(&self, bytes: u64) {
        self.budget.add_permits(usize::try_from(bytes).unwrap_or(0));
    }

    /// The log takes nothing more.
    pub(crate) fn fail(&self, fault: PageLogFault) {
        tracing::error!(%fault, "the page log has failed");
        self.lock().fail(fault);
        self.budget.close();
        self.announce();
    }

    /// Waits until everything that is not above `lsn` is in the bucket.
    ///
    /// # Errors
    /// [`PageLogFault::Future`], [`PageLogFault::Abandoned`], why the log has failed.
    pub(crate) async fn flush(&self, lsn: Lsn, now: bool) -> Result<(), PageLogFault> {
        let mut changes = self.progress.subscribe();
        {
            let mut intake = self.lock();
            let last = intake.last();
            if lsn > last {
                return Err(PageLogFault::Future { operation: "flush", lsn, last });
            }
            intake.await_lsn(lsn, now);
        }
        self.wake_writer.notify_one();
        loop {
            {
                let intake = self.lock();
                if intake.is_abandoned(lsn) {
                    return Err(PageLogFault::Abandoned { lsn });
                }
                if intake.durable_lsn() >= lsn {
                    return Ok(());
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
}
