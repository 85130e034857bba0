//! Which record of a page is its latest, so that asking for it again takes no index.
//!
//! What is kept can't go stale, so nothing has to be told of a put: an entry says which record is the latest *of those up to an LSN*, and
//! whoever finds it looks only at what is above that LSN. On a log that is read nothing is; on one that is written it is what is in memory
//! and the few segments that came since. An abandon or a trim begins a generation, as for [`RecordCache`](super::record_cache::RecordCache).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::lsn::Lsn;
use super::record::{Key, Record};

/// What an entry costs, bytes: its key and itself, what the cache keeps of each, and what is left of a record that nobody has any more.
const ENTRY_COST: u32 = 288;

/// Of so many times that a record is taken from here, it is taken once from the cache of records, which should know that it is in use.
const TOUCH_EVERY: u32 = 8;

/// One page's latest record.
#[derive(Debug)]
pub(crate) struct Latest {
    /// Its LSN.
    lsn: Lsn,
    /// The record as long as somebody has it, which is the cache of records.
    record: Weak<Record>,
    /// The page has no other record between its latest and this LSN. It only grows.
    seen: AtomicU64,
    /// Times that the record was asked for.
    asked: AtomicU32,
}

impl Latest {
    pub(crate) fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The record, if it is still there; every now and then it is to be looked for in the cache of records.
    pub(crate) fn record(&self) -> Option<Arc<Record>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked.is_multiple_of(TOUCH_EVERY) { None } else { self.record.upgrade() }
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
pub(crate) struct LatestCache(Option<Entries>);

type Entries = moka::sync::Cache<PageKey, Arc<Latest>>;

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
            Some(known) => {
                known.seen.fetch_max(seen.get(), Ordering::Relaxed);
            }
            None => Self::insert(cache, generation, key, seen, Weak::new()),
        }
    }

    /// Takes note of a record that was read, if it is its page's latest.
    pub(crate) fn keep(&self, generation: u64, record: &Arc<Record>) {
        let Some(cache) = &self.0 else { return };
        let is_of = |known: &Arc<Latest>| known.lsn == record.key.lsn && known.record.strong_count() == 0;
        if let Some(known) = self.get(generation, &record.key).filter(is_of) {
            Self::insert(cache, generation, &record.key, known.seen(), Arc::downgrade(record));
        }
    }

    fn insert(cache: &Entries, generation: u64, key: &Key, seen: Lsn, record: Weak<Record>) {
        let (seen, asked) = (AtomicU64::new(seen.get()), AtomicU32::new(0));
        cache.insert((generation, key.table, key.page), Arc::new(Latest { lsn: key.lsn, record, seen, asked }));
    }
}
