//! The tiers of one cache put together: memory, answers of flights, disk, origin.
//!
//! Called by [`crate::CachedObject`] for its readers and by [`crate::read_ahead`]. Lookups are synchronous; only what misses
//! everything goes to the runtime, as a flight.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use plastron_sources::{Error, Fault};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::budgets::Budgets;
use crate::buffers::Buffers;
use crate::disk::{Disk, Offer};
use crate::fetch::{Fetch, Priority};
use crate::flight::{Flight, Outcome, Purpose};
use crate::flights::{Claim, Flights};
use crate::geometry::Geometry;
use crate::known_objects::{KnownObject, KnownObjects};
use crate::memory::Memory;
use crate::recent_touches::RecentTouches;
use crate::stats::{Event, Stats};

/// Everything one cache consists of.
#[derive(Debug)]
pub(crate) struct Tiers {
    pub(crate) geometry: Geometry,
    pub(crate) budgets: Budgets,
    pub(crate) objects: KnownObjects,
    pub(crate) memory: Memory,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) disk: Option<Disk>,
    pub(crate) touches: RecentTouches,
    pub(crate) stats: Arc<Stats>,
    pub(crate) runtime: Handle,
    /// Memory of requests that a reader waits for.
    pub(crate) demand: Arc<Semaphore>,
    /// Memory of what was or is being fetched ahead and is not read yet.
    pub(crate) ahead: Arc<Semaphore>,
    /// Memory of blocks that sequential readers are in.
    pub(crate) current: Arc<Semaphore>,
    /// Grows when everything is dropped: what was asked for before is not kept.
    pub(crate) generation: AtomicU64,
}

/// Who asks an origin for what, and how it is kept.
#[derive(Clone)]
pub(crate) struct Errand {
    pub(crate) object: Arc<KnownObject>,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) purpose: Purpose,
    pub(crate) priority: Priority,
    /// Whether the reader goes through the object from one end to the other.
    pub(crate) scan: bool,
}

impl Tiers {
    /// The block, if it is in memory or was brought by a flight that is still held.
    pub(crate) fn in_memory(&self, object: &KnownObject, block: u64, priority: Priority) -> Option<Bytes> {
        let key = object.key(block);
        if let Some(found) = self.memory.get(&key, priority) {
            return Some(found);
        }
        let found = self.flights.ready(key.object, self.geometry.granule_of(block), block)?;
        self.memory.insert(key, found.clone(), priority);
        Some(found)
    }

    /// Whether a flight that is still held brought the block.
    pub(crate) fn in_flight(&self, object: &KnownObject, block: u64) -> bool {
        self.flights.ready(object.number(), self.geometry.granule_of(block), block).is_some()
    }

    /// Whether a block can probably be had without asking the origin. Touches no file.
    pub(crate) fn has(&self, object: &KnownObject, block: u64) -> bool {
        self.memory.contains(&object.key(block)) || self.disk.as_ref().is_some_and(|disk| disk.has(object, block))
    }

    /// Joins or starts flights for `granules`. `permit` is called for each new flight with its blocks; no permit, no flight.
    pub(crate) fn claim(
        self: &Arc<Self>,
        errand: &Errand,
        granules: Range<u64>,
        longest_bytes: u64,
        mut permit: impl FnMut(&Range<u64>) -> bool,
    ) -> Claim {
        let (number, size) = (errand.object.number(), errand.object.size());
        let longest = (longest_bytes / self.geometry.granule_bytes()).max(1);
        let landed = |granule: u64| {
            self.geometry.blocks_of_granules(&(granule..granule + 1), size).all(|block| match errand.purpose {
                Purpose::Demand => self.memory.contains(&errand.object.key(block)),
                Purpose::Ahead => self.has(&errand.object, block),
            })
        };
        self.flights.claim(number, granules, longest, landed, |run| {
            let blocks = self.geometry.blocks_of_granules(&run, size);
            permit(&blocks).then(|| self.launch(errand, number, blocks, run))
        })
    }

    fn launch(self: &Arc<Self>, errand: &Errand, number: u64, blocks: Range<u64>, granules: Range<u64>) -> Arc<Flight> {
        let (sender, answer) = watch::channel(None);
        let generation = self.generation.load(Ordering::Acquire);
        let task = Arc::clone(self).fetch(errand.clone(), (number, generation), blocks.clone(), sender);
        let task = self.runtime.spawn(task).abort_handle();
        let home = Arc::downgrade(&self.flights);
        Arc::new(Flight::new(errand.purpose, number, (blocks, granules), answer, task, home))
    }

    /// The task of a flight.
    async fn fetch(
        self: Arc<Self>,
        errand: Errand,
        born: (u64, u64),
        blocks: Range<u64>,
        sender: watch::Sender<Option<Outcome>>,
    ) {
        let bytes = self.geometry.bytes(&blocks, errand.object.size());
        let _permit = match errand.purpose {
            Purpose::Demand => self.demand_permit(bytes.end - bytes.start).await,
            Purpose::Ahead => None,
        };
        self.stats.add(if errand.purpose == Purpose::Demand { Event::Fetches } else { Event::AheadFetches }, 1);
        let outcome = errand.fetch.fetch(bytes.clone()).await.and_then(|data| self.cut(&errand, &bytes, &data));
        match &outcome {
            Ok(fetched) => {
                self.stats.add(Event::FetchedBytes, bytes.end - bytes.start);
                self.keep(&errand, born, blocks, fetched);
            }
            Err(_) => self.stats.add(Event::FetchErrors, 1),
        }
        sender.send_replace(Some(outcome));
    }

    async fn demand_permit(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = Budgets::units(bytes).min(Budgets::units(self.budgets.demand));
        // The semaphore is never closed.
        Arc::clone(&self.demand).acquire_many_owned(units).await.ok()
    }

    /// Copies what a fetch brought into buffers of one block each (see [`crate::buffers`]).
    fn cut(&self, errand: &Errand, range: &Range<u64>, data: &Bytes) -> Outcome {
        if data.len() as u64 != range.end - range.start {
            let fault = Fault::Corrupt {
                what: "the answer to a ranged read".to_owned(),
                start: range.start,
                end: range.end,
                check: format!("length: expected {}, found {}", range.end - range.start, data.len()),
            };
            return Err(Error::new("get", errand.object.id.name(), fault));
        }
        Ok(data.chunks(self.geometry.block_bytes()).map(|block| self.buffers.copy(block)).collect())
    }

    /// Puts fetched blocks where later readers find them, unless they were dropped or invalidated meanwhile.
    fn keep(&self, errand: &Errand, (number, generation): (u64, u64), blocks: Range<u64>, fetched: &[Bytes]) {
        if self.generation.load(Ordering::Acquire) != generation || errand.object.number() != number {
            return;
        }
        for (block, data) in blocks.zip(fetched) {
            // What was fetched ahead is kept in its window, and enters memory when it is read: 32 MiB at once would push
            // everything else through the pool for fresh blocks.
            if errand.purpose == Purpose::Demand {
                self.memory.insert(errand.object.key(block), data.clone(), errand.priority);
            }
            if let Some(disk) = &self.disk {
                disk.offer(Offer {
                    object: Arc::clone(&errand.object),
                    number,
                    block,
                    data: data.clone(),
                    scan: errand.scan,
                    priority: errand.priority,
                });
            }
        }
    }

    /// Forgets everything in memory; the disk part is dropped by [`Disk::drop_all`].
    pub(crate) fn drop_memory(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.flights.clear();
        self.memory.clear();
    }
}
