//! What a store did, bucket and cache together.

use plastron_cache::CacheStats;
use plastron_sources::StatsSnapshot;

/// What a store did since it was opened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Requests, bytes, retries, latencies, money.
    pub bucket: StatsSnapshot,
    /// Hits, misses, evictions; none without a cache.
    pub cache: Option<CacheStats>,
}

impl StoreStats {
    /// Blocks found in the cache as a share of all that were read through it, 0 to 1; none if there were none.
    pub fn hit_ratio(&self) -> Option<f64> {
        let (hits, all) = self.lookups();
        (all > 0).then(|| hits as f64 / all as f64)
    }

    /// The same for what was read since an `earlier` moment.
    pub fn hit_ratio_since(&self, earlier: &Self) -> Option<f64> {
        let ((hits, all), (hits_before, all_before)) = (self.lookups(), earlier.lookups());
        let (hits, all) = (hits.saturating_sub(hits_before), all.saturating_sub(all_before));
        (all > 0).then(|| hits as f64 / all as f64)
    }

    /// Blocks that were found, and that were looked for.
    fn lookups(&self) -> (u64, u64) {
        self.cache.as_ref().map_or((0, 0), |cache| {
            let hits = cache.memory_hits + cache.disk_hits;
            (hits, hits + cache.misses)
        })
    }
}
