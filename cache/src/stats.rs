//! What the cache did: hits by tier, misses, bytes fetched, evictions, trouble.
//!
//! Hits are counted in stripes, one cache line to a thread or nearly so, since a memory hit takes about as long as two contended
//! additions would. Everything goes to the [`metrics`] facade as well, under the names in `docs/src/reference/metrics.md`: rare
//! events when they happen; hits every 1,024 of a stripe and whenever a snapshot is taken, so that the hit path stays free of it.

mod counts;
mod snapshot;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use metrics::{Counter, counter};

pub(crate) use counts::Striped;
pub use snapshot::{CacheStats, DiskState};

/// What is counted when it happens. Units are in the names; without one it is a number of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// Blocks that had to be waited for: fetched for this reader, or being fetched already.
    Misses,
    /// Requests to the origin on behalf of a reader.
    Fetches,
    /// Requests to the origin ahead of a reader.
    AheadFetches,
    /// What all requests brought.
    FetchedBytes,
    /// Of these, what was fetched ahead and dropped before anybody read it.
    AheadUnusedBytes,
    /// Requests that failed.
    FetchErrors,
    /// Blocks written to disk.
    DiskWrites,
    /// Their bytes, headers included.
    DiskWrittenBytes,
    /// Blocks not written because the queue was full, writes were off, or there was no room.
    DiskWritesDropped,
    /// Blocks not written because a scan brought them and they were not seen before.
    DiskWritesDeclined,
    /// Writes that failed.
    DiskWriteErrors,
    /// Reads that failed (not: that found wrong bytes).
    DiskReadErrors,
    /// Blocks removed from disk to make room.
    DiskEvictions,
    /// Files whose header or data did not match their checksum or their name; each is removed.
    DiskCorrupt,
}

impl Event {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Misses, "plastron_cache_misses_total"),
        (Self::Fetches, "plastron_cache_fetches_total"),
        (Self::AheadFetches, "plastron_cache_ahead_fetches_total"),
        (Self::FetchedBytes, "plastron_cache_fetched_bytes_total"),
        (Self::AheadUnusedBytes, "plastron_cache_ahead_unused_bytes_total"),
        (Self::FetchErrors, "plastron_cache_fetch_errors_total"),
        (Self::DiskWrites, "plastron_cache_disk_writes_total"),
        (Self::DiskWrittenBytes, "plastron_cache_disk_written_bytes_total"),
        (Self::DiskWritesDropped, "plastron_cache_disk_writes_dropped_total"),
        (Self::DiskWritesDeclined, "plastron_cache_disk_writes_declined_total"),
        (Self::DiskWriteErrors, "plastron_cache_disk_write_errors_total"),
        (Self::DiskReadErrors, "plastron_cache_disk_read_errors_total"),
        (Self::DiskEvictions, "plastron_cache_disk_evictions_total"),
        (Self::DiskCorrupt, "plastron_cache_disk_corrupt_total"),
    ];
}

/// Where a hit was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// In memory, or fetched ahead and waiting there.
    Memory,
    /// In a file of the cache directory.
    Disk,
}

/// The counters of one cache.
pub(crate) struct Stats {
    hits: [Striped; 2],
    events: [AtomicU64; Event::ALL.len()],
    handles: [OnceLock<Counter>; Event::ALL.len()],
    published: Mutex<[u64; 2]>,
}

impl std::fmt::Debug for Stats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stats").field("hits", &self.hits).field("events", &self.events).finish_non_exhaustive()
    }
}

impl Stats {
    /// Counters at zero.
    pub(crate) fn new() -> Self {
        Self {
            hits: Default::default(),
            events: Default::default(),
            handles: Default::default(),
            published: Mutex::default(),
        }
    }

    /// Counts `blocks` hits in `tier`.
    pub(crate) fn hit(&self, tier: Tier, blocks: u64) {
        let [memory, disk] = &self.hits;
        let striped = if tier == Tier::Memory { memory } else { disk };
        if blocks > 0 && striped.add(blocks) {
            self.publish_hits();
        }
    }

    /// Counts `amount` of `event`.
    pub(crate) fn add(&self, event: Event, amount: u64) {
        let (Some(value), Some(handle)) = (self.events.get(event as usize), self.handles.get(event as usize)) else {
            return;
        };
        if amount > 0 {
            value.fetch_add(amount, Ordering::Relaxed);
            let name = Event::ALL.get(event as usize).map_or("", |(_, name)| *name);
            handle.get_or_init(|| counter!(name)).increment(amount);
        }
    }

    /// How much of `event` was counted.
    pub(crate) fn get(&self, event: Event) -> u64 {
        self.events.get(event as usize).map_or(0, |value| value.load(Ordering::Relaxed))
    }

    /// Hits in memory and on disk.
    pub(crate) fn hits(&self) -> [u64; 2] {
        self.hits.each_ref().map(Striped::get)
    }

    /// Brings the facade up to date with the hits. Skipped while another thread is at it.
    pub(crate) fn publish_hits(&self) {
        let Ok(mut published) = self.published.try_lock() else { return };
        let now = self.hits();
        for ((tier, now), before) in ["memory", "disk"].into_iter().zip(now).zip(published.iter_mut()) {
            if now > *before {
                counter!("plastron_cache_hits_total", "tier" => tier).increment(now - *before);
                *before = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_stands_at_its_own_place() {
        for (place, (event, name)) in Event::ALL.iter().enumerate() {
            assert_eq!(*event as usize, place, "{name}");
        }
        let stats = Stats::new();
        stats.add(Event::DiskCorrupt, 3);
        stats.add(Event::Misses, 2);
        stats.hit(Tier::Disk, 7);
        assert_eq!((stats.get(Event::DiskCorrupt), stats.get(Event::Misses), stats.hits()), (3, 2, [0, 7]));
    }

    /// A recorder that keeps the sums of counters.
    #[derive(Debug, Default, Clone)]
    struct Sums(std::sync::Arc<Mutex<std::collections::BTreeMap<String, u64>>>);

    struct Sum(Sums, String);

    impl metrics::CounterFn for Sum {
        fn increment(&self, value: u64) {
            *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
        }

        fn absolute(&self, _: u64) {}
    }

    impl metrics::Recorder for Sums {
        fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
        fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
        fn describe_histogram(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}

        fn register_counter(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> Counter {
            let labels: String = key.labels().map(|label| format!(" {}={}", label.key(), label.value())).collect();
            Counter::from_arc(std::sync::Arc::new(Sum(self.clone(), format!("{}{labels}", key.name()))))
        }

        fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
            metrics::Gauge::noop()
        }

        fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
            metrics::Histogram::noop()
        }
    }

    #[test]
    fn the_facade_is_told_everything() {
        let sums = Sums::default();
        metrics::with_local_recorder(&sums, || {
            let stats = Stats::new();
            for (event, _) in Event::ALL {
                stats.add(event, 1 + event as u64);
            }
            (0..3_000).for_each(|_| stats.hit(Tier::Memory, 1));
            let told = *sums.0.lock().unwrap().get("plastron_cache_hits_total tier=memory").unwrap();
            assert!(told >= 2048, "{told} without being asked");
            stats.hit(Tier::Disk, 5);
            stats.publish_hits();
        });
        let sums = sums.0.lock().unwrap();
        for (event, name) in Event::ALL {
            assert_eq!(sums.get(name), Some(&(1 + event as u64)), "{name}");
        }
        assert_eq!(sums.get("plastron_cache_hits_total tier=memory"), Some(&3_000));
        assert_eq!(sums.get("plastron_cache_hits_total tier=disk"), Some(&5));
    }

    #[test]
    fn no_hit_is_lost_between_threads() {
        let stats = Stats::new();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..5_000).for_each(|_| stats.hit(Tier::Memory, 1)));
            }
        });
        assert_eq!(stats.hits(), [100_000, 0]);
    }
}
