//! Which record of a page is its latest, so that asking for it again takes no index.
//!
//! What is kept can't go stale, so nothing has to be told of a put: an entry says which record is the latest *of those up to an LSN*, and
//! whoever finds it looks only at what is above that LSN. On a log that is read nothing is; on one that is written it is what is in memory
//! and the few segments that came since. An abandon or a trim begins a generation, as for [`RecordCache`](super::record_cache::RecordCache).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lsn::Lsn;
use super::record::Key;

/// What an entry costs, bytes: its key and itself, and what the cache keeps of each.
const ENTRY_COST: u32 = 192;

/// One page's latest record.
#[derive(Debug)]
pub(crate) struct Latest {
    /// Its LSN.
    lsn: Lsn,
    /// The page has no other record between its latest and this LSN. It only grows.
    seen: AtomicU64,
}

impl Latest {
    pub(crate) fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The page has no other record up to it.
    pub(crate) fn seen(&self) -> Lsn {
        // Nothing else is read by this number's leave.
        Lsn::new(self.seen.load(Ordering::Relaxed))
    }
}

/// A generation, a table and a page.
type PageKey = (u64, u64, u64);

/// The latest records of pages.
#[derive(Debug)]
pub(crate) struct LatestCache(Option<moka::sync::Cache<PageKey, Arc<Latest>>>);

impl LatestCache {
    /// A cache of so many bytes; 0 for none.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |_: &PageKey, _: &Arc<Latest>| ENTRY_COST;
        Self((bytes > 0).then(|| moka::sync::Cache::builder().weigher(weigh).max_capacity(bytes).build()))
    }

    /// What is known of the page of `key`.
    pub(crate) fn get(&self, generation: u64, key: &Key) -> Option<Arc<Latest>> {
        self.0.as_ref()?.get(&(generation, key.table, key.page))
    }

    /// Takes note that `key` is its page's latest record up to `seen`; `known` is what was found before.
    pub(crate) fn note(&self, generation: u64, key: &Key, seen: Lsn, known: Option<&Latest>) {
        let Some(cache) = &self.0 else { return };
        match known.filter(|known| known.lsn == key.lsn) {
            Some(known) => drop(known.seen.fetch_max(seen.get(), Ordering::Relaxed)),
            None => {
                let latest = Latest { lsn: key.lsn, seen: AtomicU64::new(seen.get()) };
                cache.insert((generation, key.table, key.page), Arc::new(latest));
            }
        }
    }
}
